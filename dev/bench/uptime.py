"""What the recording of the uptime costs: in a refresh, once an hour, and in memory."""

from collections.abc import Awaitable, Callable, Mapping
import copy
import gc
import time
import tracemalloc
from typing import Any
from unittest.mock import patch

from custom_components.bitrix24_sip.bitrix24 import SipLine, SipRegistration
from custom_components.bitrix24_sip.state import LineState
from custom_components.bitrix24_sip.uptime import GAP_SECONDS, PortalUptime
from custom_components.bitrix24_sip.uptime_history import DAY, HOUR

from .core import OURS
from .measure import processor_seconds
from .portal_process import FIRST_REG_ID
from .refresh import refresh, refreshed

LINES, QUICK_LINES = 500, 10
YEAR = 365 * DAY
EVERY = GAP_SECONDS  # as seldom as time between two records counts as known
# An outage every two hours fills the log, and what is summed up by the hour and the day.
OUTAGE_EVERY, OUTAGE = 2 * HOUR, 600  # seconds
MEASURED_LINES = 10


def _up(reg_ids: range) -> dict[int, LineState]:
    """Return lines that are registered."""
    return {
        reg_id: LineState(
            SipLine(reg_id), SipRegistration(reg_id, "success", 200, "OK"), True
        )
        for reg_id in reg_ids
    }


def _down(reg_ids: range) -> dict[int, LineState]:
    """Return lines that are not registered."""
    return {
        reg_id: LineState(
            SipLine(reg_id), SipRegistration(reg_id, "error", 403, "Forbidden"), False
        )
        for reg_id in reg_ids
    }


def _record(uptime: PortalUptime, reg_ids: range, ends: float, seconds: int) -> None:
    """Record some time that ends at a moment, with all of its outages."""
    up, down = _up(reg_ids), _down(reg_ids)
    for passed in range(0, seconds, EVERY):
        shown = down if passed % OUTAGE_EVERY >= OUTAGE_EVERY - OUTAGE else up
        uptime.record(shown, ends - seconds + passed, passed)


def _year_of(reg_ids: range) -> PortalUptime:
    """Return the same full year for each of the lines."""
    uptime = PortalUptime()
    _record(uptime, reg_ids[:1], time.time(), YEAR)
    stored = uptime.as_dict()
    (line,) = stored["lines"].values()
    stored["lines"] = {str(reg_id): copy.deepcopy(line) for reg_id in reg_ids}
    return PortalUptime.restore(stored)


def _log_bytes(seconds: int) -> float:
    """Return the memory of a line's log after some simulated time, in bytes."""
    reg_ids = range(FIRST_REG_ID, FIRST_REG_ID + MEASURED_LINES)
    gc.collect()
    tracemalloc.start()
    uptime = PortalUptime()
    # What is shown is in memory without the log, too.
    before = tracemalloc.get_traced_memory()[0]
    _record(uptime, reg_ids, time.time(), seconds)
    uptime.record({}, time.time(), seconds, complete=False)
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(uptime.lines) == MEASURED_LINES
    return used / MEASURED_LINES


async def _processor(lines: int, repetitions: int) -> dict[str, Any]:
    """Measure refreshes in which nothing changed, all variants in turn."""
    reg_ids = range(FIRST_REG_ID, FIRST_REG_ID + lines)
    seconds: dict[str, list[float]] = {"without": [], "empty": [], "year": []}
    hourly: dict[str, list[float]] = {"empty": [], "year": []}
    async with refreshed(OURS, lines) as (hass, entry, _):
        coordinator = entry.runtime_data.uptime
        act = refresh(hass, entry)
        await act()
        logs: Mapping[str, PortalUptime] = {
            "empty": coordinator.uptime,
            "year": _year_of(reg_ids),
        }
        for _ in range(repetitions):
            with patch.object(coordinator, "async_record", lambda _: None):
                await act()
                seconds["without"].append(await processor_seconds(act))
            for name, log in logs.items():
                coordinator.uptime = log
                await act()
                seconds[name].append(await processor_seconds(act))
                hourly[name].append(await processor_seconds(_all_anew(coordinator)))
    return {"refresh": seconds, "hourly": hourly}


def _all_anew(coordinator: Any) -> Callable[[], Awaitable[None]]:
    """Return a function that computes the figures of all lines, as once an hour."""

    async def act() -> None:
        coordinator.last_update_success = False
        coordinator.async_record(coordinator.config_entry.runtime_data.data)
        assert coordinator.last_update_success
        assert coordinator.data

    return act


async def measure_uptime(*, quick: bool) -> dict[str, Any]:
    """Return all figures."""
    lines = QUICK_LINES if quick else LINES
    return {
        "lines": lines,
        **await _processor(lines, 3 if quick else 25),
        "log_bytes": {"empty": _log_bytes(HOUR), "year": _log_bytes(YEAR)},
    }
