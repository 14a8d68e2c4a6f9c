"""The schedule: when to ask the portal, and about which lines.

Flow: `plan` says what the poll that begins now asks, `polled` takes note that it was
answered, and `pause` (or `pause_after` an error) says when the next one begins.

1. A regular poll asks all lines at the chosen interval. With it come the list of lines
   every ten minutes and the SIP Connector every hour. With the list come the default
   outgoing line, and the portal's links once a day; a portal that refuses one of them
   is asked for it again after a day. A refresh that a user requests is a regular poll,
   too, and so is one that follows the loss of a line by 5 seconds: an outage at a
   provider takes several lines.
2. In between, an early poll asks the urgent lines every 15 seconds: those whose recovery
   is awaited, and those whose state is unsettled. Early polls stay within half of the
   operating time that the portal allows; where that is too little for all of the lines,
   some of them are asked in turn, and all of them at once when one is back.
3. From half of the operating time on, the interval grows, up to four times; a poll that
   would use more than three quarters of it waits.
4. After an error of the whole poll: as the portal says, else by the kind of the error.

Invariants: the pause is never shorter than the follow-up's, and a regular poll is never
put off by early ones. Caveat: the operating time is as old as the last answer, and lacks
what others use through the same webhook since.

No Home Assistant and no clock in here: all times are seconds on a monotonic clock.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .bitrix24 import Bitrix24Error, OperatingTime, PermanentError
from .bitrix24.errors import Throttled

LIST_EVERY = 600.0
CONNECTOR_EVERY = 3600.0
DAY = 86400.0
EARLY_EVERY = 15.0
FOLLOW_UP_AFTER = 5.0
# Timers are rounded to whole seconds: a poll this early is the one that was meant.
TOLERANCE = 2.0

# Seconds of operating time that a method may use in ten minutes. The cloud allows 480; a
# self-hosted portal 420 by default, if the limit is turned on there. The portal does not
# report it, so this is the smaller one.
OPERATING_LIMIT = 420.0
SLOWDOWN_FROM = 0.5  # of the limit
FULL_AT = 0.75  # of the limit
MAX_INTERVAL_FACTOR = 4.0
# An early poll uses at most this share of what is left to half of the limit, so that
# there is something left for as many polls as follow within ten minutes.
EARLY_SHARE = 1 / 20

# Seconds to the next poll after an error of the whole poll.
PERMANENT_PAUSE = 900.0
SLOW_PAUSES = {"plan_restricted": 3600.0, "telephony_missing": 3600.0}
THROTTLED_PAUSE = 60.0
MAX_PAUSE = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a poll asks. early: only some of the lines."""

    reg_ids: list[int]
    early: bool = False
    with_list: bool = False
    with_connector: bool = False
    with_outgoing: bool = False
    with_links: bool = False


