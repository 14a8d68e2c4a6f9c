"""What is kept of a line's uptime once it is older than the log of changes.

No Home Assistant and no clock in here.
"""

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

HOUR = 3600
DAY = 24 * HOUR


def ascending(values: array[int]) -> bool:
    """Return whether each value is greater than the one before."""
    return all(a < b for a, b in pairwise(values))


class Table(ABC):
    """Rows of numbers, in the order of the first number of each.

    They are kept in an array for each column, which takes a tenth of the memory of tuples.
    """

    __slots__ = ("_columns",)

    def __init__(self, types: str) -> None:
        """Begin without rows. types: the type code of each column."""
        self._columns = tuple(array(code) for code in types)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._columns[0])

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """Yield the rows."""
        return zip(*self._columns, strict=True)

    def _append(self, *row: int) -> None:
        """Add a row."""
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def _discard(self, first: int, last: int) -> None:
        """Discard some rows."""
        for column in self._columns:
            del column[first:last]

    def as_lists(self) -> list[list[int]]:
        """Return the columns as plain data."""
        return [column.tolist() for column in self._columns]

    def restore(self, stored: list[list[int]]) -> None:
        """Take the columns from plain data; raise a ValueError for what cannot be."""
        self._columns = tuple(
            array(column.typecode, values)
            for column, values in zip(self._columns, stored, strict=True)
        )
        rows = list(self)  # raises the error where the lengths differ
        if not (ascending(self._columns[0]) and all(map(self._is_possible, rows))):
            raise ValueError("impossible numbers")

    @abstractmethod
    def _is_possible(self, row: tuple[int, ...]) -> bool:
        """Return whether a row can be."""


class Buckets(Table):
    """The seconds up and down, and the outages that began, by the hour or by the day.

    Only those hours or days are kept in which something was known.
    """

    __slots__ = ("_kept", "seconds")

    def __init__(self, seconds: int, kept: int) -> None:
        """Take the length of a bucket, and how many of them are kept."""
        # Number of the bucket since 1970, seconds up, seconds down, outages.
        super().__init__("IIII")
        self.seconds = seconds
        self._kept = kept

    def add(self, began: int, ended: int, *, up: bool, begins: bool) -> None:
        """Add a span, which is later than all that were added before.

        begins: whether an outage begins with it.
        """
        numbers, *_ = self._columns
        last = (ended - 1) // self.seconds
        for number in range(
            max(began // self.seconds, last - self._kept + 1), last + 1
        ):
            if not numbers or numbers[-1] != number:
                self._append(number, 0, 0, 0)
            start = number * self.seconds
            seconds = min(ended, start + self.seconds) - max(began, start)
            self._columns[1 if up else 2][-1] += seconds
            if begins and start <= began:
                self._columns[3][-1] += 1
        self._discard(0, bisect_right(numbers, last - self._kept))

    def discard_from(self, now: int) -> None:
        """Discard the bucket in which a time lies, and all that are later."""
        numbers, *_ = self._columns
        self._discard(bisect_right(numbers, now // self.seconds - 1), len(numbers))

    @property
    def reach(self) -> int:
        """The time since which all buckets are kept."""
        return self._columns[0][0] * self.seconds

    def total(self, start: int, end: int) -> tuple[int, int, int]:
        """Return seconds up and down, and outages, of the buckets that begin within."""
        numbers, *values = self._columns
        first = bisect_right(numbers, start // self.seconds - 1)
        last = bisect_right(numbers, (end - 1) // self.seconds)
        up, down, outages = (sum(column[first:last]) for column in values)
        return up, down, outages

    def _is_possible(self, row: tuple[int, ...]) -> bool:
        """Return whether a bucket can be."""
        _, up, down, _ = row
        return up + down <= self.seconds


class PastOutages(Table):
    """The last outages that are over, or older than the log.

    A row is when it began, when it was last known to go on, its downtime in seconds, and
    the state of the line, which has the reason in it.

    since: the time since which every outage is kept.
    """

    __slots__ = ("_kept", "since")

    def __init__(self, kept: int) -> None:
        """Take how many outages are kept."""
        super().__init__("IIIH")
        self._kept = kept
        self.since = 0

    def add(self, began: int, ended: int, state: int) -> None:
        """Add an outage, which is later than all that were added before."""
        self._append(began, ended, ended - began, state)
        if len(self) > self._kept:
            self.since = self._columns[1][0]
            self._discard(0, 1)

    def go_on(self, began: int, ended: int) -> None:
        """Add a later span of time to the last outage."""
        _, ends, downtimes, _ = self._columns
        ends[-1] = ended
        downtimes[-1] += ended - began

    def discard_from(self, now: int) -> None:
        """Discard what is not before a time."""
        begins, ends, downtimes, _ = self._columns
        self._discard(bisect_right(begins, now - 1), len(begins))
        if begins and ends[-1] > now:
            ends[-1] = now
            downtimes[-1] = min(downtimes[-1], now - begins[-1])
        self.since = min(self.since, now)

    def _is_possible(self, row: tuple[int, ...]) -> bool:
        """Return whether an outage can be."""
        began, ended, downtime, _ = row
        return 0 < downtime <= ended - began
