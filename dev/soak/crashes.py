"""Kill Home Assistant again and again while the portal fails, and check what it stored."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
import json
from pathlib import Path
from random import Random
import re
import time
from typing import Final

import aiohttp

from custom_components.bitrix24_sip.uptime import PortalUptime
from dev.hass import HassError, HomeAssistant
from dev.portal import Portal

from .faults import RandomFaults
from .run import DOMAIN, add_lines, request_update, set_up

# Seconds that the file may be old: it is stored every second and has whole seconds, which
# makes 2, and the machine may be busy.
_DELAY: Final = 5.0
_INTERVAL: Final = 15  # seconds between polls
_LONGEST: Final = 25.0  # seconds that Home Assistant runs at most before it is killed
# Set-up that failed because the portal does, and is tried again.
_EXPECTED: Final = re.compile(rf"Error setting up entry .* for {DOMAIN}: ")


@dataclass(slots=True)
class CrashReport:
    """The result.

    kills: those while the uptime was recorded; early: those before that; moments: what
    failed at the moments of both.
    """

    kills: int = 0
    early: int = 0
    oldest: float = 0.0  # seconds
    moments: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was wrong."""
        return bool(self.kills) and not self.wrong

    def __str__(self) -> str:
        """Show the counts."""
        moments = ", ".join(f"{name} {n}" for name, n in self.moments.most_common())
        lines = (
            f"Killed {self.kills} times while it recorded, and {self.early} times before",
            f"Faults: {self.faults}; at the moment of a kill: {moments}",
            f"At most {self.oldest:.1f} s of figures were lost",
            f"Wrong: {len(self.wrong)}",
            *(f"  {sentence}" for sentence in self.wrong),
        )
        return "\n".join(lines)


async def crash(folder: Path, port: int, kills: int, seed: int) -> CrashReport:
    """Kill Home Assistant so many times while it records, each at a random moment."""
    report, random = CrashReport(), Random(seed)
    portal = Portal(operating_limit=None)
    add_lines(portal)
    faults = RandomFaults(portal, random)
    async with portal, HomeAssistant(folder, port) as hass:
        began = int(time.time())
        entry, sensors = await set_up(hass, portal, _INTERVAL)
        path = folder / ".storage" / f"{DOMAIN}.uptime.{entry['entry_id']}"
        before = PortalUptime()
        failing = asyncio.create_task(faults.go_on())
        while report.kills < kills:
            seconds = random.uniform(0.0, _LONGEST)
            loaded = await _run_for(seconds, hass, next(iter(sensors)))
            await hass.kill()
            killed = time.time()
            report.moments[faults.active or "no fault"] += 1
            name = f"kill {report.moments.total()} ({faults.active or 'no fault'})"
            try:
                stored = PortalUptime.restore(json.loads(_read(path))["data"])
            except Exception as damage:  # noqa: BLE001 - whatever is in the file
                report.wrong.append(f"{name}: the file is damaged: {damage!r}")
                break
            for problem in lost(before, stored, began):
                report.wrong.append(f"{name}: {problem}")
            before = stored
            if loaded is None:
                report.early += 1
            else:
                report.kills += 1
                age = max(killed - max(stored.now, loaded), 0)
                report.oldest = max(report.oldest, age)
                if age > _DELAY:
                    report.wrong.append(f"{name}: the file was {age:.1f} s old")
                print(f"{name} after {seconds:.1f} s: {age:.1f} s lost", flush=True)
            await hass.start()
        failing.cancel()
        with suppress(asyncio.CancelledError):
            await failing
        report.faults = len(faults.begun)
        for error in hass.logged_errors(DOMAIN):
            if not _EXPECTED.search(error):
                report.wrong.append(f"logged: {error}")
    return report


async def _run_for(seconds: float, hass: HomeAssistant, entity_id: str) -> float | None:
    """Let Home Assistant run, with updates between the polls.

    Return since when it surely records the uptime, None if it does not.
    """
    ends = time.monotonic() + seconds
    loaded = None
    while (left := ends - time.monotonic()) > 0:
        with suppress(HassError, aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(left):
                if loaded is None:
                    [entry] = await hass.command("config_entries/get", domain=DOMAIN)
                    if entry["state"] == "loaded":
                        loaded = time.time()
                else:
                    await request_update(hass, entity_id)
                await asyncio.sleep(1)
    return loaded


def lost(before: PortalUptime, after: PortalUptime, began: int) -> list[str]:
    """Return what was stored before and is not, or not the same, in what is stored now."""
    problems = []
    ended, now = before.now, after.now
    if now < ended:
        problems.append(f"it ends {ended - now} s earlier than before")
    for reg_id, line in before.lines.items():
        if (same := after.lines.get(reg_id)) is None:
            problems.append(f"line {reg_id} is lost")
            continue
        old, new = (each.figures(began, ended, ended + 1) for each in (line, same))
        if old != new:
            problems.append(f"line {reg_id} had {old}, and has {new}")
        old_outages, new_outages = (
            [
                (outage.began, outage.downtime, outage.reason)
                for outage in each.outages(began, ended, ended + 1, log.reasons)
            ]
            for each, log in ((line, before), (same, after))
        )
        if old_outages != new_outages:
            problems.append(f"line {reg_id}: outages {old_outages}, now {new_outages}")
    return problems


def _read(path: Path) -> str:
    """Return the text of the file."""
    return path.read_text(encoding="utf-8")
