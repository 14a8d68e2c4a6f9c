"""The same entities as those of Bitrix24 SIP, in the usual pattern.

A plain coordinator that polls all lines at a fixed interval, and plain entities that
write their state at every poll. The client is the same, so that what differs is the
pattern.
"""

from dataclasses import dataclass
from datetime import timedelta
import logging
from typing import override

from custom_components.bitrix24_sip.bitrix24 import (
    Bitrix24Client,
    SipConnector,
    SipLine,
    SipRegistration,
    Telephony,
    Webhook,
)
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.update_coordinator import (
    CoordinatorEntity,
    DataUpdateCoordinator,
    UpdateFailed,
)
from homeassistant.util.json import json_loads

PLATFORMS = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR]
DOMAIN = "usual_sip"

type UsualConfigEntry = ConfigEntry[UsualCoordinator]


@dataclass
class UsualData:
    """The result of a poll."""

    registrations: dict[int, SipRegistration]
    connector: SipConnector

    def count(self, *, registered: bool) -> int:
        """Return how many lines are registered, or are not."""
        return sum(r.registered is registered for r in self.registrations.values())


class UsualCoordinator(DataUpdateCoordinator[UsualData]):
    """Polls a portal at a fixed interval."""

    config_entry: UsualConfigEntry

    def __init__(self, hass: HomeAssistant, entry: UsualConfigEntry) -> None:
        """Create the client."""
        super().__init__(
            hass,
            logging.getLogger(__name__),
            config_entry=entry,
            name=DOMAIN,
            update_interval=timedelta(seconds=entry.options.get("scan_interval", 60)),
        )
        self.telephony = Telephony(
            Bitrix24Client(
                async_get_clientsession(hass),
                Webhook.parse(entry.data["webhook"]),
                json_loads=json_loads,
            )
        )
        self.lines: dict[int, SipLine] = {}
        self.connector = SipConnector()

    @override
    async def _async_setup(self) -> None:
        """Request once what does not change often."""
        answers = await self.telephony.poll([], with_lines=True, with_connector=True)
        assert isinstance(answers.lines, dict)
        assert isinstance(answers.connector, SipConnector)
        self.lines, self.connector = answers.lines, answers.connector

    @override
    async def _async_update_data(self) -> UsualData:
        """Request the status of all lines."""
        answers = await self.telephony.poll(list(self.lines))
        registrations = {}
        for reg_id, answer in answers.registrations.items():
            if not isinstance(answer, SipRegistration):
                raise UpdateFailed(str(answer))
            registrations[reg_id] = answer
        return UsualData(registrations, self.connector)


class UsualPortalEntity(CoordinatorEntity[UsualCoordinator]):
    """An entity of a portal."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: UsualCoordinator, key: str) -> None:
        """Set name and unique ID."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        self.key = key
        self._attr_name = key
        self._attr_unique_id = f"{entry.entry_id}_{key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, entry.entry_id)},
            entry_type=DeviceEntryType.SERVICE,
            name=entry.title,
        )


class UsualLineEntity(CoordinatorEntity[UsualCoordinator]):
    """An entity of a line."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: UsualCoordinator, line: SipLine, key: str) -> None:
        """Set line, name and unique ID."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        self.reg_id = line.reg_id
        self._attr_name = key
        self._attr_unique_id = f"{entry.entry_id}_{line.reg_id}_{key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, f"{entry.entry_id}_{line.reg_id}")},
            entry_type=DeviceEntryType.SERVICE,
            name=line.title,
        )

    @property
    def registration(self) -> SipRegistration:
        """The line's registration."""
        return self.coordinator.data.registrations[self.reg_id]


async def async_setup_entry(hass: HomeAssistant, entry: UsualConfigEntry) -> bool:
    """Set up a portal."""
    coordinator = UsualCoordinator(hass, entry)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: UsualConfigEntry) -> bool:
    """Unload a portal."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
