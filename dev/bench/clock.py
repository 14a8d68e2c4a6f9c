"""Simulated time: an event loop that never sleeps.

When nothing is ready and nothing is in progress, the clock jumps to the next timer.
This module imports nothing that keeps a reference to one of Python's clocks.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
import selectors
import time
from typing import Any, override

# Real seconds to wait for pending input and output.
_SETTLE = 0.0005


class SimulatedClock:
    """The time of this process, which passes only when the loop lets it."""

    def __init__(self) -> None:
        """Start at the present time."""
        self._monotonic, self._time = time.monotonic(), time.time()
        self.passed = 0.0

    def start(self) -> None:
        """Replace Python's clocks by this one, for all modules that are imported later."""
        time.monotonic = lambda: self._monotonic + self.passed
        time.time = lambda: self._time + self.passed


class _Selector(selectors.DefaultSelector):
    """Waits for pending input and output, and advances the clock when there is none."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self.clock = clock
        self.threads = 0  # calls that run in threads

    @override
    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if self.threads:
            return super().select(0.01)
        if (ready := super().select(_SETTLE)) or timeout is None:
            return ready
        self.clock.passed += timeout
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on a simulated clock."""

    def __init__(self, clock: SimulatedClock) -> None:
        """Take the clock."""
        self._simulated = _Selector(clock)
        super().__init__(self._simulated)

    @override
    def run_in_executor[*Ts, T](
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run a function in a thread, without advancing the clock."""
        self._simulated.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    @override
    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads, without a time limit: it would expire at once."""
        await super().shutdown_default_executor()

    def _done(self, _: asyncio.Future[Any]) -> None:
        self._simulated.threads -= 1
