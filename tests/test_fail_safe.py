"""No error, expected or not, leaves a line shown as registered or outlives its entry."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    mock_restore_cache_with_extra_data,
)

from custom_components.bitrix24_sip.bitrix24 import Telephony
from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import FAULTS, ErrorReply, Hold, Result
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

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
    until,
)

STATUS = "voximplant.sip.status"
LINES = "voximplant.line.get"
REGISTRATION = "binary_sensor.main_line_registration"


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the errors in the log."""
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "exception",
    [
        RuntimeError("no"),
        KeyError(MAIN),
        TimeoutError(),
        NotImplementedError(),
        asyncio.CancelledError(),
    ],
    ids=lambda exception: type(exception).__name__,
)
async def test_an_unexpected_exception_in_a_poll(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    exception: BaseException,
) -> None:
    """Lines have a grace period, the portal is off, and polling recovers by itself."""
    caplog.clear()
    true_poll = Telephony.poll

    async def fail(*_: Any, **__: Any) -> None:
        raise exception

    monkeypatch.setattr(Telephony, "poll", fail)
    await wait(31)
    assert portal_entity(hass, entry, "portal") == "off"
    assert state_of(hass, REGISTRATION) == "on"
    for _ in range(10):
        await wait(31)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert state_of(hass, "sensor.main_line_status") == STATE_UNAVAILABLE
    assert portal_entity(hass, entry, "portal") == "off"
    assert len(errors(caplog)) == 1
    assert sum(record.exc_info is not None for record in caplog.records) == 1
    monkeypatch.setattr(Telephony, "poll", true_poll)
    await wait(31)
    assert portal_entity(hass, entry, "portal") == "on"
    assert state_of(hass, REGISTRATION) == "on"
    monkeypatch.setattr(Telephony, "poll", fail)
    await wait(31)
    assert len(errors(caplog)) == 2, "the next outage is logged again"


@pytest.mark.parametrize(
    ("method", "polls", "logs"),
    [
        # The exception itself cannot be recorded: the grace period has to end.
        ("grace.LineTracker.record", 6, 2),
        ("lines.Roster.show", 1, 1),
    ],
)
async def test_an_unexpected_exception_after_the_answer(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
    polls: int,
    logs: int,
) -> None:
    """No line stays on, and the portal is not shown as connected."""
    caplog.clear()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(f"custom_components.bitrix24_sip.{method}", fail)
        for _ in range(polls - 1):
            await wait(31)
        for _ in range(3):
            await wait(31)
            assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
            assert portal_entity(hass, entry, "portal") == "off"
        assert len(errors(caplog)) == logs
    await wait(31)
    assert state_of(hass, REGISTRATION) == "on"
    assert portal_entity(hass, entry, "portal") == "on"


