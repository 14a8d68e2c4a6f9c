"""How much to ask of a portal at once, and how often.

The portal cuts a request off after 60 seconds, whole; one `voximplant.sip.status` can
take up to 40 seconds of them when the telephony provider hangs. So a batch is kept to
what the portal answers in a third of that time, and a line that hung is asked apart
from those that answer.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic

# A batch should take no longer than this many seconds.
BATCH_SECONDS = 20.0
# An answer without a status that took this many seconds tells of a hanging provider.
HANGS_SECONDS = 9.0
# The least time, in seconds, for a request with one line that hung before.
SUSPECT_SECONDS = 5.0
# A line that hung again is left alone for this long, doubled each time, in seconds.
FIRST_REST = 60.0
LONGEST_REST = 600.0
# After hanging alone, a line is asked apart until it answered this many times.
PROBATION = 5

# A line that is not registered is asked again after this many seconds, so that its
# recovery is seen soon; not so where it has been down for longer than the second number.
SOON = 15
AWAITED_SECONDS = 1800.0
# All of that adds at most this share to an hour's commands.
SOON_SHARE = 0.2
# What is left of it should last for so many sooner polls, even if ever fewer are asked.
SOON_POLLS = 30

# Below this share of the limit nothing is slowed down; at the second one polling waits.
# Half is left to others: inside a batch, the portal books all webhooks together.
EASY_SHARE = 0.5
FULL_SHARE = 0.75
# How much longer the interval grows between the two.
MOST_STRETCH = 4.0
# Timers that count whole seconds come up to this many seconds too early.
TIMERS_ARE_EARLY = 1.0
# Seconds of operating time in 10 minutes that a portal allows. It is not reported, and
# 480 in the documentation's example; the smaller number is the default of the server.
OPERATING_LIMIT = 420.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The requests of one poll, each a list of REG_IDs.

    postponed: lines that hung lately and are not asked this time.
    alone_from: the index of the first request with a line that is asked alone.
    """

    requests: list[list[int]]
    postponed: list[int]
    alone_from: int

    def seconds_for(self, at: int, left: float) -> float:
        """Return the time for a request, of the seconds that the poll has left."""
        if at < self.alone_from:
            return left
        share = left / (len(self.requests) - at)
        return min(left, max(SUSPECT_SECONDS, share))


@dataclass(slots=True)
class _Suspect:
    """A line in a batch that was lost. hung: how often it hung when asked alone."""

    hung: int = 0
    answered: int = 0
    rests_until: float = 0.0

    def hangs(self) -> None:
        """Take note that it hung, and leave it alone for longer each time."""
        rest = min(FIRST_REST * 2**self.hung, LONGEST_REST)
        self.hung += 1
        self.answered = 0
        self.rests_until = monotonic() + rest


