"""The actions: request the present status of registrations, acknowledge an incident."""

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
from homeassistant.helpers import config_validation as cv, service
from homeassistant.helpers.entity import Entity

from .bitrix24 import Bitrix24Error, SipRegistration
from .bitrix24.telephony import MAX_REG_ID
from .const import CONF_REG_IDS, DOMAIN
from .coordinator import Bitrix24SipConfigEntry
from .devices import line_name
from .errors import action_error
from .event import PortalIncident

if TYPE_CHECKING:
    # What Home Assistant has under the name of voluptuous since 2026.9.
    import probatio as vol
else:
    import voluptuous as vol

ACKNOWLEDGE_INCIDENT: Final = "acknowledge_incident"
MUTE_FOR: Final = "mute_for"
GET_REGISTRATION_STATUS: Final = "get_registration_status"

_SCHEMA = vol.Schema(
    {
        vol.Required(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Optional(CONF_REG_IDS): vol.All(
            cv.ensure_list,
            [vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_REG_ID))],
            vol.Length(min=1, max=50),
        ),
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    hass.services.async_register(
        DOMAIN,
        GET_REGISTRATION_STATUS,
        _get_registration_status,
        schema=_SCHEMA,
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
        registrations[str(reg_id)] = {"title": title, **_as_data(answer, host, reg_id)}
    return {"registrations": registrations}


def _as_data(
    answer: SipRegistration | Bitrix24Error, host: str, reg_id: int
) -> dict[str, Any]:
    """Return an answer as plain data."""
    if isinstance(answer, Bitrix24Error):
        message = str(action_error(answer, host, reg_id))
        return {"error": answer.reason, "message": message}
    updated = answer.last_updated
    return {
        "registered": answer.registered,
        "status": answer.status_result,
        "status_code": answer.status_code,
        "error_message": answer.error_message,
        "last_updated": updated.isoformat() if updated else None,
    }
