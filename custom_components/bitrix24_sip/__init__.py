"""The Bitrix24 SIP integration: the health of a portal's SIP registrations."""

from homeassistant.const import CONF_VERIFY_SSL, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType

from .bitrix24 import Telephony, Webhook
from .connection import async_create_client
from .const import CONF_WEBHOOK, DOMAIN
from .coordinator import Bitrix24SipConfigEntry, Bitrix24SipCoordinator, reg_id_of
from .entity import portal_device_info
from .issues import async_delete_issues
from .services import async_setup_services

# As in `Turn`: when a portal is loaded, too, what explains is there before what alarms.
PLATFORMS = [Platform.SENSOR, Platform.BINARY_SENSOR, Platform.EVENT]
CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register what there is without any portal: the action."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: Bitrix24SipConfigEntry) -> bool:
    """Set up a portal from a config entry."""
    client = await async_create_client(
        hass, Webhook.parse(entry.data[CONF_WEBHOOK]), entry.data[CONF_VERIFY_SSL]
    )
    coordinator = Bitrix24SipCoordinator(hass, entry, Telephony(client))
    await coordinator.async_config_entry_first_refresh()
    portal = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, **portal_device_info(entry)
    )
    coordinator.portal_device_id = portal.id
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(
    hass: HomeAssistant, entry: Bitrix24SipConfigEntry
) -> bool:
    """Unload a portal, of which nothing is known then that somebody should mend."""
    async_delete_issues(hass, entry.entry_id)
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(
    hass: HomeAssistant, entry: Bitrix24SipConfigEntry
) -> None:
    """Leave nothing behind of a portal that is removed, even if it never was set up."""
    async_delete_issues(hass, entry.entry_id)


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
    """Let somebody delete a line's device, where the portal no longer has the line."""
    reg_id = reg_id_of(device, entry.entry_id)
    return reg_id is not None and reg_id not in entry.runtime_data.data.lines
