"""The event of a portal: incidents, in the entity and on the event bus."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
    mock_restore_cache_with_extra_data,
)

from custom_components.bitrix24_sip.const import DOMAIN, EVENT_INCIDENT
from custom_components.bitrix24_sip.incidents import IncidentTracker
from dev.portal import Portal
from dev.portal.faults import FAULTS, Result
from homeassistant.core import Event, HomeAssistant, State
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.json import json_dumps
from homeassistant.helpers.restore_state import async_get
from homeassistant.util import dt as dt_util
from homeassistant.util.json import json_loads_object

from .conftest import MAIN, SALES, SUPPORT, Poll, SetUp, line_device, state_of


@pytest.fixture
def fired(hass: HomeAssistant) -> list[Event[Any]]:
    """Provide what is fired on the event bus."""
    return async_capture_events(hass, EVENT_INCIDENT)


def incident_of(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    """Return the entity of a portal's incidents."""
    entity_id = er.async_get(hass).async_get_entity_id(
        "event", DOMAIN, f"{entry.entry_id}_incident"
    )
    assert entity_id
    return entity_id


def attributes_of(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Return the attributes of the latest event."""
    state = hass.states.get(incident_of(hass, entry))
    assert state is not None
    return dict(state.attributes)


def types(fired: list[Event[Any]]) -> list[str]:
    """Return the types of what was fired."""
    return [event.data["event_type"] for event in fired]


async def test_began_grew_and_ended(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[Event[Any]],
    poll: Poll,
    wait: Poll,
) -> None:
    """With the lines, what they have in common, and how long it took."""
    assert state_of(hass, incident_of(hass, entry)) == "unknown"
    portal.lines[MAIN].drop(403, "Forbidden")
    await poll()
    assert fired == [], "the follow-up poll is still to come"
    portal.lines[SALES].drop(403, "Forbidden")
    await wait(6)
    began = attributes_of(hass, entry)
    assert began["event_type"] == "began"
    assert began["lines"] == ["Main line", "Sales"]
    assert began["reg_ids"] == [str(MAIN), str(SALES)]
    assert began["back"] == []
    devices = [line_device(hass, entry, reg_id) for reg_id in (MAIN, SALES)]
    assert began["device_ids"] == [device.id for device in devices if device]
    assert len(began["lost_at"]) == 2
    assert (began["status_code"], began["error_message"]) == (403, "Forbidden")
    assert began["cause"] == "forbidden"
    assert began["unstable"] == []
    assert began["default_outgoing_line"] == "Main line"
    assert "duration" not in began
    portal.lines[SUPPORT].drop(503, "Service Unavailable")
    await poll(2)
    grew = attributes_of(hass, entry)
    assert grew["event_type"] == "grew"
    assert grew["lines"] == ["Main line", "Sales", "Support"]
    assert grew["new_lines"] == ["Support"]
    assert (grew["status_code"], grew["cause"]) == (None, None)
    for line in portal.lines.values():
        line.recover()
    await wait(16)
    await wait(119)
    assert types(fired) == ["began", "grew"]
    await wait(1)
    ended = attributes_of(hass, entry)
    assert ended["event_type"] == "ended"
    assert ended["reg_ids"] == [str(MAIN), str(SALES), str(SUPPORT)]
    assert ended["duration"] == 6 + 61 + 61 + 16
    assert ended["default_outgoing_line"] == "Main line"
    assert types(fired) == ["began", "grew", "ended"]
    assert fired[2].data["entity_id"] == incident_of(hass, entry)
    assert fired[2].data["duration"] == ended["duration"]


async def test_a_loss_after_which_nothing_changes(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[Event[Any]],
    poll: Poll,
    wait: Poll,
) -> None:
    """The follow-up poll brings nothing new, so the loss is told without it."""
    portal.lines[MAIN].drop()
    await poll()
    await wait(6)
    assert fired == []
    await wait(5)
    assert types(fired) == ["began"]


async def test_names_are_those_of_the_devices(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """A line is told by the name that the user gave to it."""
    device = line_device(hass, entry, MAIN)
    assert device
    dr.async_get(hass).async_update_device(device.id, name_by_user="Reception")
    portal.lines[MAIN].drop()
    await poll(2)
    assert attributes_of(hass, entry)["lines"] == ["Reception"]


@pytest.mark.parametrize(
    ("outgoing", "told"),
    [
        pytest.param(f"reg{SALES}", "Sales", id="a line of the incident"),
        pytest.param(f"reg{MAIN}", None, id="another line"),
        pytest.param("sip12", None, id="no SIP registration"),
        pytest.param(None, None, id="unknown"),
    ],
)
async def test_the_default_outgoing_line(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    fired: list[Event[Any]],
    poll: Poll,
    outgoing: str | None,
    told: str | None,
) -> None:
    """It is named in the incident if the incident has taken it."""
    if outgoing is None:
        portal.fault(Result(None), method="voximplant.line.outgoing.get")
    portal.outgoing = outgoing
    entry = await set_up(portal)
    portal.lines[SALES].drop()
    portal.lines[SUPPORT].drop()
    await poll(2)
    assert attributes_of(hass, entry)["default_outgoing_line"] == told
    assert fired[0].data["default_outgoing_line"] == told


async def test_the_course_of_an_incident(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[Event[Any]],
    poll: Poll,
    wait: Poll,
) -> None:
    """It is shown which lines are back and lost again, and that is written once."""
    line, device = portal.lines[MAIN], line_device(hass, entry, MAIN)
    assert device
    line.drop()
    await poll(2)
    line.recover()
    await wait(16)
    back_at = dt_util.utcnow().isoformat()
    course = {"back": ["Main line"], "back_at": {device.id: back_at}}
    assert attributes_of(hass, entry).items() >= course.items()
    assert types(fired) == ["began"]
    line.drop()
    await wait(61)
    relapsed_at = dt_util.utcnow().isoformat()
    course |= {"back": [], "relapsed_at": {device.id: relapsed_at}}
    assert attributes_of(hass, entry).items() >= course.items()
    assert types(fired) == ["began", "continues"]
    assert fired[1].data.items() >= course.items()
    for act in (line.recover, line.drop):
        act()
        await poll()
    assert attributes_of(hass, entry).items() >= course.items()
    assert types(fired) == ["began", "continues"]
    before = hass.states.get(incident_of(hass, entry))
    await poll(2)
    after = hass.states.get(incident_of(hass, entry))
    assert before and after
    assert after.last_reported == before.last_reported
    line.recover()
    await wait(16)
    await wait(601)
    assert types(fired) == ["began", "continues", "ended"]
    del course["back"]
    assert attributes_of(hass, entry).items() >= course.items()


async def test_ends_without_a_poll(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    fired: list[Event[Any]],
    wait: Poll,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Also where the portal is polled once an hour only."""
    await set_up(portal, scan_interval=3600)
    portal.lines[MAIN].drop()
    await wait(3601)
    await wait(6)
    portal.lines[MAIN].recover()
    await wait(16)
    assert types(fired) == ["began"]
    await wait(121)
    assert types(fired) == ["began", "ended"]


async def test_reload(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    fired: list[Event[Any]],
    poll: Poll,
) -> None:
    """What stood is not told again; an open incident goes on, and ends."""
    portal.lines[SUPPORT].drop()
    entry = await set_up(portal)
    portal.lines[MAIN].drop()
    await poll(2)
    before = attributes_of(hass, entry)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await poll(2)
    assert types(fired) == ["began", "continues"]
    assert fired[1].data["reg_ids"] == [str(MAIN)]
    assert attributes_of(hass, entry) == before
    portal.lines[MAIN].recover()
    await poll(4)
    assert types(fired) == ["began", "continues", "ended"]


async def test_unload_in_the_middle(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[Event[Any]],
    wait: Poll,
    poll: Poll,
) -> None:
    """No timer outlives the unload, and the end is told when it is loaded again."""
    portal.lines[MAIN].drop()
    await poll(2)
    portal.lines[MAIN].recover()
    await wait(16)
    await hass.config_entries.async_unload(entry.entry_id)
    await wait(600)
    assert types(fired) == ["began"]
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await poll()
    assert types(fired)[-1] == "ended"
    assert fired[-1].data["duration"] == 61 + 16


async def test_restart(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    fired: list[Event[Any]],
    poll: Poll,
    freezer: FrozenDateTimeFactory,
) -> None:
    """What Home Assistant stores is enough to end an incident after a restart."""
    entry = await set_up(portal)
    entity_id = incident_of(hass, entry)
    portal.lines[MAIN].drop()
    await poll(2)
    await hass.services.async_call(
        DOMAIN,
        "acknowledge_incident",
        {"entity_id": entity_id, "mute_for": {"hours": 8}},
        blocking=True,
    )
    assert attributes_of(hass, entry)["acknowledged"] is False
    await hass.services.async_call(
        DOMAIN, "acknowledge_incident", {"entity_id": entity_id}, blocking=True
    )
    (stored,) = (
        json_loads_object(json_dumps(item.as_dict()))
        for item in async_get(hass).async_get_stored_states()
        if item.state.entity_id == entity_id
    )
    await hass.config_entries.async_unload(entry.entry_id)
    state, extra_data = stored["state"], stored["extra_data"]
    assert isinstance(state, dict)
    assert isinstance(extra_data, dict)
    restored = State.from_dict(state)
    assert restored
    mock_restore_cache_with_extra_data(hass, [(restored, extra_data)])
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    attributes = attributes_of(hass, entry)
    assert attributes["event_type"] == "began"
    assert attributes["acknowledged"] is True
    assert attributes["muted_until"] is not None
    portal.lines[MAIN].recover()
    await poll(4)
    assert types(fired)[-1] == "ended"


async def test_silence_of_the_portal(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[Event[Any]],
    poll: Poll,
) -> None:
    """Neither begins nor ends an incident; what was lost behind it is told."""
    fault = portal.fault(FAULTS["nginx_502"])
    await poll(6)
    assert fired == []
    portal.lines[MAIN].drop()
    fault.clear()
    await poll(3)
    assert types(fired) == ["began"]
    fault = portal.fault(FAULTS["nginx_502"])
    await poll(10)
    assert types(fired) == ["began"]
    fault.clear()
    portal.lines[MAIN].recover()
    await poll(4)
    assert types(fired) == ["began", "ended"]


async def test_a_disabled_line_leaves_the_incident(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    fired: list[Event[Any]],
    poll: Poll,
    disable_line: Callable[[MockConfigEntry, int], None],
) -> None:
    """A line that is no longer monitored does not keep it open."""
    portal.lines[MAIN].drop()
    portal.lines[SALES].drop()
    await poll(2)
    disable_line(entry, MAIN)
    portal.lines[SALES].recover()
    await poll(5)
    assert types(fired)[-1] == "ended"
    assert fired[-1].data["reg_ids"] == [str(SALES)]


async def test_acknowledge(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    freezer: FrozenDateTimeFactory,
) -> None:
    """It holds for one incident; muting lasts as long as was said."""
    portal.lines[MAIN].drop()
    await poll(2)
    assert attributes_of(hass, entry)["acknowledged"] is False
    target = {"entity_id": incident_of(hass, entry)}
    await hass.services.async_call(
        DOMAIN, "acknowledge_incident", target, blocking=True
    )
    assert attributes_of(hass, entry)["acknowledged"] is True
    assert attributes_of(hass, entry)["muted_until"] is None
    portal.lines[MAIN].recover()
    await poll(4)
    portal.lines[SALES].drop()
    await poll(2)
    assert attributes_of(hass, entry)["acknowledged"] is False


async def test_acknowledge_is_for_incidents_only(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """The event of a line, which an area may hold as well, is left alone."""
    line = "event.main_line_registration_change"
    before = hass.states.get(line)
    await hass.services.async_call(
        DOMAIN, "acknowledge_incident", {"entity_id": line}, blocking=True
    )
    assert hass.states.get(line) == before


async def test_an_unforeseen_exception(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged once, shown, and everything else goes on; losses are told after it."""

    def fail(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(IncidentTracker, "update", fail)
        for reg_id in (SUPPORT, MAIN):
            portal.lines[reg_id].drop()
            await poll(2)
        assert state_of(hass, "binary_sensor.main_line_registration") == "off"
        assert caplog.text.count("Unexpected error updating") == 1
        assert state_of(hass, incident_of(hass, entry)) == "unavailable"
    portal.lines[SALES].drop()
    await poll(2)
    assert attributes_of(hass, entry)["reg_ids"] == [
        str(reg_id) for reg_id in (MAIN, SALES, SUPPORT)
    ]


async def test_an_idle_poll_writes_nothing(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """As long as nothing happens, the state is not written."""
    entity_id = incident_of(hass, entry)
    before = hass.states.get(entity_id)
    await poll(3)
    after = hass.states.get(entity_id)
    assert before and after
    assert after.last_reported == before.last_reported


async def test_a_line_that_goes_on_and_off(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Its own event says from the fourth loss on that it is unstable."""
    unstable = []
    for at in range(8):
        portal.lines[MAIN].drop() if at % 2 == 0 else portal.lines[MAIN].recover()
        freezer.tick(timedelta(seconds=61))
        async_fire_time_changed(hass)
        await hass.async_block_till_done(wait_background_tasks=True)
        state = hass.states.get("event.main_line_registration_change")
        assert state
        unstable.append(state.attributes["unstable"])
    assert unstable == [False] * 6 + [True] * 2