async def test_a_refresh_that_is_cancelled(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A cancelled refresh does not count as a failure of the portal."""
    caplog.clear()
    released = asyncio.Event()
    portal.fault(Hold(released), times=1)
    requests = len(portal.requests)
    refresh = asyncio.create_task(entry.runtime_data.async_refresh())
    await until(lambda: len(portal.requests) > requests)
    refresh.cancel()
    with pytest.raises(asyncio.CancelledError):
        await refresh
    released.set()
    assert portal_entity(hass, entry, "portal") == "on"
    assert not errors(caplog)
    portal.lines[MAIN].drop()
    await wait(31)
    assert state_of(hass, REGISTRATION) == "off"


async def test_unloaded_at_the_moment_of_the_answer(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer that arrives together with the unload is ignored."""
    coordinator = entry.runtime_data
    shown = coordinator.data
    true_poll = Telephony.poll

    async def poll(*args: Any, **kwargs: Any) -> Any:
        answers = await true_poll(*args, **kwargs)
        await coordinator.async_shutdown()
        return answers

    monkeypatch.setattr(Telephony, "poll", poll)
    portal.lines[MAIN].drop()
    await coordinator.async_refresh()
    assert coordinator.data is shown
    assert not coordinator.last_update_success


async def test_an_unexpected_exception_at_the_end_of_a_grace_period(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The update between two polls also fails safe."""
    portal.fault(FAULTS["retry_after"])  # the next poll is in 300 seconds
    await wait(31)
    assert state_of(hass, REGISTRATION) == "on"

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("custom_components.bitrix24_sip.grace.LineTracker.state", fail)
    await wait(121)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE


async def test_an_entity_that_cannot_read_its_value(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It becomes unavailable instead of keeping its state, and logs that once."""
    caplog.clear()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(
            "custom_components.bitrix24_sip.binary_sensor.LineBinarySensor._read", fail
        )
        for _ in range(3):
            portal.lines[SUPPORT].drop()
            await wait(31)
            portal.lines[SUPPORT].recover()
            await wait(31)
        assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
        assert portal_entity(hass, entry, "portal") == "on"
        assert len(errors(caplog)) == 3, "one for each line"
    portal.lines[SUPPORT].drop()
    await wait(31)
    assert state_of(hass, REGISTRATION) == "on"


async def test_a_poll_that_never_ends(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    monkeypatch: pytest.MonkeyPatch,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A poll that exceeds every time limit is cancelled, and counts as failed."""

    async def hang(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    async def hanging_poll() -> None:
        freezer.tick(timedelta(seconds=31))
        async_fire_time_changed(hass)
        for _ in range(10):
            await asyncio.sleep(0)
        freezer.tick(timedelta(seconds=61))
        await hass.async_block_till_done(wait_background_tasks=True)

    with monkeypatch.context() as patch:
        patch.setattr(Telephony, "poll", hang)
        await hanging_poll()
        assert portal_entity(hass, entry, "portal") == "off"
        for _ in range(3):
            await hanging_poll()
        assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    await wait(31)
    assert state_of(hass, REGISTRATION) == "on"


async def test_a_line_is_replaced_while_the_portal_fails(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The list replaces a line by another one, whose first request fails."""
    portal.remove_line(SALES)
    await wait(601)
    portal.add_line(201010, "Warehouse")
    portal.fault(FAULTS["nginx_504"], skip=1)
    await wait(601)
    assert portal_entity(hass, entry, "portal") == "on"
    assert state_of(hass, REGISTRATION) == "on"
    portal.clear_faults()
    await wait(31)
    assert state_of(hass, "binary_sensor.warehouse_registration") == "on"


@pytest.mark.parametrize("slug", ["nginx_502", "missing_scope", "nginx_504"])
async def test_a_new_line_whose_request_fails(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll, slug: str
) -> None:
    """The error affects the new line only."""
    portal.add_line(201010, "Warehouse")
    portal.lines[SUPPORT].drop()
    portal.fault(FAULTS[slug], skip=1)
    await wait(601)
    assert portal_entity(hass, entry, "portal") == "on"
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, "binary_sensor.support_registration") == "off"
    assert state_of(hass, "binary_sensor.warehouse_registration") == STATE_UNAVAILABLE
    portal.clear_faults()
    await wait(31)
    assert state_of(hass, "binary_sensor.warehouse_registration") == "on"


@pytest.mark.parametrize("listed", [{}, {f"reg{MAIN}": "Main line"}])
async def test_a_wrong_list_removes_no_line_that_answers(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    listed: dict[str, str],
) -> None:
    """A line with a status stays, however long the list lacks it."""
    portal.fault(Result(listed or []), method=LINES)
    for _ in range(30):
        await wait(601)
    for reg_id in (MAIN, SALES, SUPPORT):
        assert line_device(hass, entry, reg_id)
    assert state_of(hass, "binary_sensor.sales_registration") == "on"


async def test_a_line_is_removed_after_half_an_hour(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """It is not removed sooner, and only if its own status is not answered meanwhile."""
    portal.remove_line(SALES)
    for _ in range(3):
        await wait(601)
        assert line_device(hass, entry, SALES)
    await wait(601)
    assert line_device(hass, entry, SALES) is None
    assert hass.states.get("binary_sensor.sales_registration") is None
    assert portal_entity(hass, entry, "registered_lines") == "2"


async def test_an_answer_restarts_the_half_hour(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A line that the list lacks stays if it answers now and then."""
    portal.lines[SALES].listed = False
    for _ in range(8):
        portal.lines[SALES].unreachable = True
        await wait(601)
        await wait(601)
        portal.lines[SALES].unreachable = False
        await wait(601)
    assert line_device(hass, entry, SALES)


async def test_two_lists_in_quick_succession_remove_nothing(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """Two lists that lack a line have to be at least half an hour apart."""
    portal.remove_line(SALES)
    await wait(601)
    for _ in range(20):
        await wait(31)
    assert line_device(hass, entry, SALES)


async def test_the_last_line_is_not_removed(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """An empty list removes no line; the user deletes the devices."""
    portal.lines.clear()
    for _ in range(10):
        await wait(601)
    assert line_device(hass, entry, MAIN)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE


async def test_a_disabled_line_is_polled_before_it_is_removed(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    disable_line: Callable[[MockConfigEntry, int], None],
) -> None:
    """A line that is not polled is not removed for a missing answer."""
    disable_line(entry, SALES)
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.lines[SALES].listed = False
    for _ in range(6):
        await wait(601)
    assert line_device(hass, entry, SALES)
    portal.remove_line(SALES)
    for _ in range(6):
        await wait(601)
    assert line_device(hass, entry, SALES) is None


async def test_a_line_that_the_list_lacks_can_be_deleted(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    delete_device: Callable[[MockConfigEntry, dr.DeviceEntry], Any],
) -> None:
    """The user can delete it without waiting, and it does not return."""
    device = line_device(hass, entry, SALES)
    assert device
    assert not await delete_device(entry, device), "the list has it"
    portal.remove_line(SALES)
    await wait(601)
    assert await delete_device(entry, device)
    await wait(31)
    assert line_device(hass, entry, SALES) is None
    assert portal_entity(hass, entry, "registered_lines") == "2"
    portal.add_line(SALES, "Sales")
    await wait(601)
    assert line_device(hass, entry, SALES), "it is back on the portal"
    await wait(31)
    assert state_of(hass, "binary_sensor.sales_registration") == "on"


@pytest.mark.parametrize("how", ["unload", "reload"])
@pytest.mark.parametrize("slug", [None, "missing_scope", "nginx_502"])
async def test_unloaded_during_a_requested_refresh(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    wait: Poll,
    caplog: pytest.LogCaptureFixture,
    how: str,
    slug: str | None,
) -> None:
    """After the unload there are no timers, issues, requests, or errors."""
    assert await async_setup_component(hass, "homeassistant", {})
    for at in range(57):
        portal.add_line(300000 + at, f"Line {at}")
    entry = await set_up(portal)
    coordinator = entry.runtime_data
    released = asyncio.Event()
    portal.fault(Hold(released), skip=1)
    if slug:
        portal.fault(FAULTS[slug], skip=1)
    caplog.clear()
    requests = len(portal.requests)
    refresh = hass.async_create_task(
        hass.services.async_call(
            "homeassistant", "update_entity", {"entity_id": REGISTRATION}, blocking=True
        )
    )
    await until(lambda: len(portal.requests) == requests + 2)
    if how == "unload":
        assert await hass.config_entries.async_unload(entry.entry_id)
    else:
        portal.clear_faults()
        assert await hass.config_entries.async_reload(entry.entry_id)
    requests = len(portal.requests)
    released.set()
    await refresh
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(portal.requests) == requests
    assert not errors(caplog)
    assert not ir.async_get(hass).issues
    assert coordinator.update_interval is None
    state = state_of(hass, REGISTRATION)
    assert state == (STATE_UNAVAILABLE if how == "unload" else "on")


async def test_grace_period_after_an_outage(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A registration in progress after a long outage has a grace period of its own."""
    fault = portal.fault(FAULTS["nginx_502"])
    for _ in range(8):
        await wait(31)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    fault.clear()
    portal.lines[MAIN].set("in_progress")
    await wait(31)
    assert state_of(hass, REGISTRATION) == STATE_UNKNOWN
    await wait(61)
    assert state_of(hass, REGISTRATION) == STATE_UNKNOWN
    portal.lines[MAIN].recover()
    await wait(31)
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, "event.main_line_registration_change") == STATE_UNKNOWN


async def test_log_of_a_removed_line(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log reports the removal, and nothing about the line afterwards."""
    portal.remove_line(SALES)
    caplog.set_level(logging.INFO)
    for _ in range(4):
        await wait(601)
    messages = [r.getMessage() for r in caplog.records if DOMAIN in r.name]
    [gone] = [at for at, text in enumerate(messages) if "no longer" in text]
    assert str(SALES) in messages[gone]
    assert not [text for text in messages[gone + 1 :] if str(SALES) in text]


async def test_a_refresh_during_an_early_poll_polls_all_lines(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A refresh that is requested during a poll of some lines polls all lines."""
    assert await async_setup_component(hass, "homeassistant", {})
    portal.lines[MAIN].drop()
    await wait(31)
    await wait(6)  # the follow-up of all lines
    released = asyncio.Event()
    portal.fault(Hold(released), times=1)
    portal.requests.clear()
    freezer.tick(timedelta(seconds=16))
    async_fire_time_changed(hass)
    await until(lambda: bool(portal.requests))
    assert asked(portal) == [MAIN], "the early poll runs"
    await hass.services.async_call(
        "homeassistant", "update_entity", {"entity_id": REGISTRATION}, blocking=True
    )
    released.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.requests.clear()
    await wait(2)
    assert sorted(asked(portal)) == [MAIN, SALES, SUPPORT]


async def test_the_clock_was_wrong_when_a_line_was_lost(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    wait: Poll,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A downtime is never negative; where it cannot be known, it is None."""
    event = "event.main_line_registration_change"
    lost_at = dt_util.utcnow() + timedelta(days=1)
    state = State(event, lost_at.isoformat(timespec="milliseconds"))
    stored = {"last_event_type": "lost", "last_event_attributes": {}}
    mock_restore_cache_with_extra_data(hass, [(state, stored)])
    portal.lines[MAIN].drop()
    await set_up(portal)
    portal.lines[MAIN].recover()
    await wait(31)
    shown = hass.states.get(event)
    assert shown
    assert shown.attributes["event_type"] == "restored"
    assert shown.attributes["downtime"] is None


async def test_the_name_of_a_line_without_title_follows_the_language(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """A manually added REG_ID without a title is named in the present language."""
    portal.add_line(201020, "Hidden").listed = False
    entry = await set_up(portal, reg_ids=[201020])
    device = line_device(hass, entry, 201020)
    assert device
    assert device.name == "SIP line 201020"
    hass.config.language = "de"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    device = line_device(hass, entry, 201020)
    assert device
    assert device.name == "SIP-Leitung 201020"


async def test_removing_a_device_of_an_entry_that_is_not_loaded(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    delete_device: Callable[[MockConfigEntry, dr.DeviceEntry], Any],
) -> None:
    """The lines are unknown then, so no device can be deleted."""
    device = line_device(hass, entry, SALES)
    assert device
    await hass.config_entries.async_unload(entry.entry_id)
    assert not await delete_device(entry, device)


async def test_no_timer_outlives_home_assistant(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The timer for the end of a grace period is cancelled at shutdown."""
    portal.fault(ErrorReply("ERROR_CORE", "", 500))
    await wait(31)
    await hass.async_stop()
    loop = hass.loop
    pending = [
        handle
        for handle in loop._scheduled  # type: ignore[attr-defined]
        if not handle.cancelled() and "bitrix24_sip" in repr(handle)
    ]
    assert pending == []
