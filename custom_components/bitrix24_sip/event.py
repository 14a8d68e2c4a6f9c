"""Events: a line's registration was lost, or restored."""

from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .bitrix24 import SipRegistration
from .coordinator import Bitrix24SipConfigEntry
from .entity import LineEntity, LineEntityDescription, add_line_entities
from .update_order import UpdateOrder

PARALLEL_UPDATES = 0  # the coordinator is the only one to ask

LOST = "lost"
RESTORED = "restored"


@dataclass(frozen=True, kw_only=True)
class LineEventDescription(LineEntityDescription, EventEntityDescription):
    """An event of a line. Its value: whether the line is registered."""


REGISTRATION_CHANGE = LineEventDescription(
    key="registration_change",
    translation_key="registration_change",
    event_types=[LOST, RESTORED],
    order=UpdateOrder.LINE_EVENT,
    value_fn=lambda state, _: state.connected,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: Bitrix24SipConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the event of each line."""
    add_line_entities(entry, async_add_entities, LineEvent, REGISTRATION_CHANGE)


class LineEvent(LineEntity[bool], EventEntity):
    """Fires once per settled change of a line, with the reason and the downtime.

    It does not fire for what stood when Home Assistant or the integration started, nor
    for what the grace period bridges. It is always available: if it were not while the
    portal is silent, its return would look like an event.
    """

    entity_description: LineEventDescription
    _connected: bool | None = None  # as last known
    _lost_at: datetime | None = None

    @property
    @override
    def available(self) -> bool:
        """Return that the latest event is always known."""
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Take up an outage that was there before a restart, to know how long it is."""
        await super().async_added_to_hass()
        self._connected = self._shown.value
        if self.state and self.state_attributes["event_type"] == LOST:
            self._lost_at = dt_util.parse_datetime(self.state)

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Fire if the line's settled state has changed."""
        state = self.coordinator.data.lines.get(self.reg_id)
        if state is None or (registration := state.registration) is None:
            return
        before, connected = self._connected, state.connected
        if connected is None or connected == before:
            return
        self._connected = connected
        if before is not None:
            self._fire(registration, connected)
            self.async_write_ha_state()

    def _fire(self, registration: SipRegistration, connected: bool) -> None:
        """Trigger the event for what a line is now."""
        attributes: dict[str, str | int | None] = {
            "reg_id": self.reg_id,
            "status": registration.status_result,
            "status_code": registration.status_code,
            "error_message": registration.error_message,
        }
        now = dt_util.utcnow()
        if connected:
            lost_at, self._lost_at = self._lost_at, None
            # The clock may have been wrong when the line was lost.
            known = lost_at is not None and lost_at <= now
            attributes["downtime"] = (
                round((now - lost_at).total_seconds()) if lost_at and known else None
            )
        else:
            self._lost_at = now
            attributes["cause"] = registration.cause
        self._trigger_event(RESTORED if connected else LOST, attributes)
