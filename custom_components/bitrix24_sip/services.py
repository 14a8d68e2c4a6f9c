"""The action that requests the present status of registrations."""

from typing import TYPE_CHECKING, Any, Final

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv, service

from .bitrix24 import Bitrix24Error, SipRegistration
from .bitrix24.telephony import MAX_REG_ID
from .const import CONF_REG_IDS, DOMAIN
from .coordinator import Bitrix24SipConfigEntry
from .devices import line_device
from .errors import action_error

if TYPE_CHECKING:
    # What Home Assistant has under the name of voluptuous since 2026.9.
    import probatio as vol
else:
    import voluptuous as vol

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
    """Register the action."""
    hass.services.async_register(
        DOMAIN,
        GET_REGISTRATION_STATUS,
        _get_registration_status,
        schema=_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )


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
        device = line_device(call.hass, entry.entry_id, reg_id)
        title = (device.name_by_user or device.name) if device else None
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
