"""Events: a line's registration was lost or restored; an incident of a portal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, override

from homeassistant.components.event import (
    EventEntity,
    EventEntityDescription,
    EventExtraStoredData,
)
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from .bitrix24 import SipRegistration
from .const import EVENT_INCIDENT, LOGGER
from .coordinator import Bitrix24SipConfigEntry, Bitrix24SipCoordinator
from .devices import line_device, line_name
from .entity import (
    LineEntity,
    LineEntityDescription,
    PortalEntity,
    PortalEntityDescription,
    add_line_entities,
)
from .incidents import (
    IncidentEvent,
    IncidentTracker,
    LossHistory,
    LostLine,
    News,
    as_text,
)
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


@dataclass(frozen=True, kw_only=True)
class IncidentDescription(PortalEntityDescription, EventEntityDescription):
    """The event of a portal."""


INCIDENT = IncidentDescription(
    key="incident",
    translation_key="incident",
    event_types=[event.value for event in IncidentEvent],
    value_fn=lambda _: None,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: Bitrix24SipConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the event of the portal, and of each line."""
    async_add_entities([PortalIncident(entry.runtime_data)])
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

    def __init__(
        self,
        coordinator: Bitrix24SipCoordinator,
        description: LineEventDescription,
        reg_id: int,
    ) -> None:
        """Begin with no loss known."""
        super().__init__(coordinator, description, reg_id)
        self._losses = LossHistory()

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
        now = dt_util.utcnow()
        if not connected:
            self._losses.add(now)
        attributes: dict[str, str | int | None] = {
            # As text: the frontend groups the digits of a number.
            "reg_id": str(self.reg_id),
            "status": registration.status_result,
            "status_code": registration.status_code,
            "error_message": registration.error_message,
            "unstable": self._losses.unstable(now),
        }
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


@dataclass
class IncidentStoredData(EventExtraStoredData):
    """What is stored of a portal's incidents for the time after a restart."""

    tracker: dict[str, Any]
    acknowledged: bool
    muted_until: str | None


