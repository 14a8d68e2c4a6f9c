"""Setup, unload and removal of an entry."""

from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import FAULTS, ErrorReply
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .conftest import MAIN, Poll, SetUp, make_entry, state_of

LINES = "voximplant.line.get"
REGISTRATION = "binary_sensor.main_line_registration"


async def test_a_late_list_at_the_start(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """After a restart the lines exist even if the list fails."""
    await hass.config_entries.async_unload(entry.entry_id)
    portal.fault(ErrorReply("ERROR_CORE", "", 500), method=LINES)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, REGISTRATION) == "on"


async def test_a_portal_that_is_down_at_the_start(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """Setup is retried."""
    fault = portal.fault(FAULTS["nginx_503"])
    entry = await set_up(portal)
    assert entry.state.value == "setup_retry"
    assert entry.reason
    assert entry.reason.startswith(
        f"An internal error occurred on {portal.host} (HTTP 503)"
    )
    fault.clear()
    await wait(10)
    assert entry.state is ConfigEntryState.LOADED
    assert state_of(hass, REGISTRATION) == "on"


async def test_unload_and_reload(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """An unloaded entry is not polled; after loading, the states are the same."""
    before = hass.states.async_entity_ids()
    assert await hass.config_entries.async_unload(entry.entry_id)
    requests = len(portal.requests)
    await poll(3)
    assert len(portal.requests) == requests
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.states.async_entity_ids() == before
    assert state_of(hass, REGISTRATION) == "on"


async def test_unload_during_a_grace_period(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The timer for the end of the grace period is cancelled."""
    coordinator = entry.runtime_data
    portal.fault(FAULTS["maintenance"])  # the next poll is in ten minutes
    await wait(31)
    shown = coordinator.data
    assert await hass.config_entries.async_unload(entry.entry_id)
    await wait(130)
    assert coordinator.data is shown
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE


async def test_remove(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """A removed entry leaves nothing behind."""
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert not er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert hass.states.get(REGISTRATION) is None


async def test_several_portals(
    hass: HomeAssistant, portal: Portal, other_portal: Portal, set_up: SetUp, poll: Poll
) -> None:
    """Two portals may have the same REG_ID."""
    first, second = await set_up(portal), await set_up(other_portal)
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, "binary_sensor.reception_registration") == "on"
    other_portal.lines[MAIN].drop()
    await poll()
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, "binary_sensor.reception_registration") == "off"
    await hass.config_entries.async_remove(second.entry_id)
    await poll()
    assert first.state is ConfigEntryState.LOADED
    assert state_of(hass, REGISTRATION) == "on"


async def test_self_hosted_portal(
    hass: HomeAssistant, set_up: SetUp, poll: Poll, socket_enabled: None
) -> None:
    """A self-hosted portal may have a path, and an API without operating time."""
    async with Portal(
        time_flavour="legacy", status_flavour="olddocs", prefix="/portal"
    ) as portal:
        portal.add_line(MAIN, "Main line")
        entry = await set_up(portal)
        assert entry.runtime_data.data.operating_time is None
        portal.lines[MAIN].drop()
        await poll()
        assert state_of(hass, REGISTRATION) == "off"
        portal.scopes.clear()
        await poll()
        assert entry.runtime_data.last_exception.translation_key == "missing_scope"


async def test_newer_minor_version(
    hass: HomeAssistant, portal: Portal, freezer: FrozenDateTimeFactory
) -> None:
    """An entry of a newer minor version is loaded."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        version=1,
        minor_version=9,
        data=dict(make_entry(portal).data),
        title="acme",
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)


async def test_newer_entry(hass: HomeAssistant, portal: Portal) -> None:
    """An entry of a newer major version is not loaded, and stays unchanged."""
    entry = MockConfigEntry(
        domain=DOMAIN, version=2, data=dict(make_entry(portal).data), title="acme"
    )
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert not portal.requests


async def test_an_unload_that_fails(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The remaining entities are still updated."""
    with patch.object(
        hass.config_entries, "async_unload_platforms", return_value=False
    ):
        assert not await hass.config_entries.async_unload(entry.entry_id)
    portal.lines[MAIN].drop()
    await wait(31)
    assert state_of(hass, REGISTRATION) == "off"
    entry.mock_state(hass, ConfigEntryState.LOADED)  # or it could not be unloaded now
