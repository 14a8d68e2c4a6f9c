"""Incidents: losses of lines that belong together, each incident told once.

- An incident begins when a line that was registered is lost. Lines that are lost within
  one poll and the follow-up poll are told together; the incident grows by further lines.
- It ends when all of its lines have been registered again for two minutes, or for ten
  minutes where one of them was lost more than once in half an hour.
- A line that is lost again within half an hour after its incident ended begins another
  one, which does not end before that half hour is over. So however a line goes on and
  off, no more than two of its incidents begin within half an hour.
- A line that is not known neither begins, grows nor ends an incident. One that is no
  longer monitored leaves it.
- What is lost more than an hour after the latest growth, or while an incident only waits
  for that half hour, is an incident of its own: lines that are left down for good, or
  that go on and off, must not hide those that are lost later. That they are back is
  told with the next incident that ends.
- Lines that were not registered when the monitoring began belong to none.

No Home Assistant and no clock in here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from .bitrix24 import Cause, SipRegistration
from .schedule import FOLLOW_UP_AFTER, TOLERANCE
from .state import LineState

TELL_AFTER = timedelta(seconds=FOLLOW_UP_AFTER - TOLERANCE)
# When a loss is told if the follow-up poll brings nothing new, or nothing at all.
TELL_AT_LATEST = timedelta(seconds=2 * FOLLOW_UP_AFTER)
GROWS_FOR = timedelta(hours=1)
CALM_FOR = timedelta(minutes=2)
CALM_FOR_AFTER_RELAPSE = timedelta(minutes=10)
BEGINS_AGAIN_WITHIN = timedelta(minutes=30)
UNSTABLE_FROM = 4  # losses
UNSTABLE_WITHIN = timedelta(minutes=30)


class IncidentEvent(StrEnum):
    """What happens to an incident."""

    BEGAN = "began"
    GREW = "grew"
    ENDED = "ended"


class LossHistory:
    """When a line was lost within the last half hour."""

    def __init__(self, times: Iterable[datetime] = ()) -> None:
        """Take the times from before a restart."""
        self.times = list(times)

    def add(self, now: datetime) -> None:
        """Take note that the line was lost."""
        self.times.append(now)

    def count(self, now: datetime) -> int:
        """Return how often the line was lost."""
        # The clock may have been wrong, so a time that is still to come counts as none.
        self.times = [t for t in self.times if t <= now < t + UNSTABLE_WITHIN]
        return len(self.times)

    def unstable(self, now: datetime) -> bool:
        """Return whether the line really goes on and off."""
        return self.count(now) >= UNSTABLE_FROM


def as_text(time: datetime | None) -> str | None:
    """Return a time as it stands in attributes and in storage."""
    return time.isoformat() if time else None


def _as_time(text: str | None) -> datetime | None:
    """Return the time that a text in storage stands for."""
    return datetime.fromisoformat(text) if text else None


@dataclass(slots=True)
class LostLine:
    """A line of an incident: since when, and why.

    back_at: when it was back first; relapsed_at: when it was lost after that first.
    """

    lost_at: datetime
    code: int | None = None
    text: str = ""
    cause: Cause | None = None
    back: bool = False  # as last known
    back_at: datetime | None = None
    relapsed_at: datetime | None = None
    told: bool = False

    def is_back(self, now: datetime) -> None:
        """Take note that the line is registered again."""
        self.back = True
        self.back_at = self.back_at or now

    def failed(self, registration: SipRegistration | None, now: datetime) -> None:
        """Take note that the line is not registered, and why."""
        if self.back:
            self.relapsed_at = self.relapsed_at or now
        self.back = False
        if registration:
            self.code = registration.status_code
            self.text = registration.error_message
            self.cause = registration.cause

    def as_dict(self) -> dict[str, Any]:
        """Return what is stored."""
        return {
            "lost_at": self.lost_at.isoformat(),
            "code": self.code,
            "text": self.text,
            "cause": self.cause,
            "back": self.back,
            "back_at": as_text(self.back_at),
            "relapsed_at": as_text(self.relapsed_at),
            "told": self.told,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Return what was stored."""
        cause = stored["cause"]
        return cls(
            datetime.fromisoformat(stored["lost_at"]),
            stored["code"],
            stored["text"],
            None if cause is None else Cause(cause),
            stored["back"],
            _as_time(stored["back_at"]),
            _as_time(stored["relapsed_at"]),
            stored["told"],
        )


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told.

    lines: all of the incident, those that are back included; new: those that were not
    told before; unstable: those that go on and off; again: those whose
    incident before had just ended; duration: None where it has not ended, or its length
    is not known.
    """

    event: IncidentEvent
    lines: dict[int, LostLine]
    new: list[int] = field(default_factory=list)
    unstable: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    duration: timedelta | None = None

    @property
    def code(self) -> int | None:
        """The code that all lines that are down have."""
        return _common(line.code for line in self._concerned)

    @property
    def text(self) -> str | None:
        """The text that all lines have."""
        return _common(line.text for line in self._concerned) or None

    @property
    def cause(self) -> Cause | None:
        """The cause that all lines have."""
        return _common(line.cause for line in self._concerned)

    @property
    def _concerned(self) -> list[LostLine]:
        """The lines that are down, or all of them when the incident has ended."""
        lines = list(self.lines.values())
        return [line for line in lines if not line.back] or lines


def _common[ValueT](values: Iterable[ValueT]) -> ValueT | None:
    """Return the value that all of them are, else None."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


