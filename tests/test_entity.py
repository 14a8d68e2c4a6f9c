"""The entities' states and unique IDs."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.bitrix24_sip import PLATFORMS
from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_component import async_update_entity

from .conftest import (
    MAIN,
    SALES,
    SUPPORT,
    Poll,
    SetUp,
    make_entry,
    portal_entity,
    state_of,
)

REGISTRATION = "binary_sensor.main_line_registration"
PROBLEM = "sensor.main_line_problem"


@pytest.mark.parametrize("platform", [str(platform) for platform in PLATFORMS])
@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_entities(
    hass: HomeAssistant,
    portal: Portal,
    platform: str,
    snapshot: SnapshotAssertion,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The entities of each line and of the portal."""
    freezer.move_to("2026-11-01T12:00:00+00:00")
    portal.lines[SALES].drop()
    portal.lines[SUPPORT].set("in_progress", None, None)
    entry = MockConfigEntry(
        domain=DOMAIN,
        entry_id="01JTESTENTRY",
        title="acme.bitrix24.com",
        data=make_entry(portal).data,
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    seen = []
    for entity in sorted(entities, key=lambda entity: entity.entity_id):
        if entity.domain == platform:
            state = hass.states.get(entity.entity_id)
            assert state
            seen.append(
                {
                    "entity_id": entity.entity_id,
                    "unique_id": entity.unique_id,
                    "category": str(entity.entity_category),
                    "state": state.state,
                    "attributes": {str(k): v for k, v in state.attributes.items()},
                }
            )
    assert seen == snapshot


async def test_entities_that_are_disabled(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """What few people need, and what the problem tells as well, is disabled."""
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert {e.translation_key for e in entities if e.disabled_by} == {
        "downtime_30d",
        "error_message",
        "last_updated",
        "operating_time",
        "status_code",
        "uptime_365d",
    }


async def test_unique_ids_hold_nothing_that_can_be_renamed(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """A unique ID consists of entry ID, REG_ID and key."""
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert entities
    for entity in entities:
        assert entity.unique_id.startswith(f"{entry.entry_id}_")
        rest = entity.unique_id.removeprefix(f"{entry.entry_id}_")
        assert rest.removeprefix(f"{MAIN}_").replace("_", "").isalnum()
        assert portal.host not in entity.unique_id


async def test_change_of_state(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """Each status, and its effect on the entities of the line and the portal."""
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, "sensor.main_line_status") == "success"
    assert portal_entity(hass, entry, "lines") == "off"
    assert portal_entity(hass, entry, "registered_lines") == "3"
    portal.lines[MAIN].drop(403, "Forbidden")
    await poll()
    assert state_of(hass, REGISTRATION) == "off"
    assert state_of(hass, "sensor.main_line_status") == "error"
    assert state_of(hass, PROBLEM) == "forbidden"
    assert portal_entity(hass, entry, "lines") == "on"
    assert portal_entity(hass, entry, "registered_lines") == "2"
    assert portal_entity(hass, entry, "failed_lines") == "1"
    portal.lines[MAIN].recover()
    await poll()
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, PROBLEM) == "none"
    for status in ("in_progress", "wait"):
        portal.lines[MAIN].set(status)
        await poll()
        assert state_of(hass, "sensor.main_line_status") == status
        assert state_of(hass, REGISTRATION) == "on"
    await poll()
    assert state_of(hass, REGISTRATION) == "off"


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_unknown_status(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """An undocumented status is unknown, and never counts as registered."""
    portal.lines[MAIN].set("resting", 299)
    await poll()
    assert state_of(hass, "sensor.main_line_status") == STATE_UNKNOWN
    assert state_of(hass, "sensor.main_line_status_code") == "299"
    await poll(2)
    assert state_of(hass, REGISTRATION) == "off"


async def test_in_progress_at_the_start(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """A restart during a registration has a grace period before the line is off."""
    portal.lines[MAIN].set("in_progress")
    await set_up(portal)
    assert state_of(hass, REGISTRATION) == STATE_UNKNOWN
    await wait(121)
    assert state_of(hass, REGISTRATION) == "off"


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_timestamps(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A time without a zone is UTC, independent of Home Assistant's time zone."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    portal.lines[MAIN].last_updated = "2026-10-25 01:30:00"
    await poll()
    assert (
        state_of(hass, "sensor.main_line_last_updated") == "2026-10-25T01:30:00+00:00"
    )
    freezer.tick(timedelta(days=400))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (
        state_of(hass, "sensor.main_line_last_updated") == "2026-10-25T01:30:00+00:00"
    )


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_operating_time(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """It follows the polls although nothing else changes, and costs no request."""
    portal.operating_cost["voximplant.sip.status"] = 0.5
    seen = []
    for _ in range(3):
        await poll(2)
        seen.append(float(portal_entity(hass, entry, "operating_time")))
    assert seen[0] < seen[1] < seen[2]
    asked = len(portal.requests)
    entity_id = er.async_get(hass).async_get_entity_id(
        "sensor", DOMAIN, f"{entry.entry_id}_operating_time"
    )
    assert entity_id
    await async_update_entity(hass, entity_id)
    assert float(state_of(hass, entity_id)) == entry.runtime_data.data.operating_time
    assert len(portal.requests) == asked


async def test_the_problem(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The problem tells why a line is not registered, as long as it is not.

    So does the attribute of the status.
    """
    line = portal.lines[MAIN]

    def shown() -> tuple[Any, ...]:
        state = hass.states.get(PROBLEM)
        assert state is not None
        told = (state.attributes.get(key) for key in ("status_code", "error_message"))
        status = hass.states.get("sensor.main_line_status")
        assert status is not None
        known = state.state not in ("none", "unknown", "unavailable")
        assert status.attributes.get("cause") == (state.state if known else None)
        return (state_of(hass, REGISTRATION), state.state, *told)

    assert shown() == ("on", "none", None, None)
    line.drop(403, "Forbidden")
    await poll()
    assert shown() == ("off", "forbidden", 403, "Forbidden")
    line.drop(503, "Service Unavailable")
    await poll()
    assert shown() == ("off", "provider_unavailable", 503, "Service Unavailable")
    line.set("in_progress", None, None)
    await poll(5)
    assert shown() == ("off", "provider_unavailable", 503, "Service Unavailable")
    line.recover()
    await poll()
    assert shown() == ("on", "none", None, None)
    line.set("in_progress", None, None)
    await poll()
    assert state_of(hass, "sensor.main_line_status") == "in_progress"
    assert shown() == ("on", "none", None, None), "the grace period bridges it"
    await poll(3)
    assert shown() == ("off", "no_answer", None, "")
    line.drop(401, "Unauthorized")
    await poll()
    assert shown() == ("off", "wrong_credentials", 401, "Unauthorized")
    line.unreachable = True
    await poll()
    assert shown() == ("off", "wrong_credentials", 401, "Unauthorized")
    await poll(4)
    assert shown() == ("unavailable", "unavailable", None, None)
    line.unreachable = False
    line.set("in_progress", None, None)
    await poll()
    assert shown() == ("unknown", "unknown", None, None)
    await poll(3)
    assert shown() == ("off", "no_answer", None, "")


async def test_a_loss_is_one_change_of_the_problem(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """While the portal tries again in vain, the problem stays, whatever the status is."""
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)

    def states(entity_id: str) -> list[str]:
        new = [event.data["new_state"] for event in changes]
        return [state.state for state in new if state and state.entity_id == entity_id]

    for _ in range(3):
        portal.lines[MAIN].drop(403, "Forbidden")
        await poll()
        portal.lines[MAIN].set("in_progress", None, None)
        await poll(4)
    portal.lines[MAIN].recover()
    await poll()
    assert states(PROBLEM) == ["forbidden", "none"]
    assert states(REGISTRATION) == ["off", "on"]
    status = ["error", "in_progress"] * 3 + ["success"]
    assert states("sensor.main_line_status") == status
