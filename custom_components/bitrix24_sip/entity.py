"""The two base entities: of a portal, and of a line."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .bitrix24 import SipRegistration, Webhook
from .const import CONF_WEBHOOK, DOMAIN
from .coordinator import (
    Bitrix24SipConfigEntry,
    Bitrix24SipCoordinator,
    EntityContext,
    PortalState,
    Turn,
    line_identifier,
)
from .grace import LineState

_MANUFACTURER = "Bitrix24"


def portal_device_info(entry: Bitrix24SipConfigEntry) -> DeviceInfo:
    """Return the device of a portal, which links to the portal's telephony."""
    return DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        entry_type=DeviceEntryType.SERVICE,
        name=entry.title,
        manufacturer=_MANUFACTURER,
        model="Cloud PBX",
        configuration_url=f"{Webhook.parse(entry.data[CONF_WEBHOOK]).base}/telephony/",
    )


def add_line_entities[DescriptionT: LineEntityDescription](
    entry: Bitrix24SipConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    make: Callable[[Bitrix24SipCoordinator, DescriptionT, int], Entity],
    *descriptions: DescriptionT,
) -> None:
    """Add what `make` makes of each description for each line, also of later ones."""
    coordinator = entry.runtime_data
    known: set[int] = set()

    @callback
    def add_new() -> None:
        lines = coordinator.data.lines.keys()
        if lines == known:
            return
        known.intersection_update(lines)
        if new := lines - known:
            known.update(new)
            async_add_entities(
                [
                    make(coordinator, description, reg_id)
                    for description in descriptions
                    for reg_id in sorted(new)
                ]
            )

    entry.async_on_unload(coordinator.async_add_listener(add_new))
    add_new()


class Bitrix24SipEntity[ValueT](CoordinatorEntity[Bitrix24SipCoordinator]):
    """An entity that writes its state when what it shows has changed, and only then."""

    _attr_has_entity_name = True
    # Whether it is available, and its value.
    _shown: tuple[bool, ValueT | None]

    def __init__(
        self,
        coordinator: Bitrix24SipCoordinator,
        description: EntityDescription,
        context: EntityContext,
    ) -> None:
        """Take the coordinator, what the entity is, and what it listens to."""
        super().__init__(coordinator, context)
        self.entity_description = description
        self._shown = self._read()

    @abstractmethod
    def _read(self) -> tuple[bool, ValueT | None]:
        """Return whether the entity is available, and its value."""

    @property
    @override
    def available(self) -> bool:
        """Return whether what the entity is about is known."""
        return self._shown[0]

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if it has changed."""
        if (shown := self._read()) != self._shown:
            self._shown = shown
            self.async_write_ha_state()


def lines_known(state: PortalState) -> bool:
    """Return whether anything is known of the lines."""
    return state.count(connected=True) is not None


def connector_known(state: PortalState) -> bool:
    """Return whether the portal told the state of its SIP Connector."""
    return state.connector is not None


@dataclass(frozen=True, kw_only=True)
class PortalEntityDescription(EntityDescription):
    """An entity of a portal: its value, and when there is one."""

    value_fn: Callable[[PortalState], Any]
    available_fn: Callable[[PortalState], bool] = lambda _: True


class PortalEntity[ValueT](Bitrix24SipEntity[ValueT]):
    """An entity of a portal."""

    entity_description: PortalEntityDescription

    def __init__(
        self,
        coordinator: Bitrix24SipCoordinator,
        description: PortalEntityDescription,
        turn: Turn,
    ) -> None:
        """Take the coordinator, what the entity is, and when it is told."""
        super().__init__(coordinator, description, (turn, None))
        entry = coordinator.config_entry
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = portal_device_info(entry)

    @override
    def _read(self) -> tuple[bool, ValueT | None]:
        """Return whether there is a value, and the value."""
        state = self.coordinator.data
        description = self.entity_description
        return description.available_fn(state), description.value_fn(state)


@dataclass(frozen=True, kw_only=True)
class LineEntityDescription(EntityDescription):
    """An entity of a line: when it is told of a change, and its value.

    The value is of the line's state, and of the registration in it that is shown.
    """

    turn: Turn
    value_fn: Callable[[LineState, SipRegistration], Any]


class LineEntity[ValueT](Bitrix24SipEntity[ValueT]):
    """An entity of a line."""

    entity_description: LineEntityDescription

    def __init__(
        self,
        coordinator: Bitrix24SipCoordinator,
        description: LineEntityDescription,
        reg_id: int,
    ) -> None:
        """Take the coordinator, what the entity is, and of which line."""
        self.reg_id = reg_id
        super().__init__(coordinator, description, (description.turn, reg_id))
        entry_id = coordinator.config_entry.entry_id
        self._attr_unique_id = f"{entry_id}_{reg_id}_{description.key}"
        device = DeviceInfo(
            identifiers={line_identifier(entry_id, reg_id)},
            entry_type=DeviceEntryType.SERVICE,
            manufacturer=_MANUFACTURER,
            model="SIP line",
            serial_number=str(reg_id),
            via_device_id=coordinator.portal_device_id,
        )
        if title := coordinator.data.lines[reg_id].line.title:
            device["name"] = title
        else:
            device["translation_key"] = "sip_line"
            device["translation_placeholders"] = {"reg_id": str(reg_id)}
        self._attr_device_info = device

    @override
    def _read(self) -> tuple[bool, ValueT | None]:
        """Return whether the line is known, and the entity's value."""
        state = self.coordinator.data.lines.get(self.reg_id)
        if state is None or (registration := state.registration) is None:
            return False, None
        return True, self.entity_description.value_fn(state, registration)

    @override
    async def async_added_to_hass(self) -> None:
        """Show what has become of the line since the entity was made."""
        await super().async_added_to_hass()
        self._shown = self._read()
