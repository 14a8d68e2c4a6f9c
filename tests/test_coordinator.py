"""Polls: their requests, schedule, cost, and errors."""

from itertools import pairwise
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.bitrix24_sip.const import DOMAIN
from custom_components.bitrix24_sip.update_order import EntityContext, UpdateOrder
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

from .conftest import (
    MAIN,
    SALES,
    SUPPORT,
    Poll,
    SetUp,
    asked,
    line_device,
    portal_entity,
    state_of,
)

STATUS = "voximplant.sip.status"
LINES = "voximplant.line.get"
REGISTRATION = "binary_sensor.main_line_registration"


CONNECTOR = "voximplant.sip.connector.status"
OUTGOING = "voximplant.line.outgoing.get"
LINKS = "voximplant.url.get"


async def set_up_with_lines(
    portal: Portal, set_up: SetUp, lines: int
) -> MockConfigEntry:
    """Set up a portal with a number of lines, from "Line 1" with the REG_ID 1 on."""
    portal.lines.clear()
    for reg_id in range(1, lines + 1):
        portal.add_line(reg_id, f"Line {reg_id}")
    return await set_up(portal)


async def test_passwords_are_never_requested(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The method whose answer has SIP passwords is not used."""
    await poll(20)
    asked = {name for request in portal.requests for _, name, _ in request.commands}
    assert asked == {STATUS, LINES, CONNECTOR, OUTGOING, LINKS}


async def test_grace_period_ends_between_polls(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """The state changes at the end of the grace period, without waiting for a poll."""
    await set_up(portal, scan_interval=600, grace_period=60)
    portal.fault(FAULTS["maintenance"])  # the next poll is in ten minutes
    await wait(601)
    assert state_of(hass, REGISTRATION) == "on"
    requests = len(portal.requests)
    await wait(30)
    assert state_of(hass, REGISTRATION) == "on"
    await wait(31)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert state_of(hass, "sensor.main_line_status") == STATE_UNAVAILABLE
    assert len(portal.requests) == requests
    portal.clear_faults()
    await wait(600)
    assert state_of(hass, REGISTRATION) == "on"


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Return level and text of what the integration logged, without debugging."""
    return [
        (record.levelno, record.getMessage())
        for record in caplog.records
        if record.name.startswith("custom_components")
        and record.levelno >= logging.INFO
    ]


async def test_one_warning_and_one_info(
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An outage is logged when it begins and when it ends, not at every poll."""
    caplog.clear()
    fault = portal.fault(FAULTS["nginx_502"])
    await poll(5)
    fault.clear()
    await poll(2)
    (level, begin), end = logged(caplog)
    assert level == logging.WARNING
    assert begin.startswith(
        f"{portal.host}: polling failed: An internal error occurred on {portal.host} (HTTP "
    )
    assert end == (logging.INFO, f"Fetching {portal.host} data recovered")


async def test_one_warning_and_one_info_for_a_line(
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So is a line for which the portal has no status."""
    caplog.clear()
    portal.lines[SALES].unreachable = True
    await poll(4)
    portal.lines[SALES].unreachable = False
    await poll(2)
    (level, begin), end = logged(caplog)
    assert level == logging.WARNING
    assert begin.startswith(
        f"{portal.host}: no status for {SALES}: "
        f"{portal.host} has no status for REG_ID {SALES}. "
    )
    assert end == (logging.INFO, f"{portal.host}: status known again for {SALES}")


async def test_disabled_lines_are_not_polled(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """A line whose entities are all disabled is not polled, also after a restart."""
    registry = er.async_get(hass)
    device = line_device(hass, entry, SALES)
    assert device
    for entity in er.async_entries_for_device(registry, device.id):
        registry.async_update_entity(
            entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.requests.clear()
    await poll()
    assert asked(portal) == [MAIN, SUPPORT]
    assert portal_entity(hass, entry, "registered_lines") == "2"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.requests.clear()
    await poll()
    assert asked(portal) == [MAIN, SUPPORT]


async def test_all_lines_disabled(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The portal is still polled when no line is."""
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        if not entity.unique_id.startswith(f"{entry.entry_id}_2"):
            continue
        registry.async_update_entity(
            entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.requests.clear()
    await poll()
    assert asked(portal) == []
    assert len(portal.requests) == 1
    assert portal_entity(hass, entry, "portal") == "on"


async def test_a_poll_is_one_request(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, poll: Poll
) -> None:
    """One poll of 50 lines is one HTTP request; requests do not run in parallel."""
    for at in range(47):
        portal.add_line(300000 + at, f"Line {at}")
    await set_up(portal)
    portal.requests.clear()
    await poll()
    [request] = portal.requests
    assert request.method == "batch"
    assert len(request.commands) == 50
    assert portal.max_concurrent == 1


async def test_requests_of_an_hour(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """Statuses are due at every poll, the connector hourly, the links once a day.

    The list and the default outgoing line are due every 10 minutes.
    """
    methods = (STATUS, LINES, CONNECTOR, OUTGOING, LINKS)
    before = {method: portal.commands(method) for method in methods}
    requests = len(portal.requests)
    for _ in range(117):
        await wait(31)
    assert portal.commands(STATUS) - before[STATUS] == 117 * 3
    assert portal.commands(LINES) - before[LINES] == 5
    assert portal.commands(OUTGOING) - before[OUTGOING] == 5
    assert portal.commands(CONNECTOR) - before[CONNECTOR] == 1
    assert portal.commands(LINKS) == before[LINKS] == 1
    assert len(portal.requests) - requests == 117


@pytest.mark.parametrize(
    ("lines", "requests"),
    [
        pytest.param(1, 120, id="one"),
        pytest.param(10, 120, id="ten"),
        # For the list, six times, and the connector, once, there is no room in the batch.
        pytest.param(50, 127, id="fifty"),
    ],
)
async def test_cost_of_an_hour(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    wait: Poll,
    lines: int,
    requests: int,
) -> None:
    """120 polls without changes: the requests and the portal's operating time."""
    await set_up_with_lines(portal, set_up, lines)
    before = len(portal.requests), portal.commands(STATUS)
    for _ in range(120):
        await wait(31)
    assert len(portal.requests) - before[0] == requests
    assert portal.commands(STATUS) - before[1] == 120 * lines


@pytest.mark.parametrize(
    ("second", "delay"), [("10.95", 0.05), ("10.00", 0.49)], ids=["early", "late"]
)
async def test_many_lines_stay_within_the_limit(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    wait: Poll,
    freezer: FrozenDateTimeFactory,
    second: str,
    delay: float,
) -> None:
    """300 lines every 30 seconds would exceed the limit, so they are polled less often.

    Home Assistant plans a poll by whole seconds and adds a fraction of one, by chance.
    """
    freezer.move_to(f"2026-11-25T12:00:{second}+00:00")
    entry = await set_up_with_lines(portal, set_up, 300)
    entry.runtime_data._microsecond = delay
    most = 0.0
    for _ in range(120):
        await wait(31)
        most = max(most, portal.operating(STATUS))
        assert portal_entity(hass, entry, "portal") == "on"
    # To the microsecond: what a sum of so many floats has left over depends on its order.
    assert 210 < round(most, 6) <= 0.75 * 420
    assert state_of(hass, "binary_sensor.line_300_registration") == "on"


async def test_connector_fails(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """An error of the connector does not affect the lines."""
    portal.connector.fails = True
    entry = await set_up(portal)
    assert state_of(hass, REGISTRATION) == "on"
    assert portal_entity(hass, entry, "connector_paid") == STATE_UNAVAILABLE
    assert portal_entity(hass, entry, "free_minutes") == STATE_UNAVAILABLE
    portal.connector.fails = False
    await wait(601)
    assert portal_entity(hass, entry, "connector_paid") == "on"
    assert portal_entity(hass, entry, "free_minutes") == "0"


async def test_no_state_is_written_without_a_change(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """A poll without changes writes no state, and updates no entity."""
    portal.operating_cost[STATUS] = 0.15
    updates: list[None] = []
    entry.runtime_data.async_add_listener(lambda: updates.append(None))
    written: list[Event[Any]] = []

    @callback
    def write_down(event: Event[Any]) -> None:
        written.append(event)

    hass.bus.async_listen("state_changed", write_down)
    hass.bus.async_listen(
        "state_reported", write_down, event_filter=callback(lambda _: True)
    )
    await poll(3)
    assert entry.runtime_data.data.operating_time > 1
    assert written == updates == []
    portal.lines[MAIN].drop()
    await poll()
    assert {event.data["entity_id"] for event in written} >= {REGISTRATION}
    assert not any("sales" in event.data["entity_id"] for event in written)


async def test_a_listener_fails(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its exception is logged, and the other listeners are called."""

    @callback
    def fail() -> None:
        raise RuntimeError("no")

    coordinator = entry.runtime_data
    remove = [
        coordinator.async_add_listener(
            fail, EntityContext(UpdateOrder.LINE_DETAILS, reg_id)
        )
        for reg_id in (MAIN, 7)
    ]
    portal.lines[MAIN].drop()
    portal.lines[SALES].drop()
    await poll()
    assert caplog.text.count("Unexpected error updating listener") == 2
    for name in ("main_line", "sales"):
        assert state_of(hass, f"binary_sensor.{name}_registration") == "off"
    for remove_one in remove:
        remove_one()
    caplog.clear()
    portal.lines[MAIN].recover()
    await poll()
    assert "Unexpected" not in caplog.text
    assert state_of(hass, REGISTRATION) == "on"


async def test_recovery_is_seen_soon(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A line that lost its registration is polled every 15 seconds."""
    portal.lines[MAIN].drop()
    await wait(31)
    await wait(6)  # the follow-up of all lines
    portal.requests.clear()
    await wait(16)
    assert asked(portal) == [MAIN]
    portal.lines[MAIN].recover()
    await wait(16)
    assert state_of(hass, REGISTRATION) == "on"
    portal.requests.clear()
    await wait(16)
    assert asked(portal) == []
    await wait(16)
    assert sorted(asked(portal)) == [MAIN, SALES, SUPPORT]


@pytest.mark.parametrize("slug", ["missing_permission", "operation_time"])
async def test_an_early_poll_fails(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll, slug: str
) -> None:
    """Its error affects the lines of that poll only."""
    portal.lines[MAIN].drop()
    await wait(31)
    await wait(6)  # the follow-up of all lines
    portal.fault(FAULTS[slug], method=STATUS, reg_id=MAIN)
    portal.requests.clear()
    await wait(16)
    assert asked(portal) == [MAIN]
    assert portal_entity(hass, entry, "portal") == "on"
    assert state_of(hass, "binary_sensor.sales_registration") == "on"
    refused = STATE_UNAVAILABLE if slug == "missing_permission" else "off"
    assert state_of(hass, REGISTRATION) == refused


async def test_an_unsettled_line_is_polled_early(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """So is a line without a settled status, during its grace period."""
    portal.lines[MAIN].set("in_progress")
    portal.lines[SALES].unreachable = True
    await wait(31)
    portal.requests.clear()
    await wait(16)
    assert sorted(asked(portal)) == [MAIN, SALES]
    assert len(portal.requests) == 1
    for _ in range(5):
        await wait(31)
    assert state_of(hass, "binary_sensor.sales_registration") == STATE_UNAVAILABLE
    portal.requests.clear()
    await wait(16)
    assert asked(portal) == [MAIN], "only the one whose recovery is awaited"


async def test_a_hanging_provider_is_not_a_silent_portal(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """If the provider of the only line hangs, a cheap request checks the portal."""
    entry = await set_up_with_lines(portal, set_up, 1)
    shown = set()
    for _ in range(2):  # in the batch, and on its own; then it rests
        portal.fault(FAULTS["nginx_504"], times=1)
        await wait(31)
        shown.add(portal_entity(hass, entry, "portal"))
        portal.clear_faults()
    for _ in range(4):
        portal.requests.clear()
        await wait(14)
        shown.add(portal_entity(hass, entry, "portal"))
        assert asked(portal) == []
    assert shown == {"on"}
    assert state_of(hass, "binary_sensor.line_1_registration") == "on"
    for _ in range(4):
        await wait(31)
    assert asked(portal) == [1] * 4, "it answers again"
    assert state_of(hass, "binary_sensor.line_1_registration") == "on"


async def test_a_drop_is_followed_by_a_poll_of_all_lines(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """An outage of a provider affects several lines, so all are polled 5 seconds later."""
    portal.lines[MAIN].drop()
    await wait(31)
    portal.lines[SALES].drop()
    portal.requests.clear()
    await wait(6)
    assert len(portal.requests) == 1
    assert sorted(asked(portal)) == [MAIN, SALES, SUPPORT]
    assert state_of(hass, "binary_sensor.sales_registration") == "off"
    await wait(6)
    portal.requests.clear()
    await wait(6)
    assert asked(portal) == [], "once"


async def test_no_follow_up_of_a_single_line(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """There is no poll 5 seconds later if there are no other lines."""
    await set_up_with_lines(portal, set_up, 1)
    portal.lines[1].drop()
    await wait(31)
    portal.requests.clear()
    await wait(6)
    assert asked(portal) == []
    await wait(10)
    assert asked(portal) == [1]


async def test_early_polls_end_after_half_an_hour(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A line that stays down, such as an unused number, is then polled as usual."""
    portal.lines[MAIN].drop()
    await wait(31)
    for _ in range(1800 // 15):
        await wait(15)
    portal.requests.clear()
    for _ in range(8):
        await wait(15)
    assert asked(portal) == [MAIN, SALES, SUPPORT] * 4


async def test_early_polls_begin_anew_with_each_loss(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The half hour begins anew when the registration is lost again."""
    portal.lines[SALES].drop()
    for _ in range(1900 // 15):
        await wait(15)
    portal.lines[SALES].recover()
    await wait(31)
    portal.lines[SALES].drop()
    await wait(31)
    await wait(6)
    portal.requests.clear()
    await wait(16)
    assert asked(portal) == [SALES]


async def test_no_early_polls_of_a_disabled_line(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> None:
    """A line whose entities are all disabled while it is down is not polled again."""
    portal.lines[MAIN].drop()
    await poll()
    await wait(6)  # the follow-up of all lines
    registry = er.async_get(hass)
    device = line_device(hass, entry, MAIN)
    assert device
    for entity in er.async_entries_for_device(registry, device.id):
        registry.async_update_entity(
            entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.requests.clear()
    for _ in range(4):
        await wait(16)
    assert set(asked(portal)) == {SALES, SUPPORT}


async def test_several_lost_lines_share_early_polls(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """All ten are polled every 15 seconds, by one request."""
    await set_up_with_lines(portal, set_up, 10)
    for line in portal.lines.values():
        line.drop()
    await wait(31)
    await wait(6)
    portal.requests.clear()
    for _ in range(4):
        await wait(16)
    assert [len(request.commands) for request in portal.requests] == [10] * 4


async def test_many_lost_lines_take_turns(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """Early polls use half of the operating time; when one is back, all are polled."""
    await set_up_with_lines(portal, set_up, 50)
    for _ in range(21):
        await wait(31)
    for line in portal.lines.values():
        line.drop()
    most, early = 0.0, []
    for _ in range(40):
        portal.requests.clear()
        await wait(15)
        most = max(most, portal.operating(STATUS))
        if len(asked(portal)) not in (0, 50):
            early.append(set(asked(portal)))
    assert most < 0.5 * 480
    assert len(early) >= 18
    assert all(not one & other for one, other in pairwise(early[:2]))
    for line in list(portal.lines.values())[1:]:
        line.recover()
    portal.requests.clear()
    for _ in range(2):
        await wait(15)
    shown = [f"binary_sensor.line_{at}_registration" for at in range(1, 51)]
    assert [state_of(hass, entity_id) for entity_id in shown] == ["off"] + ["on"] * 49


async def test_a_requested_refresh_polls_all_lines(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """A refresh on request updates all lines."""
    assert await async_setup_component(hass, "homeassistant", {})
    portal.lines[MAIN].drop()
    await poll()
    await poll()
    portal.requests.clear()
    await hass.services.async_call(
        "homeassistant", "update_entity", {"entity_id": REGISTRATION}, blocking=True
    )
    assert sorted(asked(portal)) == [MAIN, SALES, SUPPORT]


async def test_polls_slow_down(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> None:
    """Polls are less frequent near the operating time limit, before the portal refuses."""
    portal.operating_limit = 420.0
    portal.operating_cost[STATUS] = 30.0  # with a poll a minute, twice the limit
    portal.requests.clear()
    used = 0.0
    for _ in range(240):
        await wait(15)
        used = max(used, portal.operating(STATUS))
    assert not entry.runtime_data.monitor.telephony.client.statistics.errors
    assert 250 < used < 420
    assert len(asked(portal)) > 3 * 15


@pytest.mark.parametrize(
    ("slug", "seconds"),
    [
        ("query_limit", 60),
        ("operation_time", 60),
        ("retry_after", 300),
        ("maintenance", 600),
        ("missing_scope", 900),
        ("missing_permission", 900),
        ("plan_webhook", 3600),
        ("unknown_method", 3600),
        ("nginx_504", 15),
        ("html_200", 15),
        ("cut", 15),
    ],
)
async def test_next_poll_after_an_error(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    wait: Poll,
    slug: str,
    seconds: int,
) -> None:
    """It depends on the error: soon, at the interval, as the portal says, or slowly."""
    fault = portal.fault(FAULTS[slug])
    await poll()
    fault.clear()
    requests = len(portal.requests)
    await wait(seconds - 2)
    assert len(portal.requests) == requests
    await wait(4)
    assert len(portal.requests) > requests
    assert portal_entity(hass, entry, "portal") == "on"
    assert state_of(hass, REGISTRATION) == "on"


async def test_common_limit_inside_a_batch(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The limit is the error of single commands, and still delays the next poll."""
    portal.operating_cost[STATUS] = 200.0
    await poll()
    portal.operating_limit = 100.0
    entry.runtime_data.monitor.telephony.client.operating.clear()
    await entry.runtime_data.async_refresh()
    assert portal_entity(hass, entry, "portal") == "off"
    assert entry.runtime_data.last_exception.retry_after == 60


async def test_a_revoked_webhook(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> None:
    """Lines are unavailable at once, polling stops, and reauthentication starts."""
    portal.revoke()
    await poll()
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert portal_entity(hass, entry, "connector_paid") == STATE_UNAVAILABLE
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == SOURCE_REAUTH
    requests = len(portal.requests)
    await wait(3601)
    assert len(portal.requests) == requests


async def test_the_connector_after_a_permanent_error(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> None:
    """It is asked again as soon as the portal answers, not up to an hour later."""
    portal.fault(FAULTS["missing_scope"])
    await poll()
    assert portal_entity(hass, entry, "connector_paid") == STATE_UNAVAILABLE
    portal.clear_faults()
    await wait(901)
    assert state_of(hass, REGISTRATION) == "on"
    assert portal_entity(hass, entry, "connector_paid") == "on"


async def test_a_transient_error_becomes_permanent(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """A permanent error takes effect at once, even during an outage."""
    fault = portal.fault(FAULTS["nginx_502"])
    await poll()
    assert state_of(hass, REGISTRATION) == "on"
    fault.clear()
    portal.deleted = True
    await poll()
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE


async def test_a_lost_batch_is_followed_up(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll, poll: Poll
) -> None:
    """The lines of a lost batch are polled one by one 15 seconds later."""
    for at in range(57):
        portal.add_line(300000 + at, f"Line {at}")
    entry = await set_up(portal)
    portal.fault(FAULTS["nginx_504"], times=1)
    await poll()
    assert portal_entity(hass, entry, "portal") == "on"
    assert portal_entity(hass, entry, "registered_lines") == "60"
    portal.requests.clear()
    await wait(16)
    assert len(portal.requests) == 50
    portal.requests.clear()
    await poll()
    assert len(portal.requests) == 2
