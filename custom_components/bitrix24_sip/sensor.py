"""Sensors: what the portal says of a line, and of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .bitrix24 import Cause, RegistrationStatus, SipRegistration
from .coordinator import Bitrix24SipConfigEntry, Bitrix24SipCoordinator
from .devices import line_device_info, portal_device_info
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
from .update_order import EntityContext, UpdateOrder
from .uptime import Figures
from .uptime_coordinator import UptimeCoordinator

PARALLEL_UPDATES = 0  # the coordinator is the only one to ask

ATTR_KNOWN = "known_percent"
NO_PROBLEM = "none"

type SensorValue = str | int | float | datetime


@dataclass(frozen=True, kw_only=True)
class LineSensorDescription(LineEntityDescription, SensorEntityDescription):
    """A sensor of a line."""


@dataclass(frozen=True, kw_only=True)
class PortalSensorDescription(PortalEntityDescription, SensorEntityDescription):
    """A sensor of a portal."""


def _problem(line: LineState, _: SipRegistration) -> str | None:
    """Return why a line is not registered, None where it is not known whether it is."""
    if line.connected is None:
        return None
    return line.failure.cause if line.failure else NO_PROBLEM


def _failure(_: PortalState, line: LineState) -> dict[str, int | str | None] | None:
    """Return what the portal says of the failure, while there is one."""
    if line.failure is None:
        return None
    return {
        "status_code": line.failure.status_code,
        "error_message": line.failure.error_message,
    }


def _cause(_: PortalState, line: LineState) -> dict[str, str | None] | None:
    """Return the problem, for those who have the status on their dashboard."""
    return {"cause": line.failure.cause} if line.failure else None


# In this order they are added, and updated: details first (see `UpdateOrder`). Those that
# the problem tells as well are disabled, so that a loss has fewer rows in the activity.
LINE = (
    LineSensorDescription(
        key="status_code",
        translation_key="status_code",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        order=UpdateOrder.LINE_DETAILS,
        value_fn=lambda _, registration: registration.status_code,
    ),
    LineSensorDescription(
        key="error_message",
        translation_key="error_message",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        order=UpdateOrder.LINE_DETAILS,
        value_fn=lambda _, registration: registration.error_message,
    ),
    LineSensorDescription(
        key="last_updated",
        translation_key="last_updated",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        order=UpdateOrder.LINE_DETAILS,
        value_fn=lambda _, registration: registration.last_updated,
    ),
    LineSensorDescription(
        key="problem",
        translation_key="problem",
        device_class=SensorDeviceClass.ENUM,
        options=[NO_PROBLEM, *Cause],
        order=UpdateOrder.LINE_PROBLEM,
        value_fn=_problem,
        attributes_fn=_failure,
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
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.MINUTES,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda state: state.connector and state.connector.free_minutes,
        available_fn=connector_known,
    ),
)

OPERATING_TIME = PortalSensorDescription(
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
)


@dataclass(frozen=True, kw_only=True)
class UptimeSensorDescription(SensorEntityDescription):
    """A sensor of the figures of a line, or of all lines, over a period."""

    days: int
    value_fn: Callable[[Figures], float | None]
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT


def _uptime(days: int, *, enabled: bool = True) -> UptimeSensorDescription:
    """Describe the sensor of the uptime over a period."""
    return UptimeSensorDescription(
        key=f"uptime_{days}d",
        translation_key=f"uptime_{days}d",
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=2,
        entity_registry_enabled_default=enabled,
        days=days,
        value_fn=lambda figures: figures.uptime,
    )


PORTAL_UPTIME = _uptime(30)
LINE_UPTIME = (
    _uptime(1),
    _uptime(30),
    _uptime(365, enabled=False),
    UptimeSensorDescription(
        key="outages_30d",
        translation_key="outages_30d",
        days=30,
        value_fn=lambda figures: figures.outages,
    ),
    UptimeSensorDescription(
        key="downtime_30d",
        translation_key="downtime_30d",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_unit_of_measurement=UnitOfTime.MINUTES,
        suggested_display_precision=0,
        entity_registry_enabled_default=False,
        days=30,
        value_fn=lambda figures: figures.down,
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
    async_add_entities([OperatingTimeSensor(coordinator)])
    add_line_entities(entry, async_add_entities, LineSensor, *LINE)
    async_add_entities([UptimeSensor(coordinator, PORTAL_UPTIME)])
    add_line_entities(entry, async_add_entities, UptimeSensor, *LINE_UPTIME)


class PortalSensor(PortalEntity[SensorValue], SensorEntity):
    """A sensor of a portal."""

    entity_description: PortalSensorDescription

    @property
    @override
    def native_value(self) -> SensorValue | None:
        """Return the value."""
        return self._shown.value


class OperatingTimeSensor(PortalSensor):
    """The operating time, which is no change of the portal's state: it is read regularly."""

    def __init__(self, coordinator: Bitrix24SipCoordinator) -> None:
        """Take the portal's coordinator."""
        super().__init__(coordinator, OPERATING_TIME, UpdateOrder.PORTAL_DETAILS)

    @property
    @override
    def should_poll(self) -> bool:
        """Return that Home Assistant reads it regularly, which asks the portal nothing."""
        return True

    @override
    async def async_update(self) -> None:
        """Read what the last poll of the portal has brought."""
        self._shown = self._read_safely()


