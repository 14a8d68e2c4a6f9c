"""Uptime: how long each line was registered, and the outages it had.

Per line there is a log of changes between three states: registered, not registered, and
not known. It follows what is shown of the line, so what the grace period bridges counts
as it is shown. The rules:

- Times are whole seconds of UTC, so neither time zones nor daylight saving matter.
- While nothing is recorded (Home Assistant is off, or the entry is not loaded), and while
  the portal is silent past the grace period, the state is not known. That time is neither
  up nor down. A percentage is that of the time that is known.
- An outage goes on when the first state that is known after such a gap is still not
  registered; the gap does not count as downtime. Otherwise it ended with the last moment
  that the line was known to be down.
- The present is recorded every minute. Where more than five minutes lie between two
  records (the machine slept, or somebody set the clock forwards), that time is not known.
- When the clock is behind what is recorded, no time passes until it has caught up. If it
  still is behind after an hour, it is believed: what was recorded for a time that is yet
  to come is discarded, with the whole of a summed up hour or day that is yet to end. So
  no second is counted twice.
- The log keeps the latest changes. What is older is summed up by the hour (for two days)
  and by the day (for 400 days). A period that begins there is extended to the whole hour
  or day, and its figures are exact for that.
- Of the outages that are older than the log, the last thousand are kept. Where a period
  begins or ends within one of them, its downtime is at most what lies in the period.

No Home Assistant and no clock in here.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from .bitrix24 import Cause, RegistrationStatus
from .bitrix24.sip_codes import cause_of
from .state import LineState
from .uptime_history import DAY, HOUR, Buckets, PastOutages, ascending

HOURS_KEPT = 48
DAYS_KEPT = 400
# Those of a thousand outages, if nothing else happens.
CHANGES_KEPT = 2000
OUTAGES_KEPT = 1000
REASONS_KEPT = 1000
# More seconds than this between two records are not known.
GAP_SECONDS = 300
# A clock that is behind what is recorded is believed after so many seconds.
BELIEVED_AFTER = 3600
# Below this many known seconds, a percentage says nothing.
LEAST_KNOWN = HOUR

_LATEST = 2**32 - 1

# The states of the log. From DOWN on: not registered, with the index of the reason.
_NOT_KNOWN, _UP, _DOWN = 0, 1, 2


class Reason(NamedTuple):
    """What the portal said of a line when an outage began."""

    code: int | None = None
    message: str = ""
    status: str = ""

    @property
    def cause(self) -> Cause | None:
        """Why the line was not registered, None where nothing is known of it."""
        if not self.status:
            return None
        settled = self.status == RegistrationStatus.ERROR
        return cause_of(self.code, self.message, settled=settled)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a line, or of all lines, for a period. All times are seconds.

    length: that of the period, times the number of lines.
    """

    length: int = 0
    up: int = 0
    down: int = 0
    outages: int = 0

    def __add__(self, other: Figures) -> Figures:
        """Return the figures of both."""
        return Figures(
            self.length + other.length,
            self.up + other.up,
            self.down + other.down,
            self.outages + other.outages,
        )

    @property
    def known(self) -> int:
        """The time in which the state was known."""
        return self.up + self.down

    @property
    def uptime(self) -> float | None:
        """The uptime in percent of the known time, None where too little is known.

        It is 100 only if there was no downtime, and 0 only if there was nothing else.
        """
        if self.known < LEAST_KNOWN:
            return None
        return _percent(self.up, self.known)

    @property
    def known_percent(self) -> float:
        """The known time in percent of the period."""
        return _percent(self.known, self.length) if self.length else 0.0


def _percent(part: int, whole: int) -> float:
    """Return a percentage to two places; 0 and 100 only where they are exact."""
    hundredths = round(part * 10000 / whole)
    if 0 < part < whole:
        hundredths = min(max(hundredths, 1), 9999)
    return hundredths / 100


