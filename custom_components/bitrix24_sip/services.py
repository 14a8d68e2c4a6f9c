"""The actions: status of registrations, uptime over a period, acknowledge an incident."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from homeassistant.components.event import DOMAIN as EVENT_DOMAIN
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, service
from homeassistant.helpers.entity import Entity
from homeassistant.util import dt as dt_util

from .bitrix24 import Bitrix24Error, SipRegistration
from .bitrix24.telephony import MAX_REG_ID
from .const import CONF_REG_IDS, DOMAIN
from .coordinator import Bitrix24SipConfigEntry
from .devices import line_name
from .errors import action_error, error_message
from .event import PortalIncident
from .uptime import DAYS_KEPT, LineUptime, PortalUptime

if TYPE_CHECKING:
    # What Home Assistant has under the name of voluptuous since 2026.9.
    import probatio as vol
else:
    import voluptuous as vol

ACKNOWLEDGE_INCIDENT: Final = "acknowledge_incident"
MUTE_FOR: Final = "mute_for"
GET_REGISTRATION_STATUS: Final = "get_registration_status"
GET_UPTIME: Final = "get_uptime"
ATTR_DAYS: Final = "days"
ATTR_START_TIME: Final = "start_time"
ATTR_END_TIME: Final = "end_time"

_DEFAULT_DAYS = 30

_LINES: dict[Any, Any] = {
    vol.Required(ATTR_CONFIG_ENTRY_ID): cv.string,
    vol.Optional(CONF_REG_IDS): vol.All(
        cv.ensure_list,
        [vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_REG_ID))],
        vol.Length(min=1, max=50),
    ),
}
_STATUS_SCHEMA = vol.Schema(_LINES)
_UPTIME_SCHEMA = vol.Schema(
    {
        **_LINES,
        vol.Exclusive(ATTR_DAYS, "start"): vol.All(
            vol.Coerce(float), vol.Range(min=0, min_included=False, max=DAYS_KEPT)
        ),
        vol.Exclusive(ATTR_START_TIME, "start"): cv.datetime,
        vol.Optional(ATTR_END_TIME): cv.datetime,
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, action, schema in (
        (GET_REGISTRATION_STATUS, _get_registration_status, _STATUS_SCHEMA),
        (GET_UPTIME, _get_uptime, _UPTIME_SCHEMA),
    ):
        hass.services.async_register(
            DOMAIN,
            name,
            action,
            schema=schema,
            supports_response=SupportsResponse.ONLY,
        )
    service.async_register_platform_entity_service(
        hass,
        DOMAIN,
        ACKNOWLEDGE_INCIDENT,
        entity_domain=EVENT_DOMAIN,
        schema={vol.Optional(MUTE_FOR): cv.positive_time_period},
        func=_acknowledge_incident,
    )


@callback
def _acknowledge_incident(entity: Entity, call: ServiceCall) -> None:
    """Acknowledge the incident of a portal; an area may hold events of lines, too."""
    if isinstance(entity, PortalIncident):
        entity.async_acknowledge(call.data.get(MUTE_FOR))


async def _get_registration_status(call: ServiceCall) -> ServiceResponse:
    """Request the status of each REG_ID; return the answer or the error."""
    entry: Bitrix24SipConfigEntry = service.async_get_config_entry(
        call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID]
    )
    coordinator = entry.runtime_data
    lines = coordinator.data.lines
    host = coordinator.webhook.host
    try:
        answers = await coordinator.monitor.telephony.ask_now(
            call.data.get(CONF_REG_IDS) or list(lines)
        )
    except Bitrix24Error as error:
        raise action_error(error, host) from None
    registrations: dict[str, Any] = {}
    for reg_id, answer in answers.items():
        title = line_name(call.hass, entry.entry_id, reg_id)
        data = _as_data(call.hass, answer, host, reg_id)
        registrations[str(reg_id)] = {"title": title, **data}
    return {"registrations": registrations}


def _as_data(
    hass: HomeAssistant, answer: SipRegistration | Bitrix24Error, host: str, reg_id: int
) -> dict[str, Any]:
    """Return an answer as plain data."""
    if isinstance(answer, Bitrix24Error):
        message = error_message(hass, answer, host, reg_id)
        return {"error": answer.reason, "message": message}
    updated = answer.last_updated
    return {
        "registered": answer.registered,
        "status": answer.status_result,
        "status_code": answer.status_code,
        "error_message": answer.error_message,
        "last_updated": updated.isoformat() if updated else None,
    }


async def _get_uptime(call: ServiceCall) -> ServiceResponse:
    """Return the figures of a period; per REG_ID, with its outages."""
    entry: Bitrix24SipConfigEntry = service.async_get_config_entry(
        call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID]
    )
    coordinator = entry.runtime_data
    coordinator.uptime.async_record(coordinator.data)
    portal = coordinator.uptime.uptime
    end = min(_seconds(call.data.get(ATTR_END_TIME)) or portal.now, portal.now)
    start = _seconds(call.data.get(ATTR_START_TIME))
    if start is None:
        days = call.data.get(ATTR_DAYS, _DEFAULT_DAYS)
        start = max(end - round(timedelta(days=days).total_seconds()), 0)
    if start >= end:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="empty_period"
        )
    lines: dict[str, Any] = {}
    for reg_id in call.data.get(CONF_REG_IDS) or coordinator.data.lines:
        line = portal.lines.get(reg_id) or LineUptime()
        lines[str(reg_id)] = {
            "title": line_name(call.hass, entry.entry_id, reg_id),
            **_line_report(portal, line, start, end),
        }
    return {"start_time": _time(start), "end_time": _time(end), "lines": lines}


def _line_report(
    portal: PortalUptime, line: LineUptime, start: int, end: int
) -> dict[str, Any]:
    """Return the figures of a line as plain data. All times are seconds."""
    start, end = line.period(start, end)
    figures = line.figures(start, end, portal.now)
    outages = line.outages(start, end, portal.now, portal.reasons)
    count = figures.outages
    over = [outage.downtime for outage in outages if outage.ended is not None]
    return {
        "start_time": _time(start),
        "end_time": _time(end),
        "known_time": figures.known,
        "known_percent": figures.known_percent,
        "uptime": figures.uptime,
        "downtime": figures.down,
        "number_of_outages": count,
        "longest_outage": max((outage.downtime for outage in outages), default=0),
        "mean_time_between_outages": round(figures.up / count) if count else None,
        "mean_time_to_recover": round(sum(over) / len(over)) if over else None,
        # Of a line with more outages than are kept, the earliest are not listed.
        "outages_listed_from": _time(max(start, line.outages_from)),
        "outages": [
            {
                "began": _time(outage.began),
                "ended": None if outage.ended is None else _time(outage.ended),
                "downtime": outage.downtime,
                "status": outage.reason.status or None,
                "status_code": outage.reason.code,
                "error_message": outage.reason.message,
                "cause": (cause := outage.reason.cause) and cause.value,
            }
            for outage in outages
        ],
    }


def _seconds(time: datetime | None) -> int | None:
    """Return a time as seconds since 1970. One without a zone is local."""
    return None if time is None else int(dt_util.as_utc(time).timestamp())


def _time(seconds: int) -> str:
    """Return seconds since 1970 as text."""
    return dt_util.utc_from_timestamp(seconds).isoformat()
