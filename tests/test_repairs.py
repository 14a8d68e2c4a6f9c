"""Repair issues: created with their cause, once, and deleted with it."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryDisabler,
    ConfigEntryState,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .conftest import Poll, SetUp, state_of

type Json = dict[str, Any]
type FixFlow = tuple[Json, Callable[[], Awaitable[Json]]]

NEW_HOST = "acme-new.bitrix24.test"


def break_portal(name: str, value: object) -> Callable[[Portal], None]:
    """Return a function that changes a switch of the portal."""
    return lambda portal: setattr(portal, name, value)


BREAKS: dict[str, tuple[Callable[[Portal], None], Callable[[Portal], None], str]] = {
    "missing_scope": (
        break_portal("scopes", set()),
        break_portal("scopes", {"telephony"}),
        "/devops/list/",
    ),
    "missing_permission": (
        break_portal("permitted", False),
        break_portal("permitted", True),
        "/telephony/permissions.php",
    ),
    "plan_restricted": (
        break_portal("plan", False),
        break_portal("plan", True),
        "/settings/license.php",
    ),
    "portal_closed": (
        break_portal("deleted", True),
        break_portal("deleted", False),
        "/",
    ),
    "portal_overloaded": (
        break_portal("overloaded", True),
        break_portal("overloaded", False),
        "/devops/list/",
    ),
    "telephony_missing": (
        break_portal("telephony_installed", False),
        break_portal("telephony_installed", True),
        "/",
    ),
    "https_required": (
        break_portal("allow_http", False),
        break_portal("allow_http", True),
        "/",
    ),
    "portal_moved": (
        break_portal("moved_to", f"https://{NEW_HOST}"),
        break_portal("moved_to", None),
        "/",
    ),
}


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the integration's issues by their key."""
    return {
        issue.translation_key or "": issue
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN
    }


@pytest.mark.parametrize("reason", BREAKS)
async def test_created_and_deleted(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    reason: str,
) -> None:
    """The poll that finds the cause creates the issue; the first without it deletes it."""
    breaks, mends, page = BREAKS[reason]
    assert issues(hass) == {}
    breaks(portal)
    await wait(61)
    assert issues(hass).keys() == {reason}
    issue = issues(hass)[reason]
    assert issue.learn_more_url == f"{portal.url}{page}"
    assert issue.is_fixable is (reason == "portal_moved")
    assert issue.translation_placeholders
    assert issue.translation_placeholders["portal"] == portal.host
    await wait(3601)
    assert issues(hass).keys() == {reason}
    mends(portal)
    fault = portal.fault(FAULTS["nginx_502"])
    await wait(3601)
    assert issues(hass).keys() == {reason}, "a passing fault says nothing of the cause"
    fault.clear()
    await wait(3601)
    assert issues(hass) == {}