class PortalIncident(PortalEntity[None], EventEntity):
    """Fires when an incident begins, grows and ends; see `incidents`.

    Like the event of a line it is available while the portal is silent. What is told once
    is told once across restarts, too.
    """

    entity_description: IncidentDescription
    _failed = False
    _acknowledged = False
    _muted_until: datetime | None = None
    _cancel_timer: CALLBACK_TYPE | None = None

    def __init__(self, coordinator: Bitrix24SipCoordinator) -> None:
        """Begin with nothing known."""
        super().__init__(coordinator, INCIDENT, UpdateOrder.PORTAL_EVENT)
        self._tracker = IncidentTracker()
        self._course: dict[str, Any] = {}  # of the open incident, as shown

    @property
    @override
    def available(self) -> bool:
        """Return whether losses are told, which they are unless an exception prevents it."""
        return not self._failed

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return what changes between the events.

        Whether somebody has taken notice, until when nothing is to be told, and what has
        become of the lines of an open incident.
        """
        return {
            "acknowledged": self._acknowledged,
            "muted_until": as_text(self._muted_until),
            **self._course,
        }

    @property
    @override
    def extra_restore_state_data(self) -> IncidentStoredData:
        """Return what is stored."""
        event = super().extra_restore_state_data
        return IncidentStoredData(
            event.last_event_type,
            event.last_event_attributes,
            self._tracker.as_dict(),
            self._acknowledged,
            as_text(self._muted_until),
        )

    @override
    async def async_added_to_hass(self) -> None:
        """Go on with the incident from before a restart."""
        await super().async_added_to_hass()
        if stored := await self.async_get_last_extra_data():
            data = stored.as_dict()
            self._tracker = IncidentTracker.from_dict(data.get("tracker") or {})
            self._acknowledged = bool(data.get("acknowledged"))
            self._muted_until = dt_util.parse_datetime(data.get("muted_until") or "")
        self._follow()
        if self.hass.is_running and self._tracker.is_open:
            self._fire_continues()

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Let no timer outlive the entity."""
        self._set_timer(None)

    @callback
    def async_acknowledge(self, mute_for: timedelta | None) -> None:
        """Take note that somebody has taken notice, for good or for some time."""
        if mute_for is None:
            self._acknowledged = True
        else:
            self._muted_until = dt_util.utcnow() + mute_for
        self.async_write_ha_state()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Fire if there is something to tell."""
        self._follow()

    @callback
    def _timer_ended(self, _now: datetime) -> None:
        """End the incident if all lines have been back for long enough."""
        self._cancel_timer = None
        self._follow()

    @callback
    def _follow(self) -> None:
        """Follow the lines; an error here must not keep others from being updated."""
        try:
            now, coordinator = dt_util.utcnow(), self.coordinator
            monitored = set(coordinator.monitor.polled_ids)
            lines = {
                reg_id: state
                for reg_id, state in coordinator.data.lines.items()
                if reg_id in monitored
            }
            for news in self._tracker.update(lines, now):
                self._tell(news)
            self._show_course()
            self._set_timer(self._tracker.next_change(now))
            failed = False
        except Exception:  # noqa: BLE001 - whatever it is, fail safe
            if not self._failed:
                LOGGER.exception("Unexpected error updating %s", self.entity_id)
            failed = True
        if failed is not self._failed:
            self._failed = failed
            self.async_write_ha_state()

    def _tell(self, news: News) -> None:
        """Fire the event, of the entity and on the event bus."""
        if news.event is IncidentEvent.BEGAN:
            self._acknowledged = False
        outgoing = self.coordinator.data.default_outgoing
        attributes: dict[str, Any] = {
            "lines": [self._name(reg_id) for reg_id in news.lines],
            "reg_ids": [str(reg_id) for reg_id in news.lines],
            "device_ids": [self._device_id(reg_id) for reg_id in news.lines],
            "lost_at": [line.lost_at.isoformat() for line in news.lines.values()],
            "status_code": news.code,
            "error_message": news.text,
            "cause": news.cause,
            "unstable": [self._name(reg_id) for reg_id in news.unstable],
            "lost_again": [self._name(reg_id) for reg_id in news.again],
            "default_outgoing_line": (
                self._name(outgoing) if outgoing in news.lines else None
            ),
        }
        course = self._course_of(news.lines)
        self._course = course
        attributes |= course
        if news.event is IncidentEvent.GREW:
            attributes["new_lines"] = [self._name(reg_id) for reg_id in news.new]
        if news.event is IncidentEvent.ENDED:
            duration = news.duration
            attributes["duration"] = duration and round(duration.total_seconds())
        self._trigger_event(news.event, attributes)
        self.async_write_ha_state()
        self._fire_on_bus(news.event, attributes)

    def _show_course(self) -> None:
        """Show which lines of the open incident are back, and which were lost again."""
        incident = self._tracker.incident
        if incident is None or not incident.told:
            return
        if (course := self._course_of(incident.lines)) == self._course:
            return
        relapsed = course["relapsed_at"] != self._course.get("relapsed_at", {})
        self._course = course
        self.async_write_ha_state()
        if relapsed:
            self._fire_continues()

    def _course_of(self, lines: Mapping[int, LostLine]) -> dict[str, Any]:
        """Return what has become of the lines of an incident."""
        return {
            "back": [self._name(reg_id) for reg_id, line in lines.items() if line.back],
            "back_at": {
                self._device_id(reg_id): as_text(line.back_at)
                for reg_id, line in lines.items()
                if line.back_at
            },
            "relapsed_at": {
                self._device_id(reg_id): as_text(line.relapsed_at)
                for reg_id, line in lines.items()
                if line.relapsed_at
            },
        }

    def _name(self, reg_id: int) -> str:
        """Return the name of a line."""
        entry_id = self.coordinator.config_entry.entry_id
        return line_name(self.hass, entry_id, reg_id) or f"SIP line {reg_id}"

    def _device_id(self, reg_id: int) -> str | None:
        """Return the device of a line."""
        device = line_device(self.hass, self.coordinator.config_entry.entry_id, reg_id)
        return device.id if device else None

    def _fire_continues(self) -> None:
        """Tell on the event bus what has become of the open incident."""
        self._fire_on_bus("continues", {**self.state_attributes, **self._course})

    def _fire_on_bus(self, event_type: str, attributes: dict[str, Any]) -> None:
        """Fire the event on the event bus."""
        self.hass.bus.async_fire(
            EVENT_INCIDENT,
            {**attributes, "entity_id": self.entity_id, "event_type": event_type},
        )

    def _set_timer(self, seconds: float | None) -> None:
        """Look again after so many seconds, even if nothing is polled then."""
        if self._cancel_timer:
            self._cancel_timer()
            self._cancel_timer = None
        if seconds is not None and seconds > 0:
            job = HassJob(self._timer_ended, cancel_on_shutdown=True)
            self._cancel_timer = async_call_later(self.hass, seconds, job)
