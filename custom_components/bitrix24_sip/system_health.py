"""What the system information page says of the portals."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import Bitrix24SipConfigEntry
from .schedule import OPERATING_LIMIT


@callback
def async_register(
    hass: HomeAssistant, register: system_health.SystemHealthRegistration
) -> None:
    """Register the page's section."""
    register.async_register_info(_info)


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the figures; nothing in them names a portal."""
    entries: list[Bitrix24SipConfigEntry] = hass.config_entries.async_loaded_entries(
        DOMAIN
    )
    states = [entry.runtime_data.data for entry in entries]
    used = [state.operating_time or 0.0 for state in states]
    return {
        "portals": len(hass.config_entries.async_entries(DOMAIN)),
        "portals_reachable": sum(state.error is None for state in states),
        "lines_monitored": sum(len(state.lines) for state in states),
        "lines_failing": sum(state.count(connected=False) or 0 for state in states),
        "operating_time_left": f"{OPERATING_LIMIT - max(used, default=0.0):.0f} s",
    }
