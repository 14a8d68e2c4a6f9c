"""What a refresh costs in Home Assistant, compared with the usual pattern."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
import gc
from itertools import repeat
from pathlib import Path
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from typing import Any
from unittest.mock import patch

from custom_components.bitrix24_sip.bitrix24 import Telephony
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.recorder import get_instance

from .core import DATABASE, OURS, USUAL, home_assistant, make_entry, set_up
from .measure import processor_seconds
from .portal_process import FIRST_REG_ID, Portals

SIZES = (10, 50, 500)
# Home Assistant creates a ULID for every state that it writes. Its image does so in C;
# elsewhere it may be done in Python. This one costs as little as the one in C.
CHEAP_ULID = partial(next, repeat("01K00000000000000000000000"))
# At this interval every refresh polls all lines, including those that failed.
INTERVAL = 15


@asynccontextmanager
async def refreshed(
    domain: str, lines: int, *, recorder: bool = False
) -> AsyncGenerator[tuple[HomeAssistant, ConfigEntry, Portals]]:
    """Provide a Home Assistant with a portal that is refreshed on request."""
    async with (
        Portals(lines=lines) as portals,
        home_assistant(recorder=recorder) as hass,
    ):
        entry = make_entry(domain, portals.webhooks[0], scan_interval=INTERVAL)
        await set_up(hass, entry)
        yield hass, entry, portals


def refresh(hass: HomeAssistant, entry: ConfigEntry) -> Callable[[], Awaitable[None]]:
    """Return a function that refreshes an entry and waits for the end."""

    async def act() -> None:
        await entry.runtime_data.async_refresh()
        await hass.async_block_till_done()
        assert entry.runtime_data.last_update_success

    return act


def _telephony(coordinator: Any) -> Telephony:
    """Return what either pattern's coordinator asks the portal with."""
    telephony: Telephony = getattr(coordinator, "monitor", coordinator).telephony
    return telephony


async def _processor(lines: int, repetitions: int) -> dict[str, dict[str, list[float]]]:
    """Measure refreshes: nothing, one line, all lines changed; both patterns in turn.

    "client" is the poll alone, without Home Assistant.
    """
    seconds: dict[str, dict[str, list[float]]] = {
        domain: {"none": [], "one": [], "all": [], "client": []}
        for domain in (OURS, USUAL)
    }
    reg_ids = range(FIRST_REG_ID, FIRST_REG_ID + lines)
    async with refreshed(OURS, lines) as ours, refreshed(USUAL, lines) as usual:
        sides = ((OURS, ours), (USUAL, usual))
        for _, (hass, entry, _) in sides:
            await refresh(hass, entry)()
        for _ in range(repetitions):
            for domain, (hass, entry, portals) in sides:
                act = refresh(hass, entry)
                for what, changed in (("one", 1), ("all", lines), ("none", 0)):
                    if changed:
                        await portals.do("change", lines=changed)
                    seconds[domain][what].append(await processor_seconds(act))
                poll = partial(_telephony(entry.runtime_data).poll, reg_ids)
                seconds[domain]["client"].append(await processor_seconds(poll))
    return seconds


async def _writes(domain: str, lines: int) -> dict[str, dict[str, int]]:
    """Count state writes, and the rows that the recorder stores for them."""
    counts = {}
    async with refreshed(domain, lines, recorder=True) as (hass, entry, portals):
        recorder = get_instance(hass)
        database = Path(hass.config.path(DATABASE))
        written = 0

        @callback
        def wrote(_: Event[Any]) -> None:
            nonlocal written
            written += 1

        hass.bus.async_listen(EVENT_STATE_CHANGED, wrote)
        hass.bus.async_listen(EVENT_STATE_REPORTED, wrote, event_filter=_any)
        await refresh(hass, entry)()
        await recorder.async_block_till_done()
        for what, changed in (("none", 0), ("one", 1), ("all", lines)):
            rows, written = _rows(database), 0
            if changed:
                await portals.do("change", lines=changed)
            await refresh(hass, entry)()
            await recorder.async_block_till_done()
            counts[what] = {"writes": written, "rows": _rows(database) - rows}
    return counts


