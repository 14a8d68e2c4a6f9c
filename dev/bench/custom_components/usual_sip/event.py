"""Events in the usual pattern."""

from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import UsualConfigEntry, UsualLineEntity, UsualPortalEntity


async def async_setup_entry(
    hass: HomeAssistant,
    entry: UsualConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the entities."""
    coordinator = entry.runtime_data
    async_add_entities([UsualIncident(coordinator, "incident")])
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
        registration = self.registration
        before, self._registered = self._registered, registration.registered
        if before is not None and before != self._registered:
            self._trigger_event(
                "recovered" if self._registered else "failed",
                {
                    "reg_id": self.reg_id,
                    "status": registration.status_result,
                    "status_code": registration.status_code,
                    "error_message": registration.error_message,
                },
            )
        super()._handle_coordinator_update()


class UsualIncident(UsualPortalEntity, EventEntity):
    """Fires when the number of lines that are down changes."""

    _attr_event_types = ["began", "grew", "ended"]  # noqa: RUF012
    _failed = 0

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Fire if more lines are down than before, or none any longer."""
        before = self._failed
        self._failed = self.coordinator.data.count(registered=False)
        if self._failed > before:
            self._trigger_event("grew" if before else "began", {"lines": self._failed})
        elif before and not self._failed:
            self._trigger_event("ended")
        super()._handle_coordinator_update()