class LineSensor(LineEntity[SensorValue], SensorEntity):
    """A sensor of a line."""

    entity_description: LineSensorDescription

    @property
    @override
    def native_value(self) -> SensorValue | None:
        """Return the value."""
        return self._shown.value


class UptimeSensor(CoordinatorEntity[UptimeCoordinator], SensorEntity):
    """A sensor of the figures of a line, or of all lines where there is no REG_ID.

    It is available while the portal is not: the figures are of what was known.
    """

    _attr_has_entity_name = True
    entity_description: UptimeSensorDescription
    # Read once the sensor is added: what a disabled one would show is not computed.
    _shown: tuple[bool, float | None, int]

    def __init__(
        self,
        coordinator: Bitrix24SipCoordinator,
        description: UptimeSensorDescription,
        reg_id: int | None = None,
    ) -> None:
        """Take the portal's coordinator, what the sensor is, and of which line."""
        order = UpdateOrder.LINE_DETAILS if reg_id else UpdateOrder.PORTAL_DETAILS
        super().__init__(coordinator.uptime, EntityContext(order, reg_id))
        self.entity_description = description
        self._reg_id = reg_id
        entry = coordinator.config_entry
        if reg_id is None:
            self._attr_unique_id = f"{entry.entry_id}_{description.key}"
            self._attr_device_info = portal_device_info(
                entry.entry_id, entry.title, coordinator.webhook
            )
        else:
            self._attr_unique_id = f"{entry.entry_id}_{reg_id}_{description.key}"
            self._attr_device_info = line_device_info(
                entry.entry_id,
                coordinator.data.lines[reg_id].line,
                coordinator.portal_device_id,
            )

    def _read(self) -> tuple[bool, float | None, int]:
        """Return whether there are figures, the value, and how much is known of them."""
        figures = self.coordinator.figures(self._reg_id, self.entity_description.days)
        value = None
        if figures.uptime is not None:
            value = self.entity_description.value_fn(figures)
        return self.available, value, int(figures.known_percent)

    @property
    @override
    def native_value(self) -> float | None:
        """Return the value, None while too little is known."""
        return self._shown[1]

    @property
    @override
    def extra_state_attributes(self) -> dict[str, int]:
        """Return how much of the period is known, in percent."""
        return {ATTR_KNOWN: self._shown[2]}

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if what it shows has changed."""
        if (shown := self._read()) != self._shown:
            self._shown = shown
            self.async_write_ha_state()

    @override
    async def async_added_to_hass(self) -> None:
        """Read the figures, and follow them from then on."""
        self._shown = self._read()
        await super().async_added_to_hass()
