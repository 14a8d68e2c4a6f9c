"""The Bitrix24 SIP integration: the health of a portal's SIP registrations."""

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
    ConfigEntryState,
)
from homeassistant.const import CONF_VERIFY_SSL, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType

from .bitrix24 import Telephony, Webhook
from .connection import async_create_client
from .const import CONF_WEBHOOK, DOMAIN
from .coordinator import Bitrix24SipConfigEntry, Bitrix24SipCoordinator
from .devices import portal_device_info, reg_id_of
from .frontend import async_setup_frontend
from .issues import async_delete_issues
from .services import async_setup_services
from .uptime_coordinator import uptime_store

# As in `UpdateOrder`: details are there before the states that trigger automations.
PLATFORMS = [Platform.SENSOR, Platform.BINARY_SENSOR, Platform.EVENT]
CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register what there is without any portal: the action, and the dashboard."""
    async_setup_services(hass)
    await async_setup_frontend(hass)

    @callback
    def entry_changed(_: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Delete the issues of an entry that is disabled while it is not loaded."""
        if entry.domain == DOMAIN and entry.disabled_by:
            async_delete_issues(hass, entry.entry_id)

    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, entry_changed)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: Bitrix24SipConfigEntry) -> bool:
    """Set up a portal from a config entry."""
    webhook = Webhook.parse(entry.data[CONF_WEBHOOK])
    client = await async_create_client(hass, webhook, entry.data[CONF_VERIFY_SSL])
    coordinator = Bitrix24SipCoordinator(hass, entry, Telephony(client))
    await coordinator.async_config_entry_first_refresh()
    portal = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        **portal_device_info(entry.entry_id, entry.title, webhook),
    )
    coordinator.portal_device_id = portal.id
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(
    hass: HomeAssistant, entry: Bitrix24SipConfigEntry
) -> bool:
    """Unload the entry and delete its repair issues."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.async_shutdown()
        await entry.runtime_data.uptime.async_save()
        async_delete_issues(hass, entry.entry_id)
    return unloaded


async def async_remove_entry(
    hass: HomeAssistant, entry: Bitrix24SipConfigEntry
) -> None:
    """Leave nothing behind of a portal that is removed, even if it never was set up."""
    async_delete_issues(hass, entry.entry_id)
    await uptime_store(hass, entry.entry_id).async_remove()


async def async_migrate_entry(
    hass: HomeAssistant, entry: Bitrix24SipConfigEntry
) -> bool:
    """Take an entry of any version 1.x as it is: there is nothing to migrate yet.

    An entry of a newer major version Home Assistant refuses by itself.
    """
    return True


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: Bitrix24SipConfigEntry, device: dr.AnyDeviceEntry
) -> bool:
    """Allow a user to delete a line's device as soon as the portal's list lacks it."""
    reg_id = reg_id_of(device, entry.entry_id)
    if reg_id is None or entry.state is not ConfigEntryState.LOADED:
        return False  # nothing is known of the lines of a portal that is not loaded
    coordinator = entry.runtime_data
    if not coordinator.monitor.roster.may_be_deleted(reg_id):
        return False
    coordinator.async_forget(reg_id)
    return True
