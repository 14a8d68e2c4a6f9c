"""Measure one section in this process, and print its figures as JSON."""

import asyncio
from collections.abc import Callable, Coroutine
import json
import logging
import sys
from typing import Any

from .clock import SimulatedClock, SimulatedLoop

type Measure = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


# Imports are late, because a section may need packages that another lacks, and because
# the simulated clock has to replace Python's clocks first.
def _section(name: str) -> tuple[Measure, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the function that measures a section, and the factory of its event loop."""
    if name == "hours":
        clock = SimulatedClock()
        clock.start()
        from .hours import measure_hours  # noqa: PLC0415

        return measure_hours, lambda: SimulatedLoop(clock)
    if name == "clients":
        from .clients import measure_clients  # noqa: PLC0415

        return measure_clients, asyncio.SelectorEventLoop
    if name == "refresh":
        from .refresh import measure_refresh  # noqa: PLC0415

        return measure_refresh, asyncio.SelectorEventLoop
    if name == "uptime":
        from .uptime import measure_uptime  # noqa: PLC0415

        return measure_uptime, asyncio.SelectorEventLoop
    from .scale import WatchedLoop, measure_scale  # noqa: PLC0415

    return measure_scale, WatchedLoop


def main() -> None:
    """Measure the section that the first argument names."""
    # Hide Home Assistant's warning about custom integrations.
    logging.getLogger("homeassistant.loader").setLevel(logging.ERROR)
    measure, make_loop = _section(sys.argv[1])
    with asyncio.Runner(loop_factory=make_loop) as runner:
        figures = runner.run(measure(quick="--quick" in sys.argv))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
