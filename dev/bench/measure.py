"""Measurements of time and memory."""

from collections.abc import Awaitable, Callable, Sequence
import gc
import math
import statistics
import time
import tracemalloc

type Act = Callable[[], Awaitable[object]]


async def processor_seconds(act: Act, times: int = 1) -> float:
    """Return the processor time of this process for one of `times` runs, in seconds."""
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        await act()
    return (time.process_time() - began) / times


async def peak_memory(act: Act) -> int:
    """Return the peak memory of an act, in bytes."""
    await act()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        await act()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below or at which a share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def resident_bytes() -> int:
    """Return the memory of this process that is in use, in bytes (Linux)."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096
