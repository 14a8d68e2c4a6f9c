"""Kill Home Assistant again and again, and check what is left of the uptime."""

import asyncio
from dataclasses import dataclass, field
import json
from pathlib import Path
from random import Random
import time
from typing import Any, Final

from custom_components.bitrix24_sip.uptime import PortalUptime
from dev.hass import HomeAssistant
from dev.portal import Portal

from .run import DOMAIN

_MAIN: Final = 201001
# Seconds that the file may be old where it is stored every second; the machine may be busy.
_DELAY: Final = 30.0


@dataclass(slots=True)
class CrashReport:
    """The result."""

    kills: int = 0
    oldest: float = 0.0  # seconds
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was wrong."""
        return bool(self.kills) and not self.wrong

    def __str__(self) -> str:
        """Show the counts."""
        lines = (
            f"Killed {self.kills} times",
            f"At most {self.oldest:.1f} s of figures were lost",
            f"Wrong: {len(self.wrong)}",
            *(f"  {sentence}" for sentence in self.wrong),
        )
        return "\n".join(lines)


async def crash(folder: Path, port: int, kills: int, seed: int) -> CrashReport:
    """Kill Home Assistant so many times, each time at a random moment."""
    report, random = CrashReport(), Random(seed)
    async with Portal() as portal, HomeAssistant(folder, port) as hass:
        line = portal.add_line(_MAIN, "Main line")
        entry = await hass.add_integration(DOMAIN, {"webhook": portal.webhook})
        path = folder / ".storage" / f"{DOMAIN}.uptime.{entry['entry_id']}"
        known, started = 0, time.time()
        for number in range(kills):
            if number % 2:
                line.recover()
            else:
                line.drop()
            await _stored_since(path, started)
            await asyncio.sleep(random.uniform(0.0, 6.0))
            await hass.kill()
            killed = time.time()
            report.kills += 1
            try:
                uptime = PortalUptime.restore(json.loads(_read(path))["data"])
            except Exception as damage:  # noqa: BLE001 - whatever is in the file
                report.wrong.append(f"kill {number}: the file is damaged: {damage!r}")
                break
            age = killed - uptime.now
            report.oldest = max(report.oldest, age)
            if age > _DELAY:
                report.wrong.append(f"kill {number}: the file was {age:.1f} s old")
            figures = uptime.lines[_MAIN].figures(uptime.now - 86_400, uptime.now)
            if figures.known <= known:
                report.wrong.append(f"kill {number}: what was known before is lost")
            known = figures.known
            await hass.start()
            started = time.time()
        for error in hass.logged_errors(DOMAIN):
            report.wrong.append(f"logged: {error}")
    return report


async def _stored_since(path: Path, since: float) -> None:
    """Wait until the file is written anew."""
    async with asyncio.timeout(180):
        while _written(path) < since + 1:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.2)


def _written(path: Path) -> float:
    """Return when a file was written, 0 where there is none."""
    return path.stat().st_mtime if path.exists() else 0.0


def _read(path: Path) -> Any:
    """Return the text of the file."""
    return path.read_text(encoding="utf-8")
