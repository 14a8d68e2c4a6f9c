"""The devices: one of the portal, and below it one of each line."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo

from .bitrix24 import SipLine, Webhook
from .const import DOMAIN
from .lines import ListChanges, Roster

_MANUFACTURER = "Bitrix24"


def portal_device_info(entry_id: str, name: str, webhook: Webhook) -> DeviceInfo:
    """Return the device of a portal, which links to the portal's telephony."""
    return DeviceInfo(
        identifiers={(DOMAIN, entry_id)},
        entry_type=DeviceEntryType.SERVICE,
        name=name,
        manufacturer=_MANUFACTURER,
        model="Cloud PBX",
        configuration_url=f"{webhook.base}/telephony/",
    )


def line_device_info(entry_id: str, line: SipLine, portal_device_id: str) -> DeviceInfo:
    """Return the device of a line. Without a title it is named by its REG_ID."""
    device = DeviceInfo(
        identifiers={line_identifier(entry_id, line.reg_id)},
        entry_type=DeviceEntryType.SERVICE,
        manufacturer=_MANUFACTURER,
        model="SIP line",
        serial_number=str(line.reg_id),
        via_device_id=portal_device_id,
    )
    if line.title:
        device["name"] = line.title
    else:
        device["translation_key"] = "sip_line"
        device["translation_placeholders"] = {"reg_id": str(line.reg_id)}
    return device


def line_identifier(entry_id: str, reg_id: int) -> tuple[str, str]:
    """Return the identifier of a line's device."""
    return (DOMAIN, f"{entry_id}_{reg_id}")


def reg_id_of(device: dr.AnyDeviceEntry, entry_id: str) -> int | None:
    """Return the REG_ID of a line's device, None for any other device."""
    for domain, identifier in device.identifiers:
        head, _, reg_id = identifier.rpartition("_")
        if domain == DOMAIN and head == entry_id and reg_id.isdecimal():
            return int(reg_id)
    return None


def line_device(
    hass: HomeAssistant, entry_id: str, reg_id: int
) -> dr.DeviceEntry | None:
    """Return the device of a line, None where there is none yet."""
    return dr.async_get(hass).async_get_device_by_identifier(
        line_identifier(entry_id, reg_id), entry_id
    )


def line_name(hass: HomeAssistant, entry_id: str, reg_id: int) -> str | None:
    """Return the name of a line's device, None where there is none."""
    device = line_device(hass, entry_id, reg_id)
    return (device.name_by_user or device.name) if device else None


def restore_lines(hass: HomeAssistant, entry_id: str, roster: Roster) -> None:
    """Begin with the lines that have a device from before a restart.

    So a line is not lost because the portal's list is late, and a line that was deleted
    while Home Assistant was not running goes by the usual rule.
    """
    devices, entities = dr.async_get(hass), er.async_get(hass)
    for device in dr.async_entries_for_config_entry(devices, entry_id):
        if (reg_id := reg_id_of(device, entry_id)) is None:
            continue
        if not roster.is_wanted(reg_id):
            devices.async_remove_device(device.id)
            continue
        known = er.async_entries_for_device(
            entities, device.id, include_disabled_entities=True
        )
        disabled = bool(known) and all(entity.disabled for entity in known)
        roster.restore(reg_id, device.name or "", disabled=disabled)


def update_devices(hass: HomeAssistant, entry_id: str, changes: ListChanges) -> None:
    """Rename the devices of renamed lines; remove those of lines that are gone.

    With a device go its entities.
    """
    registry = dr.async_get(hass)
    for line in changes.renamed:
        if line.title and (device := line_device(hass, entry_id, line.reg_id)):
            registry.async_update_device(device.id, name=line.title)
    for reg_id in changes.gone:
        if device := line_device(hass, entry_id, reg_id):
            registry.async_remove_device(device.id)