@dataclass(slots=True)
class Incident:
    """An incident that has not ended. held_until: when it may end at the earliest."""

    grew_at: datetime
    lines: dict[int, LostLine] = field(default_factory=dict)
    told: bool = False
    untold_since: datetime | None = None
    back_since: datetime | None = None
    held_until: datetime | None = None
    unstable: set[int] = field(default_factory=set)
    again: set[int] = field(default_factory=set)

    def held_for(self, now: datetime) -> timedelta:
        """Return for how long it may not end yet."""
        left = self.held_until - now if self.held_until else timedelta()
        # More than that is left only if the clock was put back.
        return left if left <= BEGINS_AGAIN_WITHIN else timedelta()

    def as_dict(self) -> dict[str, Any]:
        """Return what is stored."""
        return {
            "grew_at": self.grew_at.isoformat(),
            "lines": _lines_as_dict(self.lines),
            "told": self.told,
            "back_since": as_text(self.back_since),
            "held_until": as_text(self.held_until),
            "unstable": sorted(self.unstable),
            "again": sorted(self.again),
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Return what was stored: what was not told yet is told now."""
        grew_at = datetime.fromisoformat(stored["grew_at"])
        lines = _lines_from_dict(stored["lines"])
        untold = any(not line.told for line in lines.values())
        return cls(
            grew_at,
            lines,
            stored["told"],
            untold_since=grew_at if untold else None,
            back_since=_as_time(stored["back_since"]),
            held_until=_as_time(stored["held_until"]),
            unstable=set(stored["unstable"]),
            again=set(stored["again"]),
        )


class IncidentTracker:
    """Follows the lines of one portal, and says when an incident begins, grows or ends."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.incident: Incident | None = None
        # Lines of former incidents of which it has not been told yet that they are back.
        self._left: dict[int, LostLine] = {}
        self._registered: set[int] = set()  # as last known
        self._losses: dict[int, LossHistory] = {}
        self._ended: dict[int, datetime] = {}  # when the latest incident of a line did

    def as_dict(self) -> dict[str, Any]:
        """Return what is stored for the time after a restart."""
        return {
            "incident": self.incident and self.incident.as_dict(),
            "left": _lines_as_dict(self._left),
            "registered": sorted(self._registered),
            "losses": {
                str(reg_id): [time.isoformat() for time in history.times]
                for reg_id, history in self._losses.items()
            },
            "ended": {
                str(reg_id): time.isoformat() for reg_id, time in self._ended.items()
            },
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Go on with what was stored; begin anew where that cannot be read."""
        tracker = cls()
        try:
            left = _lines_from_dict(stored["left"])
            registered = {int(reg_id) for reg_id in stored["registered"]}
            losses = {
                int(reg_id): LossHistory(map(datetime.fromisoformat, times))
                for reg_id, times in stored["losses"].items()
            }
            ended = {
                int(reg_id): datetime.fromisoformat(time)
                for reg_id, time in stored["ended"].items()
            }
            incident = stored["incident"]
            if incident is not None:
                incident = Incident.from_dict(incident)
        except AttributeError, KeyError, TypeError, ValueError:
            return tracker
        tracker.incident, tracker._left = incident, left
        tracker._registered, tracker._losses = registered, losses
        tracker._ended = ended
        return tracker

    @property
    def is_open(self) -> bool:
        """Whether an incident has begun, and has not ended."""
        return self.incident is not None and self.incident.told

    def update(self, lines: Mapping[int, LineState], now: datetime) -> list[News]:
        """Take what is shown of the monitored lines; return what is to be told."""
        self._forget_others(lines)
        for reg_id, state in lines.items():
            if state.connected:
                self._is_back(reg_id, now)
            elif state.connected is False:
                self._is_down(reg_id, state.registration, now)
        if self.incident is None and (back := self._take_back()):
            grew_at = max(line.lost_at for line in back.values())
            self.incident = Incident(grew_at, back, told=True)
        if (incident := self.incident) is None:
            return []
        news = self._growth(incident, lines, now)
        if self._has_ended(incident, lines, now):
            self.incident = None
            if incident.told:
                news.append(self._end(incident, now))
        return news

    def next_change(self, now: datetime) -> float | None:
        """Return the seconds until there is something to tell if nothing happens."""
        if (incident := self.incident) is None:
            return None
        left = []
        if incident.untold_since:
            left.append(incident.untold_since + TELL_AT_LATEST - now)
        if incident.back_since:
            calm_until = incident.back_since + self._calm_for(incident, now)
            left.append(max(calm_until - now, incident.held_for(now)))
        return min(left).total_seconds() if left else None

    def _forget_others(self, lines: Mapping[int, LineState]) -> None:
        """Forget the lines that are no longer monitored."""
        self._registered &= lines.keys()
        kept: list[dict[int, Any]] = [self._left, self._losses, self._ended]
        if self.incident:
            kept.append(self.incident.lines)
        for of_lines in kept:
            for reg_id in of_lines.keys() - lines.keys():
                del of_lines[reg_id]

    def _is_back(self, reg_id: int, now: datetime) -> None:
        """Take note that a line is registered."""
        self._registered.add(reg_id)
        if line := self._line(reg_id):
            line.is_back(now)

    def _is_down(
        self, reg_id: int, registration: SipRegistration | None, now: datetime
    ) -> None:
        """Take note that a line is not registered."""
        was_registered = reg_id in self._registered
        self._registered.discard(reg_id)
        line = self._line(reg_id)
        if was_registered:
            self._losses.setdefault(reg_id, LossHistory()).add(now)
            if line is None:
                line = self._joins(reg_id, now)
        if line:
            line.failed(registration, now)

    def _line(self, reg_id: int) -> LostLine | None:
        """Return a line of the incident, or of a former one."""
        if self.incident and (line := self.incident.lines.get(reg_id)):
            return line
        return self._left.get(reg_id)

    def _take_back(self) -> dict[int, LostLine]:
        """Take the lines of former incidents that are back."""
        back = {reg_id: line for reg_id, line in self._left.items() if line.back}
        for reg_id in back:
            del self._left[reg_id]
        return back

    def _joins(self, reg_id: int, now: datetime) -> LostLine:
        """Add a lost line to the incident, or to a new one."""
        incident = self.incident
        if (
            incident
            and incident.told
            and (now - incident.grew_at > GROWS_FOR or self._is_calm(incident, now))
        ):
            self._left |= incident.lines
            incident = None
        if incident is None:
            incident = self.incident = Incident(now)
        ended = self._ended.get(reg_id)
        if ended and now < ended + BEGINS_AGAIN_WITHIN:
            incident.held_until = ended + BEGINS_AGAIN_WITHIN
            incident.again.add(reg_id)
        incident.grew_at = now
        incident.untold_since = incident.untold_since or now
        line = incident.lines[reg_id] = LostLine(now)
        return line

    def _growth(
        self, incident: Incident, lines: Mapping[int, LineState], now: datetime
    ) -> list[News]:
        """Tell of lines that were lost, once the follow-up poll has had its say."""
        unstable = {r for r in incident.lines if self._is_unstable(r, now)}
        incident.unstable = (incident.unstable | unstable) & incident.lines.keys()
        if incident.untold_since is None or (
            abs(now - incident.untold_since) < TELL_AFTER
            and any(state.connected for state in lines.values())
        ):
            return []
        incident.untold_since = None
        untold = [r for r, line in incident.lines.items() if not line.told]
        for reg_id in untold:
            if incident.lines[reg_id].back:  # it was away for a moment only
                del incident.lines[reg_id]
        new = [reg_id for reg_id in untold if reg_id in incident.lines]
        if not new:
            return []
        for reg_id in new:
            incident.lines[reg_id].told = True
        event = IncidentEvent.GREW if incident.told else IncidentEvent.BEGAN
        incident.told = True
        return [self._news(event, incident, new=new)]

    def _has_ended(
        self, incident: Incident, lines: Mapping[int, LineState], now: datetime
    ) -> bool:
        """Return whether all lines have been back for long enough."""
        if not incident.lines:
            return True
        if not all(line.back for line in incident.lines.values()):
            incident.back_since = None
            return False
        if incident.back_since is None or incident.back_since > now:
            incident.back_since = now
        all_known = all(lines[reg_id].connected for reg_id in incident.lines)
        held = incident.held_for(now) > timedelta()
        return all_known and not held and self._is_calm(incident, now)

    def _is_calm(self, incident: Incident, now: datetime) -> bool:
        """Return whether all lines have been back for a while."""
        if incident.back_since is None:
            return False
        return now - incident.back_since >= self._calm_for(incident, now)

    def _end(self, incident: Incident, now: datetime) -> News:
        """Return the news that an incident has ended."""
        duration = None
        incident.lines |= self._take_back()
        self._ended |= dict.fromkeys(incident.lines, now)
        if incident.lines and incident.back_since:
            began = min(line.lost_at for line in incident.lines.values())
            # The clock may have been wrong when the first line was lost.
            if began <= incident.back_since:
                duration = incident.back_since - began
        return self._news(IncidentEvent.ENDED, incident, duration=duration)

    def _news(self, event: IncidentEvent, incident: Incident, **more: Any) -> News:
        """Return what is to be told of an incident."""
        return News(
            event,
            incident.lines,
            unstable=sorted(incident.unstable),
            again=sorted(incident.again & incident.lines.keys()),
            **more,
        )

    def _is_unstable(self, reg_id: int, now: datetime) -> bool:
        """Return whether a line goes on and off."""
        return reg_id in self._losses and self._losses[reg_id].unstable(now)

    def _calm_for(self, incident: Incident, now: datetime) -> timedelta:
        """Return for how long all lines must have been back."""
        relapsed = any(
            self._losses[reg_id].count(now) > 1
            for reg_id in incident.lines
            if reg_id in self._losses
        )
        return CALM_FOR_AFTER_RELAPSE if relapsed else CALM_FOR


def _lines_as_dict(lines: Mapping[int, LostLine]) -> dict[str, Any]:
    """Return lines as they are stored."""
    return {str(reg_id): line.as_dict() for reg_id, line in lines.items()}


def _lines_from_dict(stored: dict[str, Any]) -> dict[int, LostLine]:
    """Return stored lines."""
    return {int(reg_id): LostLine.from_dict(line) for reg_id, line in stored.items()}
