"""The two base entities: of a portal, and of a line."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, override

from homeassistant.core import callback
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .bitrix24 import OutgoingLine, SipRegistration
from .const import LOGGER
from .coordinator import Bitrix24SipConfigEntry, Bitrix24SipCoordinator
from .devices import line_device_info, portal_device_info
from .state import LineState, PortalState
from .update_order import EntityContext, UpdateOrder


def add_line_entities[DescriptionT: EntityDescription](
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


class Shown[ValueT](NamedTuple):
    """What an entity shows: whether it is available, its value, and its attributes."""

    available: bool
    value: ValueT | None = None
    attributes: Mapping[str, Any] | None = None


class Bitrix24SipEntity[ValueT](CoordinatorEntity[Bitrix24SipCoordinator]):
    """An entity that writes its state when what it shows has changed, and only then."""

    _attr_has_entity_name = True
    _shown: Shown[ValueT]
    _read_failed = False

    def __init__(
        self,
        coordinator: Bitrix24SipCoordinator,
        description: EntityDescription,
        context: EntityContext,
    ) -> None:
        """Take the coordinator, what the entity is, and its place in the update order."""
        super().__init__(coordinator, context)
        self.entity_description = description
        self._shown = self._read()

    @abstractmethod
    def _read(self) -> Shown[ValueT]:
        """Return what the entity shows."""

    @property
    @override
    def available(self) -> bool:
        """Return whether what the entity is about is known."""
        return self._shown.available

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return the attributes."""
        return self._shown.attributes

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if it has changed."""
        if (shown := self._read_safely()) != self._shown:
            self._shown = shown
            self.async_write_ha_state()

    def _read_safely(self) -> Shown[ValueT]:
        """Read the value; where that fails the entity must not show what it was."""
        try:
            shown = self._read()
        except Exception:  # noqa: BLE001 - whatever it is, fail safe
            if not self._read_failed:
                LOGGER.exception("Unexpected error updating %s", self.entity_id)
            self._read_failed = True
            return Shown(available=False)
        self._read_failed = False
        return shown


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
        order: UpdateOrder,
    ) -> None:
        """Take the coordinator, what the entity is, and when it is updated."""
        super().__init__(coordinator, description, EntityContext(order))
        entry = coordinator.config_entry
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = portal_device_info(
            entry.entry_id, entry.title, coordinator.webhook
        )

    @override
    def _read(self) -> Shown[ValueT]:
        """Return whether there is a value, and the value."""
        state = self.coordinator.data
        description = self.entity_description
        return Shown(description.available_fn(state), description.value_fn(state))


@dataclass(frozen=True, kw_only=True)
class LineEntityDescription(EntityDescription):
    """An entity of a line: when it is updated, its value, and its attributes.

    The value is of the line's state, and of the registration in it that is shown.
    """

    order: UpdateOrder
    value_fn: Callable[[LineState, SipRegistration], Any]
    attributes_fn: Callable[[PortalState, LineState], Mapping[str, Any] | None] = (
        lambda *_: None
    )


class LineEntity[ValueT](Bitrix24SipEntity[ValueT]):
    """An entity of a line."""

    entity_description: LineEntityDescription
    # What was read last: the state of the line, and the default outgoing line.
    _seen: LineState | None = None
    _seen_outgoing: OutgoingLine | None = None

    def __init__(
        self,
        coordinator: Bitrix24SipCoordinator,
        description: LineEntityDescription,
        reg_id: int,
    ) -> None:
        """Take the coordinator, what the entity is, and of which line."""
        self.reg_id = reg_id
        super().__init__(
            coordinator, description, EntityContext(description.order, reg_id)
        )
        entry_id = coordinator.config_entry.entry_id
        self._attr_unique_id = f"{entry_id}_{reg_id}_{description.key}"
        self._attr_device_info = line_device_info(
            entry_id, coordinator.data.lines[reg_id].line, coordinator.portal_device_id
        )

    @override
    def _read(self) -> Shown[ValueT]:
        """Return whether the line is known, and what the entity says of it."""
        portal, description = self.coordinator.data, self.entity_description
        state = portal.lines.get(self.reg_id)
        if state is None or (registration := state.registration) is None:
            return Shown(available=False)
        value = description.value_fn(state, registration)
        return Shown(True, value, description.attributes_fn(portal, state))

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Read what the entity shows, unless the objects are the same as before."""
        portal = self.coordinator.data
        state, outgoing = portal.lines.get(self.reg_id), portal.outgoing
        if (
            state is not self._seen
            or outgoing is not self._seen_outgoing
            or self._read_failed
        ):
            self._seen, self._seen_outgoing = state, outgoing
            super()._handle_coordinator_update()

    @override
    async def async_added_to_hass(self) -> None:
        """Show what has become of the line since the entity was made."""
        await super().async_added_to_hass()
        self._shown = self._read_safely()
