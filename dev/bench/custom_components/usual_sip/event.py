"""Events in the usual pattern."""

from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import UsualConfigEntry, UsualLineEntity


async def async_setup_entry(
    hass: HomeAssistant,
    entry: UsualConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the entities."""
    coordinator = entry.runtime_data
    async_add_entities(
        UsualEvent(coordinator, line, "event") for line in coordinator.lines.values()
    )


class UsualEvent(UsualLineEntity, EventEntity):
    """Fires when a line fails or recovers."""

    _attr_event_types = ["failed", "recovered"]  # noqa: RUF012
    _registered: bool | None = None

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Fire if the line's state has changed."""
        before, self._registered = self._registered, self.registration.registered
        if before is not None and before != self._registered:
            self._trigger_event("recovered" if self._registered else "failed")
        super()._handle_coordinator_update()