async def test_the_cause_changes(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The issue of the new cause replaces the other one."""
    portal.permitted = False
    await wait(61)
    portal.deleted = True
    await wait(901)
    assert issues(hass).keys() == {"portal_closed"}


async def test_deleted_with_the_entry(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """An unloaded or removed entry has no issues."""
    portal.permitted = False
    await wait(61)
    await hass.config_entries.async_unload(entry.entry_id)
    assert issues(hass) == {}


async def test_entry_that_was_never_set_up(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """The issue exists while setup is retried, and is deleted with the entry."""
    portal.permitted = False
    entry = await set_up(portal)
    assert issues(hass).keys() == {"missing_permission"}
    await hass.config_entries.async_remove(entry.entry_id)
    assert issues(hass) == {}


async def test_connector(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    wait: Poll,
    freezer: FrozenDateTimeFactory,
) -> None:
    """There is an issue in the week before the end, and when it is unpaid."""
    freezer.move_to("2026-12-20T12:00:00+00:00")
    portal.connector.paid_until = "2026-12-31T03:00:00+03:00"
    await set_up(portal)
    assert issues(hass) == {}
    freezer.move_to("2026-12-25T12:00:00+00:00")
    await wait(1)
    assert issues(hass).keys() == {"connector_ends"}
    issue = issues(hass)["connector_ends"]
    assert issue.learn_more_url == f"{portal.url}/settings/license_phone_sip.php"
    assert issue.severity is ir.IssueSeverity.WARNING
    assert issue.translation_placeholders
    assert issue.translation_placeholders["date"] == "2026-12-30"
    portal.connector.paid = False
    await wait(3601)
    assert issues(hass).keys() == {"connector_unpaid"}
    portal.connector.fails = True
    await wait(3601)
    assert issues(hass).keys() == {"connector_unpaid"}
    portal.connector.fails = False
    portal.connector.paid = True
    portal.connector.paid_until = "2027-12-31T03:00:00+03:00"
    await wait(3601)
    assert issues(hass) == {}


async def test_unknown_connector(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """A portal without a connector has no issue."""
    portal.connector.fails = True
    await set_up(portal)
    assert issues(hass) == {}


@pytest.fixture
async def fix_flow(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    hass_client: ClientSessionGenerator,
) -> FixFlow:
    """Start the fix flow of a moved portal; return its form, and how to submit it."""
    assert await async_setup_component(hass, "repairs", {})
    portal.moved_to = f"https://{NEW_HOST}"
    await wait(61)
    client = await hass_client()
    flows = "/api/repairs/issues/fix"
    issue_id = issues(hass)["portal_moved"].issue_id
    response = await client.post(flows, json={"handler": DOMAIN, "issue_id": issue_id})
    assert response.status == HTTPStatus.OK
    form = await response.json()

    async def submit() -> Json:
        response = await client.post(f"{flows}/{form['flow_id']}", json={})
        result: Json = await response.json()
        return result

    return form, submit


async def test_fix_flow_of_a_moved_portal(
    hass: HomeAssistant, portal: Portal, wait: Poll, fix_flow: FixFlow
) -> None:
    """The fix flow names the new host and starts reconfiguration."""
    form, submit = fix_flow
    assert form["step_id"] == "confirm"
    assert form["description_placeholders"]["new_host"] == NEW_HOST
    result = await submit()
    assert result["type"] == "abort"
    assert result["reason"] == "reconfigure"
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == SOURCE_RECONFIGURE
    assert result["next_flow"] == ["config_flow", flow["flow_id"]]
    assert issues(hass).keys() == {"portal_moved"}, "until a poll is answered"
    portal.moved_to = None
    await wait(901)
    assert issues(hass) == {}
    assert state_of(hass, "binary_sensor.main_line_registration") == "on"


async def test_deleted_with_a_disabled_entry(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """An entry that was never loaded is never unloaded, and still deletes its issue."""
    portal.scopes = set()
    entry = await set_up(portal)
    issues = ir.async_get(hass).issues
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert len(issues) == 1
    await hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not issues


async def test_a_revoked_webhook_replaces_an_issue(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """Reauthentication deletes the issue, a transient error does not."""
    issues = ir.async_get(hass).issues
    portal.scopes = set()
    await wait(31)
    assert len(issues) == 1
    fault = portal.fault(FAULTS["nginx_502"])
    await wait(901)
    assert len(issues) == 1
    fault.clear()
    portal.revoke()
    await wait(31)
    assert [key for key in issues if key[0] == DOMAIN] == []


async def test_an_unexpected_exception(hass: HomeAssistant, fix_flow: FixFlow) -> None:
    """The dialog shows an error and can be repeated."""
    _, submit = fix_flow
    with patch.object(
        hass.config_entries.flow, "async_init", side_effect=RuntimeError("no")
    ):
        form = await submit()
    assert form["type"] == "form"
    assert form["errors"] == {"base": "unknown"}
    end = await submit()
    assert end["type"] == "abort"
    assert end["reason"] == "reconfigure"
