"""The roster: which lines there are, and what each answer does to them.

- A line is there because the portal lists it, because somebody added its REG_ID
  manually, or because it has a device from before a restart.
- A line is polled while one of its entities is enabled. A new line is polled once
  before it has entities, and a line that the list lacks is polled in any case.
- A line goes when the list lacked it at least twice over at least 30 minutes, and its
  own status was not answered meanwhile. An empty list proves nothing. Manually added
  lines do not go.

No Home Assistant and no clock in here: all times are seconds on a monotonic clock.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from .bitrix24 import Bitrix24Error, SipLine, SipRegistration
from .grace import Answer, LineTracker
from .state import LineState

# A line that the list lacks goes after this many seconds, if nothing speaks for it.
ABSENT_SECONDS = 1800.0
# The recovery of a lost registration is awaited for this many seconds.
AWAITED_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class ListChanges:
    """What a new list of the portal changed."""

    renamed: list[SipLine] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


class Roster:
    """The lines of one portal."""

    def __init__(
        self, *, grace: float, find_lines: bool, manual: Collection[int]
    ) -> None:
        """Take the grace period, whether listed lines are taken up, and manual REG_IDs."""
        self.listed: frozenset[int] | None = None  # by the latest list that was read
        self._grace = grace
        self._find_lines = find_lines
        self._manual = frozenset(manual)
        self._trackers = {r: LineTracker(SipLine(r)) for r in manual}
        self._absent_since: dict[int, float] = {}
        # Polled at least once; from then on only while one of its entities is enabled.
        self._polled_once: set[int] = set()

    def is_wanted(self, reg_id: int) -> bool:
        """Return whether a line from before a restart is still to be monitored."""
        return self._find_lines or reg_id in self._manual

    def restore(self, reg_id: int, title: str, *, disabled: bool) -> None:
        """Take up a line from before a restart. disabled: all of its entities are."""
        if reg_id not in self._manual:
            self._trackers[reg_id] = LineTracker(SipLine(reg_id, title))
        if disabled:
            self._polled_once.add(reg_id)

    def to_poll(self, enabled: Collection[int | None]) -> list[int]:
        """Return the lines to poll. enabled: those with an enabled entity."""
        return [
            reg_id
            for reg_id in self._trackers
            if reg_id in enabled
            or reg_id not in self._polled_once
            or reg_id in self._absent_since
        ]

    def never_polled(self) -> list[int]:
        """Return the lines that have not been polled yet."""
        return [r for r in self._trackers if r not in self._polled_once]

    def urgent(self, reg_ids: Iterable[int], now: float) -> list[int]:
        """Return which of the lines are to be polled early.

        Those whose recovery is awaited, and those that are inside a grace period.
        """
        return [
            reg_id
            for reg_id in reg_ids
            if (tracker := self._trackers.get(reg_id))
            and (
                tracker.doubt_ends(now) is not None
                or (
                    tracker.lost_since is not None
                    and now - tracker.lost_since < AWAITED_SECONDS
                )
            )
        ]

    def record(self, answers: Mapping[int, Answer], now: float) -> list[int]:
        """Take the answers of a poll; return the lines that were lost by it."""
        lost = []
        for reg_id, answer in answers.items():
            if (tracker := self._trackers.get(reg_id)) is None:
                continue
            self._polled_once.add(reg_id)
            if isinstance(answer, SipRegistration):
                self._absent_since.pop(reg_id, None)
            before = tracker.state(now)
            tracker.record(answer, now, self._grace)
            if before.connected and tracker.state(now).connected is False:
                lost.append(reg_id)
        return lost

    def record_list(self, listed: Mapping[int, SipLine], now: float) -> ListChanges:
        """Take a list of the portal: new lines come, others are renamed or go."""
        listed = _with_unique_titles(listed)
        self.listed = frozenset(listed)
        changes = ListChanges()
        for reg_id, line in listed.items():
            self._absent_since.pop(reg_id, None)
            if tracker := self._trackers.get(reg_id):
                if tracker.line != line:
                    tracker.line = line
                    changes.renamed.append(line)
            elif self._find_lines:
                self._trackers[reg_id] = LineTracker(line)
        if listed:
            for reg_id in self._trackers.keys() - listed.keys() - self._manual:
                since = self._absent_since.setdefault(reg_id, now)
                if now - since >= ABSENT_SECONDS:
                    self.remove(reg_id)
                    changes.gone.append(reg_id)
        return changes

    def remove(self, reg_id: int) -> None:
        """Forget a line."""
        self._trackers.pop(reg_id, None)
        self._absent_since.pop(reg_id, None)
        self._polled_once.discard(reg_id)

    def may_be_deleted(self, reg_id: int) -> bool:
        """Return whether a user may delete a line: as soon as the list lacks it."""
        if reg_id not in self._trackers:
            return True
        return (
            self.listed is not None
            and reg_id not in self.listed
            and reg_id not in self._manual
        )

    def errors(self, reg_ids: Iterable[int]) -> dict[int, Bitrix24Error]:
        """Return the errors of those lines whose latest poll failed."""
        return {
            reg_id: tracker.error
            for reg_id in reg_ids
            if (tracker := self._trackers.get(reg_id)) and tracker.error
        }

    def show(self, polled: Collection[int], now: float) -> dict[int, LineState]:
        """Return what is shown of each line; those that are not polled are not known."""
        return {
            reg_id: tracker.state(now) if reg_id in polled else LineState(tracker.line)
            for reg_id, tracker in self._trackers.items()
        }

    def next_change(self, polled: Iterable[int], now: float) -> float | None:
        """Return when the next grace period ends, None where none is running."""
        ends = (
            tracker.doubt_ends(now)
            for reg_id in polled
            if (tracker := self._trackers.get(reg_id))
        )
        return min((end for end in ends if end is not None), default=None)


def _with_unique_titles(lines: Mapping[int, SipLine]) -> dict[int, SipLine]:
    """Add the REG_ID to titles that several lines have, so that they can be told apart."""
    times = Counter(line.title for line in lines.values())
    return {
        reg_id: replace(line, title=f"{line.title} ({reg_id})")
        if line.title and times[line.title] > 1
        else line
        for reg_id, line in lines.items()
    }
