"""Many portals in one Home Assistant, in real time."""

import asyncio
from collections.abc import Callable
from contextvars import Context
import gc
import time
from typing import Any, override

from homeassistant.core import HomeAssistant

from .core import OURS, home_assistant, make_entry, set_up
from .measure import resident_bytes
from .portal_process import Portals

PORTALS, LINES = 50, 10
_POLL = "__wrap_handle_refresh_interval"


class WatchedLoop(asyncio.SelectorEventLoop):
    """An event loop that records how late a coordinator's polls begin, in seconds."""

    def __init__(self) -> None:
        """Start without records."""
        super().__init__()
        self.late: list[float] = []

    @override
    def call_at[*Ts](
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a call, and record the delay of polls."""

        def watched(*args: *Ts) -> None:
            self.late.append(self.time() - when)
            callback(*args)

        is_poll = getattr(callback, "__name__", "").endswith(_POLL)
        return super().call_at(
            when, watched if is_poll else callback, *args, context=context
        )


async def _processor_per_hour(seconds: float) -> float:
    """Return the processor seconds that this process would use in an hour."""
    gc.collect()
    began, began_processor = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    used = time.process_time() - began_processor
    return used / (time.perf_counter() - began) * 3600


async def _measure(
    hass: HomeAssistant, portals: Portals, seconds: float
) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WatchedLoop)
    gc.collect()
    before = resident_bytes()
    idle = await _processor_per_hour(seconds / 10)
    began, began_processor = time.perf_counter(), time.process_time()
    for webhook in portals.webhooks:
        await set_up(hass, make_entry(OURS, webhook, polls=True))
    figures: dict[str, Any] = {
        "set_up_seconds": time.perf_counter() - began,
        "set_up_processor": time.process_time() - began_processor,
    }
    requests = (await portals.do("counts"))["requests"]
    loop.late.clear()
    return figures | {
        "seconds": seconds,
        "processor_per_hour": await _processor_per_hour(seconds),
        "idle_processor_per_hour": idle,
        "resident_bytes": resident_bytes() - before,
        "resident_bytes_before": before,
        "requests": (await portals.do("counts"))["requests"] - requests,
        "late": loop.late,
    }


async def measure_scale(*, quick: bool) -> dict[str, Any]:
    """Return all figures. Needs to run in a `WatchedLoop`."""
    async with (
        Portals(portals=PORTALS, lines=LINES) as portals,
        home_assistant() as hass,
    ):
        # A quick run is too short to poll every portal, so its figures mean little.
        return await _measure(hass, portals, 10.0 if quick else 150.0)
