"""The triggers, if they fit the interface that this Home Assistant has for them.

That interface is young, and Home Assistant imports this module together with those for
repairs, diagnostics and system health: it takes none of them if one cannot be imported.
"""

from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant

from .const import LOGGER

if TYPE_CHECKING:
    from homeassistant.helpers.trigger import Trigger

try:
    from .settled_trigger import TRIGGERS
except Exception:  # noqa: BLE001 - whatever it is, fail safe
    LOGGER.exception("The triggers do not work with this version of Home Assistant")
    TRIGGERS = {}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers of the integration."""
    return TRIGGERS
