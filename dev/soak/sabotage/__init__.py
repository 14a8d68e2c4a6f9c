"""Makes the integration fail, in the soak's Home Assistant only.

The action `sabotage.set` makes every poll raise an exception, and the clock be wrong.
"""

from datetime import datetime, timedelta
from typing import Any

from custom_components.bitrix24_sip.bitrix24 import Telephony
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.util import dt as dt_util

EXCEPTIONS = {
    kind.__name__: kind for kind in (RuntimeError, KeyError, TimeoutError, TypeError)
}


async def async_setup(hass: HomeAssistant, config: dict[str, Any]) -> bool:
    """Register the action."""
    true_poll, true_utcnow = Telephony.poll, dt_util.utcnow
    exception = ""
    offset = timedelta()

    async def poll(*args: Any, **kwargs: Any) -> Any:
        if exception:
            raise EXCEPTIONS[exception]("sabotage")
        return await true_poll(*args, **kwargs)

    def utcnow() -> datetime:
        return true_utcnow() + offset

    def sabotage(call: ServiceCall) -> None:
        nonlocal exception, offset
        exception = call.data["exception"]
        offset = timedelta(seconds=call.data["clock_offset"])

    Telephony.poll = poll  # type: ignore[method-assign]
    dt_util.utcnow = utcnow  # type: ignore[assignment]
    hass.services.async_register("sabotage", "set", sabotage)
    return True
