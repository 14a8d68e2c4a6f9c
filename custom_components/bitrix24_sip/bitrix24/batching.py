"""How the lines of a poll are divided into requests, depending on the portal's speed.

The portal aborts a request after 60 seconds, with all of its commands. A single
`voximplant.sip.status` can take up to 40 seconds if the telephony provider hangs. So
the size of a batch is limited to what the portal answers in a third of that time, and a
line that hangs is isolated: it is polled by a request of its own, after the others, and
less and less often.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

# A batch should take no longer than this many seconds.
BATCH_SECONDS = 20.0
# If an answer without a status took this many seconds, the provider hangs.
HANG_SECONDS = 9.0
# The minimum time, in seconds, for the request of an isolated line.
ISOLATED_SECONDS = 5.0
# A line that hung in a request of its own is not polled for this many seconds, doubled
# each time.
FIRST_REST = 60.0
LONGEST_REST = 600.0
# After hanging on its own, a line rejoins the others after this many answers.
ANSWERS_TO_REJOIN = 5


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """The requests of one poll, each a list of REG_IDs.

    resting: isolated lines that are not polled this time; isolated_from: the index of
    the first request with an isolated line.
    """

    requests: list[list[int]]
    resting: list[int]
    isolated_from: int

    def seconds_for(self, at: int, left: float) -> float:
        """Return the time for a request, of the seconds that the poll has left."""
        if at < self.isolated_from:
            return left
        share = left / (len(self.requests) - at)
        return min(left, max(ISOLATED_SECONDS, share))


@dataclass(slots=True)
class _IsolatedLine:
    """A line in a batch that was lost. hangs: how often it hung on its own."""

    hangs: int = 0
    answers: int = 0
    rests_until: float = 0.0

    def hung(self) -> None:
        """Record that it hung on its own, and let it rest longer each time."""
        rest = min(FIRST_REST * 2**self.hangs, LONGEST_REST)
        self.hangs += 1
        self.answers = 0
        self.rests_until = monotonic() + rest


@dataclass(slots=True)
class BatchPlanner:
    """Divides the lines of a poll into requests. max_commands: of one batch."""

    max_commands: int
    seconds_per_command: float = 0.0
    _isolated: dict[int, _IsolatedLine] = field(default_factory=dict)
    _not_reached: set[int] = field(default_factory=set)

    def without_rests(self) -> BatchPlanner:
        """Return an independent copy of the planner, in which no line rests."""
        isolated = {r: replace(i, rests_until=0.0) for r, i in self._isolated.items()}
        return BatchPlanner(self.max_commands, self.seconds_per_command, isolated)

    def size(self, seconds: float) -> int:
        """Return how many commands a batch may have in a poll of so many seconds."""
        allowed = max(0.0, min(BATCH_SECONDS, seconds / 3))
        if self.seconds_per_command * self.max_commands <= allowed:
            return self.max_commands
        return max(1, int(allowed / self.seconds_per_command))

    @property
    def isolated(self) -> frozenset[int]:
        """The lines that are polled by requests of their own."""
        return frozenset(self._isolated)

    def plan(self, reg_ids: Sequence[int], extras: int, seconds: float) -> RequestPlan:
        """Divide the lines for a poll of so many seconds.

        The first request has room for `extras` other commands. Lines that the last poll
        did not reach come first.
        """
        size, now = self.size(seconds), monotonic()
        ordered = list(reg_ids)
        if self._not_reached:
            ordered.sort(key=lambda reg_id: reg_id not in self._not_reached)
            self._not_reached.clear()
        together = [r for r in ordered if r not in self._isolated]
        due: list[int] = []
        resting: list[int] = []
        for reg_id in ordered:
            if isolated := self._isolated.get(reg_id):
                (due if isolated.rests_until <= now else resting).append(reg_id)
        requests: list[list[int]] = []
        if extras:
            room = max(0, size - extras)
            requests.append(together[:room])
            together = together[room:]
        requests += [together[at : at + size] for at in range(0, len(together), size)]
        return RequestPlan(requests + [[r] for r in due], resting, len(requests))

    def answered(
        self,
        reg_ids: Sequence[int],
        silent: Collection[int],
        commands: int,
        seconds: float,
    ) -> None:
        """Record a request that was answered after some seconds.

        silent: those of its lines for which the portal had no status. If the answer
        took long, the telephony provider hung for them.
        """
        hung = silent if seconds >= HANG_SECONDS else ()
        if not hung:
            self._learn(seconds / commands)
            if not self._isolated:
                return
        for reg_id in reg_ids:
            if reg_id in hung:
                self._isolated.setdefault(reg_id, _IsolatedLine()).hung()
            elif isolated := self._isolated.get(reg_id):
                isolated.answers += 1
                if not isolated.hangs or isolated.answers >= ANSWERS_TO_REJOIN:
                    del self._isolated[reg_id]

    def lost(self, reg_ids: Sequence[int], commands: int, seconds: float) -> None:
        """Record a request that was lost to the time limit after some seconds."""
        if len(reg_ids) > 1:
            self._learn(seconds / commands)
        for reg_id in reg_ids:
            if isolated := self._isolated.get(reg_id):
                isolated.hung()
            else:
                self._isolated[reg_id] = _IsolatedLine()

    def not_reached(self, reg_ids: Sequence[int]) -> None:
        """Record lines for which the poll had no time left."""
        self._not_reached.update(reg_ids)

    def _learn(self, seconds: float) -> None:
        """Update the seconds per command: upwards at once, downwards slowly."""
        slower = seconds > self.seconds_per_command
        self.seconds_per_command = (
            seconds if slower else (self.seconds_per_command + seconds) / 2
        )
