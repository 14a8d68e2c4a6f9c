"""Binary sensors: is a line registered, does the portal answer."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined]
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

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

DEFAULT_OUTGOING_LINE = "default_outgoing_line"  # an attribute


@dataclass(frozen=True, kw_only=True)
class PortalBinarySensorDescription(
    PortalEntityDescription, BinarySensorEntityDescription
):
    """A binary sensor of a portal."""


@dataclass(frozen=True, kw_only=True)
class LineBinarySensorDescription(LineEntityDescription, BinarySensorEntityDescription):
    """A binary sensor of a line."""


def _default_outgoing_line(
    portal: PortalState, line: LineState
) -> dict[str, bool] | None:
    """Return whether calls go out by this line by default, where the portal tells."""
    if portal.outgoing is None:
        return None
    return {DEFAULT_OUTGOING_LINE: portal.default_outgoing == line.line.reg_id}


# It is unknown where the line's state is not settled yet.
REGISTRATION = LineBinarySensorDescription(
    key="registration",
    translation_key="registration",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    order=UpdateOrder.LINE_REGISTRATION,
    value_fn=lambda state, _: state.connected,
    attributes_fn=_default_outgoing_line,
)

PORTAL = (
    PortalBinarySensorDescription(
        key="portal",
        translation_key="portal",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda state: state.error is None,
    ),
    PortalBinarySensorDescription(
        key="lines",
        translation_key="lines",
        device_class=BinarySensorDeviceClass.PROBLEM,
        value_fn=lambda state: bool(state.count(connected=False)),
        available_fn=lines_known,
    ),
    PortalBinarySensorDescription(
        key="connector_paid",
        translation_key="connector_paid",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda state: state.connector and state.connector.paid,
        available_fn=connector_known,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: Bitrix24SipConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors of a portal and of its lines."""
    coordinator = entry.runtime_data
    async_add_entities(
        PortalBinarySensor(coordinator, description, UpdateOrder.PORTAL_STATE)
        for description in PORTAL
    )
    add_line_entities(entry, async_add_entities, LineBinarySensor, REGISTRATION)


class PortalBinarySensor(PortalEntity[bool], BinarySensorEntity):
    """A binary sensor of a portal."""

    entity_description: PortalBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the value."""
        return self._shown.value


class LineBinarySensor(LineEntity[bool], BinarySensorEntity):
    """A binary sensor of a line."""

    entity_description: LineBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the value."""
        return self._shown.value
