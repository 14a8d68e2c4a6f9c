"""Faults at random, of the portal and of its lines."""

import asyncio
from random import Random
import time
from typing import Any, Final

from dev.outcomes import AT_ONCE, MATRIX, REAUTH
from dev.portal import Portal
from dev.portal.faults import FAULTS, Fault, Result

STATUS: Final = "voximplant.sip.status"
LIST: Final = "voximplant.line.get"
GRACE: Final = 15  # seconds
# Polling stops when the webhook is refused, so the soak leaves those faults out.
SLUGS: Final = [slug for slug, row in MATRIX.items() if row.poll != REAUTH]
COMMAND_SLUGS: Final = [slug for slug in SLUGS if MATRIX[slug].command]
UNSETTLED: Final = ("in_progress", "wait", "resting")
KINDS: Final = ("request", "command", "line", "line", "none")
FIRST_REG_ID: Final = 201001
# What the portal may list instead of all lines.
LISTS: Final[tuple[Any, Any]] = ([], {f"reg{FIRST_REG_ID}": "Line 1"})


class RandomFaults:
    """Lets a portal and its lines fail at random.

    begun: when each fault began, and which one it was; permanent: from when to when there
    was an error that does not pass by itself; active: the fault that is switched on now.
    """

    def __init__(self, portal: Portal, random: Random) -> None:
        """Take the portal, and where the choices come from."""
        self.random = random
        self.begun: list[tuple[float, str]] = []
        self.permanent: list[tuple[float, float]] = []
        self.active = ""
        self._portal = portal
        self._reg_ids = list(portal.lines)

    async def go_on(self) -> None:
        """Let something fail again and again, until this is cancelled."""
        while True:
            await self.fail(self.random.choice((*KINDS, "list", "slow")))
            await self.pause()

    async def fail(self, kind: str) -> None:
        """Let one thing fail, and end it again if it is a fault of the portal."""
        random = self.random
        match kind:
            case "request":
                slug = random.choice(SLUGS)
                await self._fault(slug, FAULTS[slug])
            case "command":
                reg_id = random.choice(list(self._portal.lines))
                slug = random.choice(COMMAND_SLUGS)
                await self._fault(slug, FAULTS[slug], STATUS, reg_id)
            case "line":
                self._change_a_line()
            case "list":
                await self._fault(kind, Result(random.choice(LISTS)), LIST)
            case "slow":
                self._portal.command_delay = 1.0
                await self._last(kind)
                self._portal.command_delay = 0.0

    async def pause(self) -> None:
        """Wait for a while."""
        await asyncio.sleep(self.random.uniform(0.2, 3.0))

    async def _fault(
        self,
        name: str,
        fault: Fault,
        method: str | None = None,
        reg_id: int | None = None,
    ) -> None:
        """Switch a fault on for a while."""
        handle = self._portal.fault(fault, method=method, reg_id=reg_id)
        began = await self._last(name)
        handle.clear()
        if name in MATRIX and MATRIX[name].poll == AT_ONCE:
            self.permanent.append((began, time.time()))

    async def _last(self, name: str) -> float:
        """Let a fault last, shorter or longer than the grace period; return its begin."""
        began = time.time()
        self.begun.append((began, name))
        self.active = name
        await asyncio.sleep(self.random.choice((1.0, 3.0, 6.0, GRACE * 1.4)))
        self.active = ""
        return began

    def _change_a_line(self) -> None:
        """Let a line drop, recover, be in progress, or have no status."""
        random = self.random
        line = self._portal.lines[random.choice(self._reg_ids)]
        line.unreachable = False
        match random.choice(("drop", "recover", "recover", "unsettled", "unreachable")):
            case "drop":
                line.drop(*random.choice(((403, "Forbidden"), (503, "Unavailable"))))
            case "recover":
                line.recover()
            case "unsettled":
                line.set(random.choice(UNSETTLED), None, None)
            case "unreachable":
                line.unreachable = True
