"""The entities' states and unique IDs."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.bitrix24_sip import PLATFORMS
from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

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


@pytest.mark.parametrize("platform", [str(platform) for platform in PLATFORMS])
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
    registry = er.async_get(hass)
    disabled = ["operating_time"]
    for reg_id in (MAIN, SALES, SUPPORT):
        disabled += [f"{reg_id}_uptime_365d", f"{reg_id}_downtime_30d"]
    for key in disabled:  # enable them, as a user would
        registry.async_get_or_create(
            "sensor", DOMAIN, f"01JTESTENTRY_{key}", config_entry=entry
        )
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    entities = er.async_entries_for_config_entry(registry, entry.entry_id)
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
    assert state_of(hass, "sensor.main_line_status_code") == "403"
    assert state_of(hass, "sensor.main_line_error_message") == "Forbidden"
    assert portal_entity(hass, entry, "lines") == "on"
    assert portal_entity(hass, entry, "registered_lines") == "2"
    assert portal_entity(hass, entry, "failed_lines") == "1"
    portal.lines[MAIN].recover()
    await poll()
    assert state_of(hass, REGISTRATION) == "on"
    for status in ("in_progress", "wait"):
        portal.lines[MAIN].set(status)
        await poll()
        assert state_of(hass, "sensor.main_line_status") == status
        assert state_of(hass, REGISTRATION) == "on"
    await poll()
    assert state_of(hass, REGISTRATION) == "off"


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


async def test_the_cause(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The status says why a line is not registered, as long as it is not."""

    def cause() -> str | None:
        state = hass.states.get("sensor.main_line_status")
        assert state is not None
        return state.attributes.get("cause")

    assert cause() is None
    portal.lines[MAIN].drop(403, "Forbidden")
    await poll()
    assert cause() == "forbidden"
    portal.lines[MAIN].drop(503, "Service Unavailable")
    await poll()
    assert cause() == "provider_unavailable"
    portal.lines[MAIN].recover()
    await poll()
    assert cause() is None
    portal.lines[MAIN].set("in_progress", None, None)
    await poll()
    assert state_of(hass, "sensor.main_line_status") == "in_progress"
    assert cause() is None, "the grace period still bridges it"
    await poll(3)
    assert cause() == "no_answer"
    portal.lines[MAIN].unreachable = True
    await poll(5)
    assert state_of(hass, "sensor.main_line_status") == "unavailable"
    assert cause() is None
