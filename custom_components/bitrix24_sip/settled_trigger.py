"""Triggers: a line's registration was lost or restored, a portal is (un)reachable.

They follow the states of the binary sensors *Registration* and *Portal*.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast, override

from homeassistant.components.event import ATTR_EVENT_TYPE
from homeassistant.const import (
    ATTR_ENTITY_ID,
    CONF_FOR,
    CONF_OPTIONS,
    CONF_TARGET,
    STATE_OFF,
    STATE_ON,
    Platform,
)
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, State, callback
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.target import (
    TargetStateChangedData,
    async_track_target_selector_state_change_event,
)
from homeassistant.helpers.trigger import (
    ATTR_BEHAVIOR,
    ENTITY_STATE_TRIGGER_SCHEMA_WITH_BEHAVIOR,
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util

from .bitrix24 import PermanentError
from .const import DOMAIN
from .coordinator import Bitrix24SipCoordinator
from .devices import reg_id_of
from .errors import error_message, log_unexpected
from .event import LOST
from .options import Options
from .settled import Behavior, SettledChanges
from .targets import LINE, PORTAL, async_targeted

if TYPE_CHECKING:
    # What Home Assistant has under the name of voluptuous since 2026.9.
    import probatio as vol
else:
    import voluptuous as vol

_SETTLED = {STATE_ON: True, STATE_OFF: False}
# What an automation finds in `trigger`, whichever of the triggers it was.
_DETAILS = ("line", "portal", "reg_id", "code", "message", "cause", "downtime")


class SettledTrigger(Trigger):
    """Fires once for each settled change to `_to` of the entities of a kind."""

    _kind: str
    _to: bool
    _schema: vol.Schema

    @override
    @classmethod
    async def async_validate_config(
        cls, hass: HomeAssistant, config: ConfigType
    ) -> ConfigType:
        """Validate target and options."""
        return cast("ConfigType", cls._schema(config))

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Take target and options."""
        super().__init__(hass, config)
        options = config.options or {}
        self._target = config.target or {}
        self._for = options.get(CONF_FOR)
        self._changes: SettledChanges[str] = SettledChanges(
            self._to,
            Behavior(options.get(ATTR_BEHAVIOR, Behavior.EACH)),
            self._for.total_seconds() if self._for else 0,
        )
        # An entity's ID may change; what is known of it is kept by its registry entry.
        self._keys: dict[str, str] = {}
        # The settled state before, and the settled state now.
        self._states: dict[str, tuple[State | None, State]] = {}
        self._cancel_timer: CALLBACK_TYPE | None = None

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Follow the target's entities, beginning with their states now."""
        self._run_action = run_action
        untrack = await async_track_target_selector_state_change_event(
            self._hass,
            self._target,
            self._state_changed,
            self._entity_filter,
            self._entities_changed,
            primary_entities_only=False,  # the sensor of a portal is a diagnostic one
        )

        @callback
        def detach() -> None:
            untrack()
            self._call_again_in(None)

        return detach

    def _entity_filter(self, entity_ids: set[str]) -> set[str]:
        """Return the entities of the kind among what the target resolves to."""
        return async_targeted(self._hass, self._target, entity_ids, self._kind)

    @callback
    def _entities_changed(
        self, added: set[str], _removed: set[str], states: Mapping[str, State | None]
    ) -> None:
        """Take other entities: renamed ones go on, others begin with what they are."""
        entities = er.async_get(self._hass)
        self._keys = {
            entity_id: entity.id
            for entity_id in states
            if (entity := entities.async_get(entity_id))
        }
        keys = set(self._keys.values())
        self._changes.keep(keys)
        self._states = {key: s for key, s in self._states.items() if key in keys}
        for entity_id in added:
            self._show(entity_id, states[entity_id])
        self._fire()

    @callback
    def _state_changed(self, data: TargetStateChangedData) -> None:
        """Take an entity's new state."""
        event = data.state_change_event
        self._show(event.data["entity_id"], event.data["new_state"])
        self._fire()

    def _show(self, entity_id: str, state: State | None) -> None:
        """Take what an entity shows."""
        key, now = self._keys[entity_id], dt_util.utcnow().timestamp()
        value = _SETTLED.get(state.state) if state else None
        if state is None or value is None:
            self._changes.show(key, None, now, now)
            return
        before, current = self._states.get(key, (None, None))
        if current is None or current.state != state.state:
            before = current
        self._states[key] = before, state
        since = state.last_changed.timestamp()
        self._changes.show(key, value, since, now, since + self._bridged(key, value))

    @callback
    def _fire(self, *_: object) -> None:
        """Run the action for what is due, and come again for what will be."""
        now = dt_util.utcnow().timestamp()
        due = self._changes.fire(now)
        next_time = self._changes.next(now)
        self._call_again_in(None if next_time is None else next_time - now)
        for key in due:
            before, state = self._states[key]
            self._run_action(
                {
                    ATTR_ENTITY_ID: state.entity_id,
                    "from_state": before,
                    "to_state": state,
                    CONF_FOR: self._for,
                    **self._details(key),
                },
                f"state of {state.entity_id}",
                state.context,
            )

    def _call_again_in(self, seconds: float | None) -> None:
        """Look again at what is due after so many seconds; None: not by itself."""
        if self._cancel_timer:
            self._cancel_timer()
            self._cancel_timer = None
        if seconds is not None:
            self._cancel_timer = async_call_later(self._hass, seconds, self._fire)

    def _bridged(self, key: str, value: bool) -> float:
        """Return for how many seconds a value is not settled yet."""
        return 0

    def _details(self, key: str) -> dict[str, Any]:
        """Return the details; an error in reading them must not keep an alarm back."""
        details: dict[str, Any] = dict.fromkeys(_DETAILS)
        try:
            entity, coordinator = self._find(key)
            details["portal"] = self._device_name(coordinator.portal_device_id)
            if self._to and (lasted := self._changes.lasted(key)) is not None:
                details["downtime"] = round(lasted)
            details |= self._about(entity, coordinator)
        except Exception as error:  # noqa: BLE001 - whatever it is, fail safe
            log_unexpected("unexpected error reading a trigger's details", error, None)
        return details

    def _find(self, key: str) -> tuple[er.RegistryEntry, Bitrix24SipCoordinator]:
        """Return an entity and the coordinator that it has its state from."""
        entity = er.async_get(self._hass).entities.get_entry(key)
        assert entity and entity.config_entry_id
        entry = self._hass.config_entries.async_get_known_entry(entity.config_entry_id)
        return entity, entry.runtime_data

    def _device_name(self, device_id: str | None) -> str | None:
        """Return the name of a device as a user sees it."""
        device = dr.async_get(self._hass).async_get(device_id or "")
        return (device.name_by_user or device.name) if device else None

    @abstractmethod
    def _about(
        self, entity: er.RegistryEntry, coordinator: Bitrix24SipCoordinator
    ) -> dict[str, Any]:
        """Return what else there is to say about an entity's change."""


