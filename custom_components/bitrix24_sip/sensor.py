"""Sensors: what the portal says of a line, and of itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .bitrix24 import Cause, RegistrationStatus
from .coordinator import Bitrix24SipConfigEntry
from .entity import (
    LineEntity,
    LineEntityDescription,
    PortalEntity,
    PortalEntityDescription,
    add_line_entities,
    connector_known,
    lines_known,
)
from .state import LineState, PortalState
from .update_order import UpdateOrder

PARALLEL_UPDATES = 0  # the coordinator is the only one to ask

type SensorValue = str | int | float | datetime


@dataclass(frozen=True, kw_only=True)
class LineSensorDescription(LineEntityDescription, SensorEntityDescription):
    """A sensor of a line."""


@dataclass(frozen=True, kw_only=True)
class PortalSensorDescription(PortalEntityDescription, SensorEntityDescription):
    """A sensor of a portal."""


def _cause(_: PortalState, line: LineState) -> dict[str, Cause] | None:
    """Return why a line is not registered, where the portal says it."""
    registration = line.registration
    if line.connected is not False or registration is None or not registration.cause:
        return None
    return {"cause": registration.cause}


# In this order they are added, and updated: details first (see `UpdateOrder`).
LINE = (
    LineSensorDescription(
        key="status_code",
        translation_key="status_code",
        entity_category=EntityCategory.DIAGNOSTIC,
        order=UpdateOrder.LINE_DETAILS,
        value_fn=lambda _, registration: registration.status_code,
    ),
    LineSensorDescription(
        key="error_message",
        translation_key="error_message",
        entity_category=EntityCategory.DIAGNOSTIC,
        order=UpdateOrder.LINE_DETAILS,
        value_fn=lambda _, registration: registration.error_message,
    ),
    LineSensorDescription(
        key="last_updated",
        translation_key="last_updated",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        order=UpdateOrder.LINE_DETAILS,
        value_fn=lambda _, registration: registration.last_updated,
    ),
    LineSensorDescription(
        key="status",
        translation_key="status",
        device_class=SensorDeviceClass.ENUM,
        options=[status.value for status in RegistrationStatus],
        order=UpdateOrder.LINE_STATUS,
        value_fn=lambda _, registration: registration.status,
        attributes_fn=_cause,
    ),
)

PORTAL = (
    PortalSensorDescription(
        key="registered_lines",
        translation_key="registered_lines",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda state: state.count(connected=True),
        available_fn=lines_known,
    ),
    PortalSensorDescription(
        key="failed_lines",
        translation_key="failed_lines",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda state: state.count(connected=False),
        available_fn=lines_known,
    ),
    PortalSensorDescription(
        key="connector_paid_until",
        translation_key="connector_paid_until",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda state: state.connector and state.connector.paid_until,
        available_fn=connector_known,
    ),
    PortalSensorDescription(
        key="free_minutes",
        translation_key="free_minutes",
        native_unit_of_measurement=UnitOfTime.MINUTES,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda state: state.connector and state.connector.free_minutes,
        available_fn=connector_known,
    ),
    PortalSensorDescription(
        key="operating_time",
        translation_key="operating_time",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda state: state.operating_time,
        available_fn=lambda state: state.operating_time is not None,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: Bitrix24SipConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of a portal and of its lines."""
    coordinator = entry.runtime_data
    async_add_entities(
        PortalSensor(coordinator, description, UpdateOrder.PORTAL_DETAILS)
        for description in PORTAL
    )
    add_line_entities(entry, async_add_entities, LineSensor, *LINE)


class PortalSensor(PortalEntity[SensorValue], SensorEntity):
    """A sensor of a portal."""

    entity_description: PortalSensorDescription

    @property
    @override
    def native_value(self) -> SensorValue | None:
        """Return the value."""
        return self._shown.value


class LineSensor(LineEntity[SensorValue], SensorEntity):
    """A sensor of a line."""

    entity_description: LineSensorDescription

    @property
    @override
    def native_value(self) -> SensorValue | None:
        """Return the value."""
        return self._shown.value
