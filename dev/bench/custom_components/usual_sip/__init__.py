"""The entities that Bitrix24 SIP enables by default, in the usual pattern.

A plain coordinator that polls all lines at a fixed interval, and plain entities that
write their state at every poll. The client is the same, so that what differs is the
pattern. Uptime is computed from the outages since the setup, which are kept in memory.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
import logging
from typing import override

from custom_components.bitrix24_sip.bitrix24 import (
    Bitrix24Client,
    OutgoingLine,
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
from homeassistant.util import dt as dt_util
from homeassistant.util.json import json_loads

PLATFORMS = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR]
DOMAIN = "usual_sip"

type UsualConfigEntry = ConfigEntry[UsualCoordinator]


@dataclass
class UsualOutage:
    """An outage. ended: None while it lasts."""

    began: datetime
    ended: datetime | None = None

    def seconds(self, start: datetime, now: datetime) -> float:
        """Return the downtime since the start of a period."""
        ended = self.ended or now
        return max((ended - max(self.began, start)).total_seconds(), 0.0)


@dataclass
class UsualData:
    """The result of a poll, and the outages up to it."""

    registrations: dict[int, SipRegistration]
    connector: SipConnector
    outgoing: OutgoingLine | None
    outages: dict[int, list[UsualOutage]]
    recorded_since: datetime
    now: datetime

    def period(self, days: int) -> tuple[datetime, float]:
        """Return the start of a period that ends now, and its known seconds."""
        start = max(self.recorded_since, self.now - timedelta(days=days))
        return start, (self.now - start).total_seconds()

    def downtime(self, reg_id: int, days: int) -> float:
        """Return the seconds of a period in which a line was not registered."""
        start, _ = self.period(days)
        outages = self.outages.get(reg_id, ())
        return sum(outage.seconds(start, self.now) for outage in outages)

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
        self.outgoing: OutgoingLine | None = None
        self.outages: dict[int, list[UsualOutage]] = {}
        self.recorded_since = dt_util.utcnow()

    @override
    async def _async_setup(self) -> None:
        """Request once what does not change often."""
        answers = await self.telephony.poll(
            [], with_lines=True, with_connector=True, with_outgoing=True
        )
        assert isinstance(answers.lines, dict)
        assert isinstance(answers.connector, SipConnector)
        assert isinstance(answers.outgoing, OutgoingLine)
        self.lines, self.connector = answers.lines, answers.connector
        self.outgoing = answers.outgoing

    @override
    async def _async_update_data(self) -> UsualData:
        """Request the status of all lines."""
        answers = await self.telephony.poll(list(self.lines))
        registrations = {}
        for reg_id, answer in answers.registrations.items():
            if not isinstance(answer, SipRegistration):
                raise UpdateFailed(str(answer))
            registrations[reg_id] = answer
        now = dt_util.utcnow()
        for reg_id, registration in registrations.items():
            self._record(reg_id, now, registered=registration.registered)
        return UsualData(
            registrations,
            self.connector,
            self.outgoing,
            self.outages,
            self.recorded_since,
            now,
        )

    def _record(self, reg_id: int, now: datetime, *, registered: bool) -> None:
        """Keep when an outage began and ended."""
        outages = self.outages.setdefault(reg_id, [])
        lasts = bool(outages) and outages[-1].ended is None
        if registered and lasts:
            outages[-1].ended = now
        elif not registered and not lasts:
            outages.append(UsualOutage(now))


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
