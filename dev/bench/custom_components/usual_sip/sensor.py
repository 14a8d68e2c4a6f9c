"""Sensors in the usual pattern."""

from datetime import datetime
from typing import override

from custom_components.bitrix24_sip.bitrix24 import Cause, SipLine
from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import UsualConfigEntry, UsualCoordinator, UsualLineEntity, UsualPortalEntity


async def async_setup_entry(
    hass: HomeAssistant,
    entry: UsualConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the entities."""
    coordinator = entry.runtime_data
    async_add_entities(
        UsualPortalSensor(coordinator, key)
        for key in ("registered_lines", "failed_lines", "paid_until", "free_minutes")
    )
    lines = coordinator.lines.values()
    for entity in (UsualProblem, UsualStatus):
        async_add_entities(entity(coordinator, line, entity.__name__) for line in lines)
    async_add_entities([UsualPortalUptime(coordinator, "uptime_30d")])
    for days in (1, 30):
        async_add_entities(UsualUptime(coordinator, line, days) for line in lines)
    async_add_entities(UsualOutages(coordinator, line, "outages_30d") for line in lines)


class UsualPortalSensor(UsualPortalEntity, SensorEntity):
    """A sensor of a portal."""

    @property
    @override
    def native_value(self) -> int | datetime | None:
        """Return the value."""
        data = self.coordinator.data
        match self.key:
            case "registered_lines":
                return data.count(registered=True)
            case "failed_lines":
                return data.count(registered=False)
            case "paid_until":
                return data.connector.paid_until
            case _:
                return data.connector.free_minutes


class UsualProblem(UsualLineEntity, SensorEntity):
    """Why the line is not registered."""

    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = ["none", *Cause]  # noqa: RUF012

    @property
    @override
    def native_value(self) -> str:
        """Return the value."""
        return self.registration.cause or "none"

    @property
    @override
    def extra_state_attributes(self) -> dict[str, int | str | None] | None:
        """Return the code and the message of the failure."""
        registration = self.registration
        if registration.registered:
            return None
        return {
            "status_code": registration.status_code,
            "error_message": registration.error_message,
        }


class UsualStatus(UsualLineEntity, SensorEntity):
    """The status."""

    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = ["success", "error", "in_progress", "wait"]  # noqa: RUF012

    @property
    @override
    def native_value(self) -> str:
        """Return the value."""
        return self.registration.status_result


class UsualUptime(UsualLineEntity, SensorEntity):
    """The uptime of a line."""

    _attr_state_class = SensorStateClass.MEASUREMENT
    _attr_native_unit_of_measurement = PERCENTAGE
    _attr_suggested_display_precision = 2

    def __init__(self, coordinator: UsualCoordinator, line: SipLine, days: int) -> None:
        """Set the period."""
        super().__init__(coordinator, line, f"uptime_{days}d")
        self.days = days

    @property
    @override
    def native_value(self) -> float | None:
        """Return the value, None while less than an hour is known."""
        data = self.coordinator.data
        _, known = data.period(self.days)
        if known < 3600:
            return None
        return round(100 - 100 * data.downtime(self.reg_id, self.days) / known, 2)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, int]:
        """Return how much of the period is known."""
        _, known = self.coordinator.data.period(self.days)
        return {"known_percent": int(known / self.days / 864)}


class UsualOutages(UsualLineEntity, SensorEntity):
    """The number of outages of a line."""

    _attr_state_class = SensorStateClass.MEASUREMENT

    @property
    @override
    def native_value(self) -> int:
        """Return the value."""
        data = self.coordinator.data
        start, _ = data.period(30)
        outages = data.outages.get(self.reg_id, ())
        return sum(outage.seconds(start, data.now) > 0 for outage in outages)


class UsualPortalUptime(UsualPortalEntity, SensorEntity):
    """The uptime of all lines."""

    _attr_state_class = SensorStateClass.MEASUREMENT
    _attr_native_unit_of_measurement = PERCENTAGE
    _attr_suggested_display_precision = 2

    @property
    @override
    def native_value(self) -> float | None:
        """Return the value, None while less than an hour is known."""
        data = self.coordinator.data
        _, known = data.period(30)
        if known < 3600:
            return None
        downtime = sum(data.downtime(reg_id, 30) for reg_id in data.registrations)
        return round(100 - 100 * downtime / known / len(data.registrations), 2)
