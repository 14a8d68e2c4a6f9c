"""Simulated hours: how soon a drop is seen, and what polling costs the portal.

Everything is real but the clock (see `clock`): the integration, Home Assistant's core,
HTTP over loopback, the simulated portal and its operating time.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import random
from typing import Any

from dev.portal import Portal
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback

from .core import OURS, USUAL, home_assistant, make_entry, set_up
from .portal_process import FIRST_REG_ID

STATUS = "voximplant.sip.status"
_REGISTRATION = "_registration"
SLOT = 1200.0  # seconds for each outage
OUTAGE = (120.0, 600.0)  # seconds: the shortest, and the longest
# How many lines there are, and how many of them drop together.
SCENARIOS = {
    f"{dropped}_of_{lines}": (lines, dropped)
    for lines in (1, 3, 10, 50)
    for dropped in sorted({1, lines})
}
OUTAGES = 100
# Beside it, in one scenario: a coordinator at a fixed interval, in seconds.
BESIDE, FIXED = "1_of_10", (30, 60)
OPERATING_LINES = (1, 10, 50, 300)


@asynccontextmanager
async def _watched(
    domain: str, lines: int, **options: Any
) -> AsyncGenerator[tuple[HomeAssistant, Portal]]:
    """Provide a portal with a number of lines, and a Home Assistant that polls it."""
    async with Portal() as portal, home_assistant() as hass:
        for at in range(lines):
            portal.add_line(FIRST_REG_ID + at, f"Line {at + 1}")
        await set_up(hass, make_entry(domain, portal.webhook, polls=True, **options))
        yield hass, portal


async def _detection(
    domain: str, lines: int, dropped: int, drops: int, **options: Any
) -> Any:
    """Let lines drop and recover, and measure when Home Assistant shows it."""
    chance = random.Random(f"{lines} {dropped}")  # the same for both patterns
    seen: dict[str, list[float]] = {"off": [], "on": []}
    since = 0.0
    now = asyncio.get_running_loop().time

    @callback
    def changed(event: Event[EventStateChangedData]) -> None:
        before, after = event.data["old_state"], event.data["new_state"]
        if before is None or after is None or before.state == after.state:
            return
        if after.domain == "binary_sensor" and after.entity_id.endswith(_REGISTRATION):
            seen[after.state].append(now() - since)

    async with _watched(domain, lines, **options) as (hass, portal):
        hass.bus.async_listen("state_changed", changed)
        requests, commands = len(portal.requests), portal.commands(STATUS)
        began = now()
        sampler = asyncio.create_task(_most_in_10_minutes(portal))
        for _ in range(drops):
            ends = now() + SLOT
            # Not in step with the polls, and well before the slot's end.
            await asyncio.sleep(chance.uniform(60.0, SLOT - OUTAGE[1] - 180.0))
            chosen = chance.sample(list(portal.lines.values()), dropped)
            since = now()
            for line in chosen:
                line.drop()
            await asyncio.sleep(chance.uniform(*OUTAGE))
            since = now()
            for line in chosen:
                line.recover()
            await asyncio.sleep(ends - now())
        sampler.cancel()
        hours = (now() - began) / 3600
        return {
            "most_in_10_minutes": _most[portal.host],
            "hours": hours,
            "changes": drops * dropped,
            **seen,
            "requests": (len(portal.requests) - requests) / hours,
            "commands": (portal.commands(STATUS) - commands) / hours,
        }


# The maximum operating time by portal, in seconds.
_most: dict[str, float] = {}


async def _most_in_10_minutes(portal: Portal) -> None:
    """Record the maximum operating time of the status method; never returns."""
    _most[portal.host] = 0.0
    while True:
        _most[portal.host] = max(_most[portal.host], portal.operating(STATUS))
        await asyncio.sleep(5)


async def _operating(domain: str, lines: int) -> dict[str, float]:
    """Let two hours pass without changes; return the cost of the second one."""
    async with _watched(domain, lines) as (_, portal):
        sampler = asyncio.create_task(_most_in_10_minutes(portal))
        await asyncio.sleep(3600)
        requests, commands = len(portal.requests), portal.commands(STATUS)
        await asyncio.sleep(3600)
        sampler.cancel()
        commands = portal.commands(STATUS) - commands
        return {
            "requests": len(portal.requests) - requests,
            "polls": commands / lines,
            "refused": portal.refused,
            "seconds": commands * portal.operating_cost[STATUS],
            "most_in_10_minutes": _most[portal.host],
        }


async def measure_hours(*, quick: bool) -> dict[str, Any]:
    """Return all figures. Needs to run in a `SimulatedLoop`."""
    figures: dict[str, Any] = {"detection": {}, "operating": {}}
    drops = 3 if quick else OUTAGES
    for name, (lines, dropped) in SCENARIOS.items():
        figures["detection"][name] = await _detection(OURS, lines, dropped, drops)
    lines, dropped = SCENARIOS[BESIDE]
    figures["fixed"] = {
        str(seconds): await _detection(
            USUAL, lines, dropped, drops, scan_interval=seconds
        )
        for seconds in FIXED
    }
    for lines in OPERATING_LINES:
        if quick and lines > 10:
            continue
        figures["operating"][str(lines)] = {
            domain: await _operating(domain, lines) for domain in (OURS, USUAL)
        }
    return figures