class LineTrigger(SettledTrigger):
    """A line's registration was lost, or restored."""

    _kind = LINE
    _schema = ENTITY_STATE_TRIGGER_SCHEMA_WITH_BEHAVIOR

    @override
    def _about(
        self, entity: er.RegistryEntry, coordinator: Bitrix24SipCoordinator
    ) -> dict[str, Any]:
        """Return the line, and what the portal says about its registration."""
        device = dr.async_get(self._hass).async_get(entity.device_id or "")
        assert device
        reg_id = reg_id_of(device, device.config_entry_id)
        assert reg_id
        about: dict[str, Any] = {
            "line": self._device_name(entity.device_id),
            "reg_id": reg_id,
        }
        if self._to and self._changes.lasted(entity.id) is None:
            about["downtime"] = self._downtime_of_event(entity)
        registration = coordinator.data.lines[reg_id].registration
        assert registration  # there is one where the state is known
        about["code"] = registration.status_code
        about["message"] = registration.error_message
        about["cause"] = registration.cause
        return about

    def _downtime_of_event(self, entity: er.RegistryEntry) -> int | None:
        """Return the downtime by the line's event, which outlasts a restart.

        The event is updated after the states, so it may not have fired yet.
        """
        event_id = er.async_get(self._hass).async_get_entity_id(
            Platform.EVENT, DOMAIN, f"{entity.unique_id}_change"
        )
        event = self._hass.states.get(event_id or "")
        fired_at = dt_util.parse_datetime(event.state) if event else None
        if event is None or fired_at is None:
            return None
        _, state = self._states[entity.id]
        age = (state.last_changed - fired_at).total_seconds()
        if event.attributes[ATTR_EVENT_TYPE] == LOST:
            return round(age)
        # Not that of an outage before this one.
        return event.attributes["downtime"] if age < 1 else None


class PortalTrigger(SettledTrigger):
    """A portal became unreachable, or is reachable again.

    As for a line, a transient error is bridged for the grace period.
    """

    _kind = PORTAL
    _schema = vol.Schema(
        {
            vol.Required(CONF_TARGET): cv.TARGET_FIELDS,
            vol.Required(CONF_OPTIONS, default={}): {
                vol.Optional(CONF_FOR): cv.positive_time_period
            },
        }
    )

    @override
    def _bridged(self, key: str, value: bool) -> float:
        """Return the grace period where the portal may answer again by itself."""
        _, coordinator = self._find(key)
        if value or isinstance(coordinator.data.error, PermanentError):
            return 0
        return Options.of(coordinator.config_entry.options).grace_period

    @override
    def _about(
        self, entity: er.RegistryEntry, coordinator: Bitrix24SipCoordinator
    ) -> dict[str, Any]:
        """Return why the portal is unreachable."""
        if (error := coordinator.data.error) is None:
            return {}
        host = coordinator.webhook.host
        return {
            "code": error.code or None,
            "message": error_message(self._hass, error, host),
            "cause": error.reason,
        }


class RegistrationLost(LineTrigger):
    """A line's registration was lost."""

    _to = False


class RegistrationRestored(LineTrigger):
    """A line's registration was restored."""

    _to = True


class PortalUnreachable(PortalTrigger):
    """A portal became unreachable."""

    _to = False


class PortalReachable(PortalTrigger):
    """A portal is reachable again."""

    _to = True


TRIGGERS: dict[str, type[Trigger]] = {
    "portal_reachable": PortalReachable,
    "portal_unreachable": PortalUnreachable,
    "registration_lost": RegistrationLost,
    "registration_restored": RegistrationRestored,
}
