"""The conditions, if they fit the interface that this Home Assistant has for them.

That interface is young, and Home Assistant imports this module together with those for
repairs, diagnostics and system health: it takes none of them if one cannot be imported.
"""

from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant

from .const import LOGGER

if TYPE_CHECKING:
    from homeassistant.helpers.condition import Condition

try:
    from .line_condition import CONDITIONS
except Exception:  # noqa: BLE001 - whatever it is, fail safe
    LOGGER.exception("The conditions do not work with this version of Home Assistant")
    CONDITIONS = {}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions of the integration."""
    return CONDITIONS
