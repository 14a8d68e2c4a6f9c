"""Hours of Home Assistant: how soon a drop is seen, and what polling costs.

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
SLOT = 1800.0  # seconds: each outage has that long of its own
OUTAGE = (120.0, 600.0)  # seconds: the shortest, and the longest
# How many lines there are, how many of them drop together, how many times.
SCENARIOS = {
    "one_of_10": (10, 1, 100),
    "one_of_50": (50, 1, 40),
    "the_only_one": (1, 1, 100),
    "all_of_10": (10, 10, 20),
}
OPERATING_LINES = (1, 10, 50, 300)


@asynccontextmanager
async def _watched(
    domain: str, lines: int
) -> AsyncGenerator[tuple[HomeAssistant, Portal]]:
    """Provide a portal with so many lines, and a Home Assistant that polls it."""
    async with Portal() as portal, home_assistant() as hass:
        for at in range(lines):
            portal.add_line(FIRST_REG_ID + at, f"Line {at + 1}")
        await set_up(hass, make_entry(domain, portal.webhook, polls=True))
        yield hass, portal


async def _detection(domain: str, lines: int, dropped: int, drops: int) -> Any:
    """Have lines drop and recover, and measure when Home Assistant shows it."""
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

    async with _watched(domain, lines) as (hass, portal):
        hass.bus.async_listen("state_changed", changed)
        requests, commands = len(portal.requests), portal.commands(STATUS)
        began = now()
        for _ in range(drops):
            ends = now() + SLOT
            # Not in step with the polls, and over well before the slot's end.
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
        hours = (now() - began) / 3600
        return {
            "hours": hours,
            "changes": drops * dropped,
            **seen,
            "requests": (len(portal.requests) - requests) / hours,
            "commands": (portal.commands(STATUS) - commands) / hours,
        }


async def _operating(domain: str, lines: int) -> dict[str, float]:
    """Let two hours pass in which nothing happens; return what the second one cost."""
    async with _watched(domain, lines) as (_, portal):
        await asyncio.sleep(3600)
        requests, commands = len(portal.requests), portal.commands(STATUS)
        most = 0.0
        for _ in range(360):
            await asyncio.sleep(10)
            most = max(most, portal.operating(STATUS))
        commands = portal.commands(STATUS) - commands
        return {
            "requests": len(portal.requests) - requests,
            "polls": commands / lines,
            "seconds": commands * portal.operating_cost[STATUS],
            "most_in_10_minutes": most,
        }


async def measure_hours(*, quick: bool) -> dict[str, Any]:
    """Return all figures. Needs to run in a `SimulatedLoop`."""
    figures: dict[str, Any] = {"detection": {}, "operating": {}}
    for name, (lines, dropped, drops) in SCENARIOS.items():
        figures["detection"][name] = {
            domain: await _detection(domain, lines, dropped, 3 if quick else drops)
            for domain in (OURS, USUAL)
        }
    for lines in OPERATING_LINES:
        if quick and lines > 10:
            continue
        figures["operating"][str(lines)] = {
            domain: await _operating(domain, lines) for domain in (OURS, USUAL)
        }
    return figures