@dataclass(slots=True)
class Outage:
    """An outage.

    ended: the last moment in which the line was known to be down, None while it lasts;
    downtime: the seconds in the period asked for in which it was known to be down.
    """

    began: int
    ended: int | None
    downtime: int
    reason: Reason


class Reasons:
    """The reasons of a portal's outages, each of them once."""

    def __init__(self) -> None:
        """Begin with the reason of which nothing is known."""
        self._all = [Reason()]
        self._index = {Reason(): 0}

    def __getitem__(self, index: int) -> Reason:
        """Return the reason with an index."""
        return self._all[index]

    def index(self, reason: Reason) -> int:
        """Return the index of a reason.

        When there are too many, those that are new have no message, and at last nothing.
        """
        if (index := self._index.get(reason)) is not None:
            return index
        if reason.message and len(self._all) >= REASONS_KEPT:
            return self.index(reason._replace(message=""))
        if len(self._all) >= 2 * REASONS_KEPT:
            return 0
        self._all.append(reason)
        self._index[reason] = len(self._all) - 1
        return len(self._all) - 1

    def as_list(self) -> list[Reason]:
        """Return all reasons in the order of their indexes."""
        return self._all


class LineUptime:
    """The log of one line."""

    __slots__ = ("_at", "_days", "_hours", "_in_outage", "_kept", "_past", "_states")

    def __init__(self, kept: int = CHANGES_KEPT) -> None:
        """Begin with nothing known. kept: how many changes are."""
        self._kept = kept
        # The times of the changes, and the states from then on.
        self._at = array("I")
        self._states = array("H")
        # Whether the first change follows an outage that may go on.
        self._in_outage = False
        self._hours = Buckets(HOUR, HOURS_KEPT)
        self._days = Buckets(DAY, DAYS_KEPT)
        self._past = PastOutages(OUTAGES_KEPT)

    @property
    def state(self) -> int:
        """The state since the latest change."""
        return self._states[-1] if self._states else _NOT_KNOWN

    @property
    def changes(self) -> int:
        """How many changes are in the log, without those that are summed up."""
        return len(self._at)

    def change(self, now: int, state: int) -> None:
        """Take the state from now on, which is no earlier than the latest change."""
        if self._at and self._at[-1] == now:
            self._at.pop()  # it lasted for less than a second
            self._states.pop()
        before = self.state
        if state == before or (state >= _DOWN and before >= _DOWN):
            return
        self._at.append(now)
        self._states.append(state)
        while len(self._at) > self._kept:
            self._sum_up_first()

    def _sum_up_first(self) -> None:
        """Move the first span from the log to what is older."""
        (began, ended), state = self._at[:2], self._states[0]
        if state != _NOT_KNOWN:
            down = state >= _DOWN
            begins = down and not self._in_outage
            for buckets in (self._hours, self._days):
                buckets.add(began, ended, up=not down, begins=begins)
            if begins:
                self._past.add(began, ended, state)
            elif down:
                self._past.go_on(began, ended)
            self._in_outage = down
        del self._at[0], self._states[0]

    def take_back(self, now: int) -> None:
        """Discard what was recorded for a time that is not before now."""
        summed_up_to = self.logged_from(now)
        while self._at and self._at[-1] >= now:
            self._at.pop()
            self._states.pop()
        if summed_up_to > now:
            self._in_outage = False
            self._hours.discard_from(now)
            self._days.discard_from(now)
            self._past.discard_from(now)

    def _spans(self, first: int, last: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield began, ended and state of some spans. end: of the last of them."""
        began, states = self._at[first:last], self._states[first:last]
        return zip(began, [*began[1:], end], states, strict=False)

    @property
    def outages_from(self) -> int:
        """The time since when every outage is told: 0 until there are too many."""
        return self._past.since

    def logged_from(self, now: int) -> int:
        """Return since when the log tells every change."""
        return self._at[0] if self._at else now

    def _buckets(self, start: int, end: int) -> Buckets | None:
        """Return the buckets that tell the beginning of a period, None if the log does.

        There are none if nothing is older than the log.
        """
        if start >= self.logged_from(end):
            return None
        return self._hours if self._hours and self._hours.reach <= start else self._days

    def period(self, start: int, end: int) -> tuple[int, int]:
        """Return the period, extended to whole buckets where only those are known."""
        if buckets := self._buckets(start, end):
            length = buckets.seconds
            start = start // length * length
            if end < (logged_from := self.logged_from(end)):
                end = min(-(-end // length) * length, logged_from)
        return start, end

    def figures(self, start: int, end: int, now: int | None = None) -> Figures:
        """Return the figures of a period. now: None where it ends now.

        An outage that is going on when the period begins counts as one of it, except
        where only buckets are known of that time. So does one that begins now.
        """
        up = down = outages = 0
        in_outage = False
        ends_now = now is None or now == end
        buckets = self._buckets(start, end)
        start, end = self.period(start, end)
        if buckets:
            up, down, outages = buckets.total(start, min(end, self.logged_from(end)))
            in_outage = self._in_outage
        first = max(bisect_right(self._at, start) - 1, 0)
        last = bisect_left(self._at, end + ends_now)
        for began, ended, state in self._spans(first, last, end):
            if state == _UP:
                up += ended - max(began, start)
                in_outage = False
            elif state >= _DOWN:
                down += ended - max(began, start)
                outages += not in_outage
                in_outage = True
        return Figures(end - start, up, down, outages)

    def outages(self, start: int, end: int, now: int, reasons: Reasons) -> list[Outage]:
        """Return the outages of a period, as far as they are kept."""
        outages: list[Outage] = []
        latest: Outage | None = None
        for began, ended, downtime, state in self._past:
            most = max(0, min(ended, end) - max(began, start))
            latest = Outage(began, ended, min(downtime, most), reasons[state - _DOWN])
            if latest.downtime:
                outages.append(latest)
        if not self._in_outage:
            latest = None
        for began, ended, state in self._spans(0, len(self._at), now):
            if state == _UP:
                latest = None
            elif state >= _DOWN:
                if latest is None:
                    latest = Outage(began, None, 0, reasons[state - _DOWN])
                latest.ended = ended
                latest.downtime += max(0, min(ended, end) - max(began, start))
                within = latest.downtime or began == end == now
                if within and (not outages or outages[-1] is not latest):
                    outages.append(latest)
        if latest:
            latest.ended = None
        return outages

    def as_dict(self) -> dict[str, Any]:
        """Return the log as plain data."""
        return {
            "at": self._at.tolist(),
            "states": self._states.tolist(),
            "in_outage": self._in_outage,
            "hours": self._hours.as_lists(),
            "days": self._days.as_lists(),
            "outages": self._past.as_lists(),
            "outages_from": self._past.since,
        }

    @classmethod
    def restore(
        cls, stored: Mapping[str, Any], until: int, states: Mapping[int, int], kept: int
    ) -> Self:
        """Return the log from plain data; raise an exception for what cannot be.

        until: when it was stored, from when on nothing is known; states: what each
        state in the data is now.
        """
        line = cls(kept)
        line._at = array("I", stored["at"])
        line._states = array("H", [states[state] for state in stored["states"]])
        line._in_outage = bool(stored["in_outage"])
        line._hours.restore(stored["hours"])
        line._days.restore(stored["days"])
        *times, of_outages = stored["outages"]
        line._past.restore([*times, [states[state] for state in of_outages]])
        line._past.since = int(stored["outages_from"])
        if not (
            len(line._at) == len(line._states)
            and ascending(line._at)
            and (not line._at or line._at[-1] <= until)
            and 0 <= line._past.since <= until
            and (line._past or not line._in_outage)
            and all(state >= _DOWN for state in of_outages)
        ):
            raise ValueError("impossible changes")
        line.change(until, _NOT_KNOWN)
        return line


class PortalUptime:
    """The logs of a portal's lines."""

    def __init__(self, kept: int = CHANGES_KEPT) -> None:
        """Begin with nothing known. kept: how many changes of a line are."""
        self._kept = kept
        self.now = 0  # the latest second that was recorded
        self.lines: dict[int, LineUptime] = {}
        self.reasons = Reasons()
        self._shown: Mapping[int, LineState] = {}
        self._behind_since: float | None = None

    def record(
        self,
        shown: Mapping[int, LineState],
        wall: float,
        running: float,
        *,
        complete: bool = True,
    ) -> set[int]:
        """Take what is shown of the lines; return those whose outage began or ended.

        wall: seconds since 1970; running: seconds on a monotonic clock; complete: the
        lines are all that there are, so others are forgotten.
        """
        self._pass_time(min(max(int(wall), 0), _LATEST), running)
        changed: set[int] = set()
        if shown == self._shown:
            return changed
        for reg_id, line_state in shown.items():
            if self._shown.get(reg_id) is line_state:
                continue
            line = self.lines.get(reg_id)
            if line is None:
                line = self.lines[reg_id] = LineUptime(self._kept)
            before, state = line.state, self._state(line_state)
            line.change(self.now, state)
            if (before >= _DOWN) is not (state >= _DOWN):
                changed.add(reg_id)
        for reg_id in self.lines.keys() - shown.keys():
            if complete:
                del self.lines[reg_id]
            else:
                self.lines[reg_id].change(self.now, _NOT_KNOWN)
        self._shown = shown
        return changed

    def _state(self, line: LineState) -> int:
        """Return the state of the log for what is shown of a line."""
        if line.connected is None:
            return _NOT_KNOWN
        if line.connected:
            return _UP
        reason = Reason()
        if registration := line.registration:
            reason = Reason(
                registration.status_code,
                registration.error_message,
                registration.status_result,
            )
        return _DOWN + self.reasons.index(reason)

    def _pass_time(self, wall: int, running: float) -> None:
        """Advance to the present, by the rules for clocks that are not right."""
        if wall < self.now:
            if self._behind_since is None:
                self._behind_since = running
            if running - self._behind_since < BELIEVED_AFTER:
                return
            for line in self.lines.values():
                line.take_back(wall)
            self._shown = {}
        elif wall - self.now > GAP_SECONDS:
            for line in self.lines.values():
                line.change(self.now, _NOT_KNOWN)
            self._shown = {}
        self._behind_since = None
        self.now = wall

    def as_dict(self) -> dict[str, Any]:
        """Return all logs as plain data."""
        return {
            "until": self.now,
            "reasons": [list(reason) for reason in self.reasons.as_list()],
            "lines": {
                str(reg_id): line.as_dict() for reg_id, line in self.lines.items()
            },
        }

    @classmethod
    def restore(cls, stored: Mapping[str, Any], kept: int = CHANGES_KEPT) -> Self:
        """Return the logs from plain data; raise an exception for what cannot be."""
        portal = cls(kept)
        portal.now = until = int(stored["until"])
        lines: Mapping[str, Any] = stored["lines"]
        # Reasons that no line has any more are left out.
        states = {_NOT_KNOWN: _NOT_KNOWN, _UP: _UP}
        for state in sorted(
            {
                s
                for line in lines.values()
                for s in (*line["states"], *line["outages"][-1])
            }
        ):
            if state not in states:
                if state < _DOWN:
                    raise ValueError("impossible states")
                code, message, status = stored["reasons"][state - _DOWN]
                if not isinstance(message, str) or not isinstance(status, str):
                    raise ValueError("impossible reasons")
                reason = Reason(None if code is None else int(code), message, status)
                states[state] = _DOWN + portal.reasons.index(reason)
        portal.lines = {
            int(reg_id): LineUptime.restore(line, until, states, kept)
            for reg_id, line in lines.items()
        }
        return portal
