"""What not every portal tells: its default outgoing line, and links to its pages."""

from collections.abc import Mapping
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import METHODS, Portal
from dev.portal.faults import ErrorReply, Result
from dev.portal.state import Method
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .conftest import MAIN, SALES, Poll, SetUp, portal_entity, state_of

OUTGOING = "voximplant.line.outgoing.get"
LINKS = "voximplant.url.get"
ATTRIBUTE = "default_outgoing_line"
NAMES = ("main_line", "sales", "support")
TEN_MINUTES = 601
ONE_DAY = 86401


def without(*names: str) -> Mapping[str, Method]:
    """Return the methods of an older portal."""
    return {name: call for name, call in METHODS.items() if name not in names}


def shown(hass: HomeAssistant) -> list[Any]:
    """Return the attribute of each line's registration, None where it is not there."""
    states = [hass.states.get(f"binary_sensor.{name}_registration") for name in NAMES]
    return [state and state.attributes.get(ATTRIBUTE) for state in states]


async def test_the_default_line_is_shown(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """It is read with the list of lines, and follows a change on the portal."""
    portal.outgoing = f"reg{SALES}"
    entry = await set_up(portal)
    assert shown(hass) == [False, True, False]
    assert entry.runtime_data.data.default_outgoing == SALES
    portal.outgoing = f"reg{MAIN}"
    await wait(TEN_MINUTES)
    assert shown(hass) == [True, False, False]
    for other in ("sip12", "74951234567"):
        portal.outgoing = other
        await wait(TEN_MINUTES)
        assert shown(hass) == [False, False, False]
        assert entry.runtime_data.data.default_outgoing is None


@pytest.mark.parametrize(
    ("answer", "after", "asked"),
    [
        pytest.param(
            ErrorReply("INTERNAL_SERVER_ERROR", status=500), True, 2, id="transient"
        ),
        pytest.param(Result(None), True, 2, id="unreadable"),
        pytest.param(
            ErrorReply("ACCESS_DENIED", "Access denied!", 403), None, 1, id="permanent"
        ),
    ],
)
async def test_an_error_concerns_nothing_else(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    answer: ErrorReply | Result,
    after: bool | None,
    asked: int,
) -> None:
    """A transient error leaves the attribute; a permanent one takes it for a day."""
    fault = portal.fault(answer, method=OUTGOING)
    before = portal.commands(OUTGOING)
    await wait(TEN_MINUTES)
    assert shown(hass)[0] is after
    assert state_of(hass, "binary_sensor.main_line_registration") == "on"
    assert portal_entity(hass, entry, "portal") == "on"
    fault.clear()
    await wait(TEN_MINUTES)
    assert shown(hass)[0] is after
    assert portal.commands(OUTGOING) - before == asked
    await wait(ONE_DAY)
    assert shown(hass)[0] is True


async def test_an_older_portal_is_monitored_all_the_same(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """A portal that does not know the methods is asked for them once a day."""
    portal.methods = without(OUTGOING, LINKS)
    entry = await set_up(portal)
    assert shown(hass) == [None, None, None]
    assert portal_entity(hass, entry, "portal") == "on"
    assert portal_entity(hass, entry, "registered_lines") == "3"
    for _ in range(20):
        await wait(TEN_MINUTES)
    assert portal.commands(OUTGOING) == portal.commands(LINKS) == 1
    portal.methods = METHODS
    await wait(ONE_DAY)
    assert portal.commands(OUTGOING) == portal.commands(LINKS) == 2
    assert shown(hass) == [True, False, False]


def link_of_issue(hass: HomeAssistant) -> str | None:
    """Return the link of the only repair issue."""
    [issue] = [i for i in ir.async_get(hass).issues.values() if i.domain == DOMAIN]
    return issue.learn_more_url


@pytest.mark.parametrize(
    ("answer", "page"),
    [
        pytest.param(None, "/settings/license_phone_sip.php", id="the portal's own"),
        pytest.param(
            Result({"buy_connector": "https://example.com/buy"}),
            "/telephony/lines.php",
            id="to another host",
        ),
        pytest.param(Result({}), "/telephony/lines.php", id="none"),
        pytest.param(Result([]), "/telephony/lines.php", id="unreadable"),
        pytest.param(
            ErrorReply("ERROR_METHOD_NOT_FOUND", status=404),
            "/telephony/lines.php",
            id="not known",
        ),
    ],
)
async def test_the_link_of_an_issue(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    answer: Result | ErrorReply | None,
    page: str,
) -> None:
    """The portal's own link to the page where the connector is paid, or a known path."""
    if answer:
        portal.fault(answer, method=LINKS)
    portal.connector.paid = False
    await set_up(portal)
    assert link_of_issue(hass) == f"{portal.url}{page}"


async def test_a_link_is_kept_until_it_is_refused(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """A day later the portal does not know it any more."""
    portal.connector.paid = False
    await set_up(portal)
    own = link_of_issue(hass)
    assert own
    assert own.endswith("/settings/license_phone_sip.php")
    fault = portal.fault(Result(None), method=LINKS)
    await wait(ONE_DAY)
    assert link_of_issue(hass) == own
    fault.clear()
    portal.methods = without(LINKS)
    await wait(TEN_MINUTES)
    assert link_of_issue(hass) == f"{portal.url}/telephony/lines.php"
