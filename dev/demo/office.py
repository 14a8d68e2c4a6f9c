"""The simulated portal of a small office, whose lines drop now and then."""

import asyncio
from random import Random
from typing import Final

from dev.portal import Portal

# Lines that do not change, so that each state can always be seen.
_FAILING: Final = 201004
_IN_PROGRESS: Final = 201006

# Errors of a provider that refuses or loses a registration.
_DROPS: Final = (
    (403, "Forbidden"),
    (408, "Request Timeout"),
    (480, "Temporarily Unavailable"),
    (503, "Service Unavailable"),
)
_PAUSE: Final = (20.0, 60.0)  # seconds


def office() -> Portal:
    """Return the portal, not yet started."""
    portal = Portal()
    portal.add_line(201001, "Main line")
    portal.add_line(201002, "Sales")
    portal.add_line(201003, "Support")
    portal.add_line(
        _FAILING, "Warehouse", status="error", code=403, message="Forbidden"
    )
    portal.add_line(201005, "Reception +7 495 000-00-05")
    portal.add_line(_IN_PROGRESS, "Fax", status="in_progress", code=0)
    portal.add_line(201007, "Отдел продаж")
    return portal


async def change_lines(portal: Portal, seed: int = 24) -> None:
    """Drop a line every 20 to 60 seconds and restore it as long after; never returns."""
    random = Random(seed)
    while True:
        await asyncio.sleep(random.uniform(*_PAUSE))
        steady = (_FAILING, _IN_PROGRESS)
        line = portal.lines[random.choice([r for r in portal.lines if r not in steady])]
        line.drop(*random.choice(_DROPS))
        await asyncio.sleep(random.uniform(*_PAUSE))
        line.recover()
