"""Sensors in the usual pattern."""

from datetime import datetime
from typing import override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import UsualConfigEntry, UsualLineEntity, UsualPortalEntity


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
    for entity in (UsualStatus, UsualStatusCode, UsualErrorMessage, UsualLastUpdated):
        async_add_entities(entity(coordinator, line, entity.__name__) for line in lines)


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


class UsualStatus(UsualLineEntity, SensorEntity):
    """The status."""

    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = ["success", "error", "in_progress", "wait"]  # noqa: RUF012

    @property
    @override
    def native_value(self) -> str:
        """Return the value."""
        return self.registration.status_result


class UsualStatusCode(UsualLineEntity, SensorEntity):
    """The SIP response code."""

    @property
    @override
    def native_value(self) -> int | None:
        """Return the value."""
        return self.registration.status_code


class UsualErrorMessage(UsualLineEntity, SensorEntity):
    """The text for the code."""

    @property
    @override
    def native_value(self) -> str:
        """Return the value."""
        return self.registration.error_message


class UsualLastUpdated(UsualLineEntity, SensorEntity):
    """When the registration changed."""

    _attr_device_class = SensorDeviceClass.TIMESTAMP

    @property
    @override
    def native_value(self) -> datetime | None:
        """Return the value."""
        return self.registration.last_updated
