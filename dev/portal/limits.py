"""What the portal counts before it refuses a call: requests, and operating time."""

from collections import defaultdict
from typing import Final

BUCKETS: Final = 10  # of a minute each: operating time is summed over them
BOOKED_FROM: Final = 0.1  # seconds; shorter calls cost no operating time


class LeakyBucket:
    """The limit of requests: each adds one, and the bucket drains over time."""

    def __init__(self) -> None:
        """Start empty."""
        self._level, self._level_at = 0.0, 0.0

    def add(self, rate: tuple[float, float], now: float) -> bool:
        """Count a request; False where it is one too many.

        rate: what the bucket drains a second, and its size.
        """
        drain, size = rate
        self._level = max(0.0, self._level - drain * (now - self._level_at))
        self._level_at = now
        if self._level > size:
            return False
        self._level += 1
        return True


class OperatingTime:
    """The operating time of each method in the last ten minutes."""

    def __init__(self) -> None:
        """Start with none."""
        self._buckets: dict[str, dict[int, float]] = defaultdict(dict)

    def used(self, method: str, now: float) -> float:
        """Return the operating time of a method, in seconds."""
        buckets = self._buckets[method]
        for minute in [m for m in buckets if m <= int(now // 60) - BUCKETS]:
            del buckets[minute]
        return sum(buckets.values())

    def book(self, method: str, seconds: float, now: float) -> None:
        """Add what a call took to the bucket of this minute."""
        if seconds > BOOKED_FROM:
            minute = int(now // 60)
            buckets = self._buckets[method]
            buckets[minute] = buckets.get(minute, 0.0) + seconds

    def reset_at(self, method: str, now: float) -> int:
        """Return when the oldest bucket of a method is forgotten."""
        return (min(self._buckets[method], default=int(now // 60)) + BUCKETS) * 60
