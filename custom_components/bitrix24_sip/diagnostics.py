"""Diagnostics: what a maintainer needs, without private data."""

from collections.abc import Mapping
from dataclasses import asdict
import re
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.components.event import DOMAIN as EVENT_DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .bitrix24 import Bitrix24Error, SipRegistration
from .const import CONF_REG_IDS, CONF_WEBHOOK, DOMAIN
from .coordinator import Bitrix24SipConfigEntry, Bitrix24SipCoordinator
from .devices import reg_id_of
from .event import INCIDENT
from .incidents import IncidentEvent
from .state import LineState
from .uptime import DAYS_KEPT, PortalUptime
from .uptime_history import DAY

# Titles and messages contain names and telephone numbers, and a REG_ID identifies a
# line of a company, so lines are numbered instead.
_REDACTED = {CONF_WEBHOOK, "title", "error_message"}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: Bitrix24SipConfigEntry
) -> dict[str, Any]:
    """Return the diagnostics of a portal."""
    diagnostics: dict[str, Any] = {
        "entry": {
            "version": f"{entry.version}.{entry.minor_version}",
            "state": entry.state.value,
            "data": async_redact_data(dict(entry.data), _REDACTED),
            "options": {
                **entry.options,
                CONF_REG_IDS: len(entry.options.get(CONF_REG_IDS, ())),
            },
        },
        "lines": [],
    }
    if entry.state is ConfigEntryState.LOADED:
        diagnostics["portal"] = _portal(entry.runtime_data)
        diagnostics["uptime"] = _uptime(entry.runtime_data.uptime.uptime)
        diagnostics["incident"] = _incident(hass, entry)
        diagnostics["lines"] = list(_lines(entry.runtime_data).values())
    return diagnostics


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: Bitrix24SipConfigEntry, device: dr.AnyDeviceEntry
) -> dict[str, Any]:
    """Return the diagnostics of a portal, with one line only if it is a line's device."""
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    reg_id = reg_id_of(device, entry.entry_id)
    if reg_id is not None and diagnostics["lines"]:
        line = _lines(entry.runtime_data).get(reg_id)
        diagnostics["lines"] = [line] if line else []
    return diagnostics


def _portal(coordinator: Bitrix24SipCoordinator) -> dict[str, Any]:
    """Return data about the portal and the polls."""
    monitor, telephony = coordinator.monitor, coordinator.monitor.telephony
    client = telephony.client
    data = coordinator.data
    return {
        "scheme": client.webhook.base.partition(":")[0],
        "error": _error(data.error),
        "connector": data.connector and asdict(data.connector),
        "last_poll": asdict(monitor.last_poll),
        "next_poll_after_seconds": monitor.next_poll_in,
        "statistics": {
            "requests": client.statistics.requests,
            "commands": client.statistics.commands,
            "retries": client.statistics.retries,
            "errors": dict(client.statistics.errors),
        },
        "operating_time": {
            method: {"seconds": used.seconds, "resets_in": round(used.resets_in())}
            for method, used in client.operating.items()
        },
        "batch": {
            "size": telephony.planner.size(monitor.schedule.interval),
            "seconds_per_command": round(telephony.planner.seconds_per_command, 3),
            "asked_apart": len(telephony.planner.isolated),
        },
        "raw_shapes": shape(telephony.samples),
    }


def _uptime(uptime: PortalUptime) -> dict[str, int]:
    """Return how much is recorded of all lines."""
    lines, now = uptime.lines.values(), uptime.now
    start = max(now - DAYS_KEPT * DAY, 0)
    return {
        "lines": len(lines),
        "changes": sum(line.changes for line in lines),
        "known_seconds": sum(line.figures(start, now).known for line in lines),
    }


def _incident(
    hass: HomeAssistant, entry: Bitrix24SipConfigEntry
) -> dict[str, Any] | None:
    """Return data about the incident that is open, None where there is none."""
    entity_id = er.async_get(hass).async_get_entity_id(
        EVENT_DOMAIN, DOMAIN, f"{entry.entry_id}_{INCIDENT.key}"
    )
    state = hass.states.get(entity_id) if entity_id else None
    if state is None or not (lost_at := state.attributes.get("lost_at")):
        return None
    if state.attributes["event_type"] == IncidentEvent.ENDED:
        return None
    return {
        "lines": len(lost_at),
        "since": min(lost_at),
        "acknowledged": state.attributes["acknowledged"],
    }


def _lines(coordinator: Bitrix24SipCoordinator) -> dict[int, dict[str, Any]]:
    """Return data about each line, by REG_ID, which is not part of the data."""
    return {
        reg_id: _line(coordinator, number, state)
        for number, (reg_id, state) in enumerate(coordinator.data.lines.items(), 1)
    }


def _line(
    coordinator: Bitrix24SipCoordinator, number: int, state: LineState
) -> dict[str, Any]:
    """Return data about a line, under a number instead of its REG_ID."""
    reg_id = state.line.reg_id
    return {
        "line": number,
        "has_title": bool(state.line.title),
        "listed": coordinator.monitor.roster.listed is not None
        and reg_id in coordinator.monitor.roster.listed,
        "connected": state.connected,
        "default_outgoing": reg_id == coordinator.data.default_outgoing,
        "error": _error(coordinator.monitor.roster.errors([reg_id]).get(reg_id)),
        "registration": _registration(state.registration),
        "failure": _registration(state.failure),
    }


def _registration(registration: SipRegistration | None) -> dict[str, Any] | None:
    """Return an answer of the portal, without its REG_ID."""
    if registration is None:
        return None
    data = asdict(registration)
    del data["reg_id"]
    redacted: dict[str, Any] = async_redact_data(data, _REDACTED)
    return redacted


def _error(error: Bitrix24Error | None) -> dict[str, str] | None:
    """Return the error of a poll or of a line, as plain data."""
    return {"reason": error.reason, "code": error.code} if error else None


def shape(value: Any) -> Any:
    """Return the types in a JSON value, without the values; digits in keys become #."""
    if isinstance(value, Mapping):
        return {
            re.sub(r"\d+", "#", str(key)): shape(inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value).__name__
