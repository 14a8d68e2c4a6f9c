"""The event entity of a line: lost and restored, once per settled change."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    mock_restore_cache_with_extra_data,
)

from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.util import dt as dt_util

from .conftest import MAIN, Poll, SetUp, state_of

EVENT = "event.main_line_registration_change"


@pytest.fixture
def fired(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Provide the attributes of each change of the event's state."""
    fired: list[dict[str, Any]] = []

    @callback
    def note(event: Event[Any]) -> None:
        new, old = event.data["new_state"], event.data["old_state"]
        quiet = (STATE_UNAVAILABLE, STATE_UNKNOWN)
        if event.data["entity_id"] == EVENT and new and new.state not in quiet:
            assert old
            fired.append(dict(new.attributes))

    hass.bus.async_listen("state_changed", note)
    return fired


async def test_lost_and_restored(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[dict[str, Any]],
    poll: Poll,
    wait: Poll,
) -> None:
    """The event has the reason and the downtime."""
    assert state_of(hass, EVENT) == STATE_UNKNOWN
    portal.lines[MAIN].drop(403, "Forbidden")
    await poll(2)
    assert len(fired) == 1
    assert fired[0]["event_type"] == "lost"
    assert fired[0]["reg_id"] == str(MAIN), "the frontend would group a number's digits"
    assert fired[0]["status"] == "error"
    assert fired[0]["status_code"] == 403
    assert fired[0]["error_message"] == "Forbidden"
    assert fired[0]["cause"] == "forbidden"
    assert "downtime" not in fired[0]
    portal.lines[MAIN].recover()
    await wait(16)
    assert len(fired) == 2
    assert fired[1]["event_type"] == "restored"
    assert fired[1]["downtime"] == 61 + 16
    assert "cause" not in fired[1]
    await poll(3)
    assert len(fired) == 2


async def test_no_event_within_the_grace_period(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[dict[str, Any]],
    poll: Poll,
) -> None:
    """Unsettled statuses, an outage and a missing status fire no event."""
    portal.lines[MAIN].set("in_progress")
    await poll()
    portal.lines[MAIN].recover()
    await poll()
    fault = portal.fault(FAULTS["nginx_502"])
    await poll(5)
    fault.clear()
    await poll()
    portal.lines[MAIN].unreachable = True
    await poll(5)
    portal.lines[MAIN].unreachable = False
    await poll()
    assert fired == []
    assert state_of(hass, EVENT) == STATE_UNKNOWN


async def test_lost_during_an_outage(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[dict[str, Any]],
    poll: Poll,
) -> None:
    """A loss during an outage of the portal fires when the portal answers again."""
    fault = portal.fault(FAULTS["nginx_502"])
    await poll(5)
    portal.lines[MAIN].drop()
    fault.clear()
    await poll()
    assert [event["event_type"] for event in fired] == ["lost"]


async def test_in_progress_for_too_long(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[dict[str, Any]],
    poll: Poll,
    wait: Poll,
) -> None:
    """The end of the grace period also counts as a settled change."""
    portal.lines[MAIN].set("in_progress", None, None)
    await poll()
    await wait(121)
    assert [event["event_type"] for event in fired] == ["lost"]
    assert (fired[0]["status"], fired[0]["cause"]) == ("in_progress", "no_answer")


async def test_no_event_at_start_or_reload(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    fired: list[dict[str, Any]],
    poll: Poll,
) -> None:
    """A line that is down from the start fires no event, also after a reload."""
    portal.lines[MAIN].drop()
    entry = await set_up(portal)
    await poll(2)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await poll(2)
    assert fired == []
    portal.lines[MAIN].recover()
    await poll()
    assert [event["event_type"] for event in fired] == ["restored"]
    assert fired[0]["downtime"] is None, "since when it was down is not known"


async def test_downtime_across_a_restart(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    fired: list[dict[str, Any]],
    poll: Poll,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The downtime includes the time before a restart."""
    failed_at = dt_util.utcnow() - timedelta(hours=1)
    state = State(EVENT, failed_at.isoformat(timespec="milliseconds"))
    stored = {"last_event_type": "lost", "last_event_attributes": {}}
    mock_restore_cache_with_extra_data(hass, [(state, stored)])
    portal.lines[MAIN].drop()
    await set_up(portal)
    portal.lines[MAIN].recover()
    await poll()
    assert [event["event_type"] for event in fired] == ["restored"]
    assert 3600 <= fired[0]["downtime"] <= 3700


async def test_unknown_at_the_start(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    fired: list[dict[str, Any]],
    poll: Poll,
) -> None:
    """The first known state of a line is no change."""
    portal.lines[MAIN].unreachable = True
    await set_up(portal)
    portal.lines[MAIN].unreachable = False
    portal.lines[MAIN].drop()
    await poll(2)
    assert fired == []


async def test_removed_line(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The event entity is removed with its line."""
    portal.remove_line(MAIN)
    for _ in range(4):
        await wait(601)
    assert hass.states.get(EVENT) is None