class Schedule:
    """When to ask one portal."""

    def __init__(self, interval: float) -> None:
        """Take the chosen polling interval."""
        self.interval = interval
        self._regular_due = self._list_due = self._connector_due = 0.0
        self._outgoing_due = self._links_due = 0.0
        self._early_allowed = False  # the next poll may be an early one
        self._requested = False
        self._turns: dict[int, int] = {}  # by REG_ID: the early poll that asked it last
        self._early_polls = 0

    def request(self) -> None:
        """Have the next poll that begins ask all lines."""
        self._requested = True

    def plan(
        self,
        now: float,
        lines: Sequence[int],
        urgent: Sequence[int],
        used: OperatingTime | None,
    ) -> Plan:
        """Return what to ask now."""
        early = self._early_allowed and now + TOLERANCE < self._regular_due
        self._early_allowed = False
        if early and not self._requested and (some := self._some(urgent, used)):
            self._early_polls += 1
            self._turns |= dict.fromkeys(some, self._early_polls)
            return Plan(some, early=True)
        self._requested = False
        soon = now + TOLERANCE
        with_list = soon >= self._list_due
        return Plan(
            list(lines),
            with_list=with_list,
            with_connector=soon >= self._connector_due,
            with_outgoing=with_list and soon >= self._outgoing_due,
            with_links=with_list and soon >= self._links_due,
        )

    def others(
        self, plan: Plan, urgent: Sequence[int], used: OperatingTime | None
    ) -> list[int]:
        """Return whom to ask at once, as one of those that an early poll asked is back."""
        others = [reg_id for reg_id in urgent if reg_id not in plan.reg_ids]
        return others if plan.early and self._has_room(len(others), used) else []

    def polled(
        self,
        plan: Plan,
        began: float,
        *,
        lines: int,
        used: OperatingTime | None,
        lost: Collection[int] = (),
    ) -> None:
        """Take note of a poll that was answered. lines: how many a regular one asks."""
        if not plan.early:
            self._regular_due = began + self._interval(began, lines, used)
        if lost and lines > 1 and self._has_room(lines, used):
            self._regular_due = min(self._regular_due, began + FOLLOW_UP_AFTER)

    def got_list(self, now: float) -> None:
        """Take note that the list of lines was read."""
        self._list_due = now + LIST_EVERY

    def got_connector(self, now: float, *, known: bool) -> None:
        """Take note that the SIP Connector was asked, and whether it was answered."""
        self._connector_due = now + (CONNECTOR_EVERY if known else LIST_EVERY)

    def forget_connector(self) -> None:
        """Take note that nothing is known of the SIP Connector any more."""
        self._connector_due = 0.0

    def got_outgoing(self, now: float, *, refused: bool) -> None:
        """Take note that the default outgoing line was asked, or refused for good."""
        self._outgoing_due = now + (DAY if refused else LIST_EVERY)

    def got_links(self, now: float) -> None:
        """Take note that the portal's links were answered, or refused for good."""
        self._links_due = now + DAY

    def pause(
        self,
        now: float,
        urgent: Sequence[int],
        used: OperatingTime | None,
    ) -> float:
        """Return the seconds to the next poll."""
        if self._requested:
            return 1.0
        early = min(EARLY_EVERY, self.interval)
        regular = max(self._regular_due - now, FOLLOW_UP_AFTER)
        if regular <= early + TOLERANCE:
            return regular
        if not self._some(urgent, used):
            return regular
        self._early_allowed = True
        return early

    def pause_after(self, error: Bitrix24Error, *, urgent: bool) -> float:
        """Return the seconds to the next poll after one that failed as a whole.

        It asks all lines. urgent: some of them are to be polled early.
        """
        self._early_allowed = False
        early = min(EARLY_EVERY, self.interval)
        pause = error.retry_after
        if isinstance(error, PermanentError):
            pause = SLOW_PAUSES.get(error.reason, PERMANENT_PAUSE)
        elif isinstance(error, Throttled):
            pause = pause or THROTTLED_PAUSE
        elif pause is None:
            pause = early if urgent else self.interval
        return min(max(pause, early), MAX_PAUSE)

    def _some(self, urgent: Sequence[int], used: OperatingTime | None) -> list[int]:
        """Return as many of the urgent lines as there is operating time for, in turn."""
        if used is None or not used.per_call:
            return list(urgent)
        left = SLOWDOWN_FROM * OPERATING_LIMIT - used.seconds
        if left < used.per_call:
            return []
        most = max(1, int(left * EARLY_SHARE / used.per_call))
        return sorted(urgent, key=lambda reg_id: self._turns.get(reg_id, 0))[:most]

    def _has_room(self, lines: int, used: OperatingTime | None) -> bool:
        """Return whether one more poll of all lines stays below the slowdown."""
        if used is None:
            return True
        cost = used.per_call * lines
        return used.seconds + cost < SLOWDOWN_FROM * OPERATING_LIMIT

    def _interval(self, now: float, lines: int, used: OperatingTime | None) -> float:
        """Return the seconds between regular polls, with the operating time in mind."""
        if used is None:
            return self.interval
        share = used.seconds / OPERATING_LIMIT
        if share <= SLOWDOWN_FROM:
            return self.interval
        over = min(1.0, (share - SLOWDOWN_FROM) / (FULL_AT - SLOWDOWN_FROM))
        interval = self.interval * (1.0 + over * (MAX_INTERVAL_FACTOR - 1.0))
        if used.seconds + used.per_call * lines < FULL_AT * OPERATING_LIMIT:
            return interval
        # Wait until the oldest minute has left the sum; timers may be a second early.
        return max(interval, used.resets_at - now + 1.0)