@dataclass(slots=True)
class BatchPlanner:
    """Divides the lines of a poll into requests, by what the portal managed so far."""

    most: int
    seconds_per_command: float = 0.0
    _suspects: dict[int, _Suspect] = field(default_factory=dict)
    _not_reached: set[int] = field(default_factory=set)

    def size(self, seconds: float) -> int:
        """Return how many commands a batch may have in a poll of so many seconds."""
        allowed = min(BATCH_SECONDS, seconds / 3)
        if self.seconds_per_command * self.most <= allowed:
            return self.most
        return max(1, int(allowed / self.seconds_per_command))

    @property
    def suspects(self) -> frozenset[int]:
        """The lines that are asked apart from the others."""
        return frozenset(self._suspects)

    @property
    def unsorted(self) -> bool:
        """Whether a batch was lost, and which of its lines answer is still to be seen."""
        return any(
            not suspect.hung and not suspect.answered
            for suspect in self._suspects.values()
        )

    def plan(self, reg_ids: Sequence[int], extras: int, seconds: float) -> Plan:
        """Divide the lines for a poll of so many seconds.

        The first request has room for `extras` other commands. Lines that the last poll
        had no time for come first.
        """
        size, now = self.size(seconds), monotonic()
        ordered = list(reg_ids)
        if self._not_reached:
            ordered.sort(key=lambda reg_id: reg_id not in self._not_reached)
            self._not_reached.clear()
        together = ordered
        due: list[int] = []
        postponed: list[int] = []
        if self._suspects:
            together = [r for r in ordered if r not in self._suspects]
            for reg_id in ordered:
                if suspect := self._suspects.get(reg_id):
                    (due if suspect.rests_until <= now else postponed).append(reg_id)
        requests: list[list[int]] = []
        if extras:
            room = max(0, size - extras)
            requests.append(together[:room])
            together = together[room:]
        requests += [together[at : at + size] for at in range(0, len(together), size)]
        return Plan(requests + [[r] for r in due], postponed, len(requests))

    def answered(
        self,
        reg_ids: Sequence[int],
        silent: Collection[int],
        commands: int,
        seconds: float,
    ) -> None:
        """Learn from a request that was answered after so many seconds.

        silent: those of its lines for which the portal had no status. When the answer
        took long, it was because the telephony provider hung for them.
        """
        hung = silent if seconds >= HANGS_SECONDS else ()
        if not hung:
            self._learn(seconds / commands)
            if not self._suspects:
                return
        for reg_id in reg_ids:
            if reg_id in hung:
                self._suspects.setdefault(reg_id, _Suspect()).hangs()
            elif suspect := self._suspects.get(reg_id):
                suspect.answered += 1
                if not suspect.hung or suspect.answered >= PROBATION:
                    del self._suspects[reg_id]

    def lost(self, reg_ids: Sequence[int], commands: int, seconds: float) -> None:
        """Learn from a request that was lost to the time limit after so many seconds."""
        if len(reg_ids) > 1:
            self._learn(seconds / commands)
        for reg_id in reg_ids:
            if suspect := self._suspects.get(reg_id):
                suspect.hangs()
            else:
                self._suspects[reg_id] = _Suspect()

    def not_reached(self, reg_ids: Sequence[int]) -> None:
        """Take note of lines that the poll had no time left for."""
        self._not_reached.update(reg_ids)

    def _learn(self, seconds: float) -> None:
        """Follow the seconds per command: at once upwards, by and by downwards."""
        slower = seconds > self.seconds_per_command
        self.seconds_per_command = (
            seconds if slower else (self.seconds_per_command + seconds) / 2
        )


@dataclass(slots=True)
class SoonerPolls:
    """Which of the lines whose recovery is awaited are asked before all are due again.

    interval: seconds between the polls of all lines. Not all that are awaited are asked
    at once: lines that failed together are mostly back together, so some of them tell of
    the others.
    """

    interval: float
    _asked: deque[tuple[float, int]] = field(default_factory=deque)

    def some(self, awaited: Iterable[int], lines: int) -> list[int]:
        """Return whom to ask next of the lines that are awaited, of so many in all."""
        left = self._left(lines)
        return self._in_turn(awaited)[: min(left, max(1, left // SOON_POLLS))]

    def others(self, awaited: Iterable[int], lines: int) -> list[int]:
        """Return whom to ask when one of those that were asked is back: all, if allowed."""
        return self._in_turn(awaited)[: self._left(lines)]

    def asked(self, reg_ids: Iterable[int]) -> None:
        """Take note of lines that were asked."""
        now = monotonic()
        self._asked.extend((now, reg_id) for reg_id in reg_ids)

    def _in_turn(self, awaited: Iterable[int]) -> list[int]:
        """Return the lines in turn, those that were not asked yet first."""
        turns = {reg_id: when for when, reg_id in self._asked}
        return sorted(awaited, key=lambda reg_id: turns.get(reg_id, 0.0))

    def _left(self, lines: int) -> int:
        """Return how many more commands keep those of an hour within their bound."""
        hour_ago = monotonic() - 3600
        while self._asked and self._asked[0][0] <= hour_ago:
            self._asked.popleft()
        bound = int(SOON_SHARE * lines * 3600 / self.interval)
        return max(0, bound - len(self._asked))


def pause_between_polls(
    interval: float, used: float, cost: float, resets_in: float
) -> float:
    """Return the seconds to the next poll for the operating time used so far.

    interval: the chosen seconds; used: operating time in seconds; cost: what one poll
    adds to it; resets_in: seconds until the oldest minute of it is forgotten.
    """
    share = used / OPERATING_LIMIT
    if share <= EASY_SHARE:
        return interval
    over = min(1.0, (share - EASY_SHARE) / (FULL_SHARE - EASY_SHARE))
    stretched = interval * (1.0 + over * (MOST_STRETCH - 1.0))
    would_be_full = used + cost >= FULL_SHARE * OPERATING_LIMIT
    return max(stretched, resets_in + TIMERS_ARE_EARLY) if would_be_full else stretched