@callback
def _any(_: Any) -> bool:
    """Accept every event; Home Assistant requires a filter."""
    return True


def _rows(database: Path) -> int:
    """Return how many states the recorder has in its database."""
    with closing(sqlite3.connect(database)) as connection:
        rows: int = connection.execute("SELECT COUNT(*) FROM states").fetchone()[0]
        return rows


async def _set_up(domain: str, lines: int, repetitions: int) -> dict[str, list[float]]:
    """Measure the setup of an entry that was set up before, as at every restart."""
    seconds: dict[str, list[float]] = {"processor": [], "wall": []}
    async with refreshed(domain, lines) as (hass, entry, _):
        for _ in range(repetitions):
            assert await hass.config_entries.async_unload(entry.entry_id)
            await hass.async_block_till_done()
            gc.collect()
            began, began_processor = time.perf_counter(), time.process_time()
            assert await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done()
            seconds["wall"].append(time.perf_counter() - began)
            seconds["processor"].append(time.process_time() - began_processor)
    return seconds


async def _memory(domain: str, few: int, many: int) -> float:
    """Return the memory of a line in bytes, including its entities."""
    used = {}
    for lines in (few, many):
        async with Portals(lines=lines) as portals, home_assistant() as hass:
            # Exclude what exists once for all portals.
            async with Portals(lines=1) as first:
                await set_up(hass, make_entry(domain, first.webhooks[0]))
            gc.collect()
            tracemalloc.start()
            entry = make_entry(domain, portals.webhooks[0])
            await set_up(hass, entry)
            for _ in range(2):
                await refresh(hass, entry)()
            gc.collect()
            used[lines] = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
    return (used[many] - used[few]) / (many - few)


_IMPORT = """
import time
{before}
began, began_processor = time.perf_counter(), time.process_time()
{imported}
print(time.perf_counter() - began, time.process_time() - began_processor)
"""
# Modules that Home Assistant loads in any case.
_LOADED = """
import homeassistant.bootstrap, homeassistant.components.binary_sensor
import homeassistant.components.event, homeassistant.components.sensor
import homeassistant.components.repairs, homeassistant.components.diagnostics
import homeassistant.components.system_health
"""


def _import_seconds(repetitions: int) -> dict[str, list[float]]:
    """Measure the import of the integration and its platforms, in fresh processes."""
    package = "custom_components.bitrix24_sip"
    modules = ("", ".binary_sensor", ".event", ".sensor")
    imported = "import " + ", ".join(f"{package}{module}" for module in modules)
    code = _IMPORT.format(before=_LOADED, imported=imported)
    seconds: dict[str, list[float]] = {"wall": [], "processor": []}
    for _ in range(repetitions):
        result = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        wall, processor = result.stdout.split()
        seconds["wall"].append(float(wall))
        seconds["processor"].append(float(processor))
    return seconds


async def measure_refresh(*, quick: bool) -> dict[str, Any]:
    """Return all figures of the integration in Home Assistant."""
    repetitions = 3 if quick else 25
    figures: dict[str, Any] = {"repetitions": repetitions}
    for lines in SIZES[:1] if quick else SIZES:
        figures[str(lines)] = {
            "processor": await _processor(lines, repetitions),
            "writes": {d: await _writes(d, lines) for d in (OURS, USUAL)},
            "set_up": {
                d: await _set_up(d, lines, 1 if quick else 5) for d in (OURS, USUAL)
            },
        }
    with patch("homeassistant.core.ulid_at_time", CHEAP_ULID):
        figures["cheap_ulids"] = await _processor(lines, repetitions)
    figures["bytes_per_line"] = {
        d: await _memory(d, 10, 60 if quick else 260) for d in (OURS, USUAL)
    }
    figures["import"] = await asyncio.to_thread(_import_seconds, 2 if quick else 20)
    return figures
