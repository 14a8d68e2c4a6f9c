"""Judges whether each shown state was right.

It uses the portal's answers with their times, and the rule of the grace period. It does
not use the integration.
"""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

SETTLED: Final = ("success", "error")
# Seconds between an answer and the state that follows from it, and between the clock of
# the grace period and what is seen from outside.
LATE: Final = 3.0
# Seconds that a poll may take that retries twice before it fails.
RETRIES: Final = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer for a line. status: None where the portal had none for it."""

    at: float
    status: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """One state of a line's Registration sensor, from `at` to `until`."""

    reg_id: int
    state: str
    at: float
    until: float


@dataclass(slots=True)
class Record:
    """The portal's answers for each line, and the times of permanent errors."""

    answers: dict[int, list[Answer]] = field(default_factory=dict)
    # From, to: a permanent error takes effect at once.
    permanent: list[tuple[float, float]] = field(default_factory=list)
    # From, to: the entry was being reloaded. Nothing is known from before that.
    reloads: list[tuple[float, float]] = field(default_factory=list)
    # From, to: the action was used. Its answers change no state.
    actions: list[tuple[float, float]] = field(default_factory=list)

    def without_actions(self) -> Record:
        """Return the record without the answers that the action may have got."""
        answers = {
            reg_id: [
                answer
                for answer in of_line
                if not any(begin <= answer.at <= end for begin, end in self.actions)
            ]
            for reg_id, of_line in self.answers.items()
        }
        return replace(self, answers=answers, actions=[])

    def up_to(self, reg_id: int, at: float) -> list[Answer]:
        """Return the answers for a line until a point in time."""
        answers = self.answers.get(reg_id, [])
        return answers[: bisect_right(answers, at, key=lambda answer: answer.at)]

    def reloaded(self, since: float, at: float) -> bool:
        """Return whether the entry was reloaded between two points in time."""
        return any(
            begin <= at + LATE and end >= since - LATE for begin, end in self.reloads
        )

    def had_permanent_error(self, at: float, back: float) -> bool:
        """Return whether there was a permanent error at a time, or shortly before."""
        return any(begin <= at and end >= at - back for begin, end in self.permanent)


def wrong(shown: Shown, record: Record, grace: float, interval: float) -> str | None:
    """Return what is wrong with a shown state, None if it is right.

    An answer at the same moment may have taken effect already, or not yet; and an answer
    while the action was used may have been for a poll, or for the action.
    """
    records = [record, record.without_actions()] if record.actions else [record]
    reasons = [
        _wrong_at(shown.at + shift, shown, either, grace, interval)
        for either in records
        for shift in (LATE / 2, 0.0, -LATE / 2)
    ]
    return reasons[0] if all(reasons) else None


def _wrong_at(
    seen: float, shown: Shown, record: Record, grace: float, interval: float
) -> str | None:
    """Return what is wrong with a state, if the answers until `seen` account for it."""
    before = record.up_to(shown.reg_id, seen)
    known = [a for a in before if a.status is not None]
    settled = [a for a in before if a.status in SETTLED]
    latest = settled[-1].status if settled else None
    match shown.state:
        case "on":
            return _wrong_on(shown, record, latest, grace + interval + RETRIES)
        case "off":
            unsettled = known and known[-1].status not in SETTLED
            if latest == "error" or unsettled:
                return None
            return f"off, though the portal last answered {latest}"
        case "unavailable":
            silent_since = settled[-1].at if settled else shown.at - grace
            if (
                shown.at - silent_since >= grace - LATE
                or record.had_permanent_error(shown.at, interval)
                or record.reloaded(silent_since, shown.at)
                or not known
            ):
                return None
            return "unavailable, though the portal answered within the grace period"
        case "unknown":
            # There was no settled answer since the start, a permanent error, or an outage
            # that was longer than the grace period.
            unsettled = known and known[-1].status not in SETTLED
            since = settled[-1].at if settled else shown.at
            if unsettled and (
                not settled
                or shown.at - since >= grace - LATE
                or record.reloaded(since, shown.at)
                or record.had_permanent_error(shown.at, 1e9)
            ):
                return None
            return "unknown, though the portal's answers were settled"
    return f"{shown.state} is no state of a registration"


def _wrong_on(
    shown: Shown, record: Record, latest: str | None, longest: float
) -> str | None:
    """Return what is wrong with an `on`: at its beginning, or for its whole time."""
    if latest != "success":
        return f"on, though the portal last answered {latest}"
    # A state lasts until the first poll without an answer, and then for the grace
    # period.
    successes = [
        answer.at
        for answer in record.up_to(shown.reg_id, shown.until)
        if answer.status == "success"
    ]
    first = bisect_right(successes, shown.at + LATE / 2) - 1
    stood = [*successes[first:], shown.until]
    gap = max(after - before for before, after in pairwise(stood))
    if gap > longest + LATE:
        return f"on for {gap:.0f} s without the portal saying so"
    errors = [
        answer.at
        for answer in record.up_to(shown.reg_id, shown.until - LATE)
        if answer.status == "error" and answer.at > shown.at + LATE
    ]
    return "on after the portal answered error" if errors else None
