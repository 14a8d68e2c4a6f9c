"""The soak's judges find each kind of wrong state and of loss, and accept right ones."""

import pytest

from custom_components.bitrix24_sip.bitrix24 import SipLine
from custom_components.bitrix24_sip.state import LineState
from custom_components.bitrix24_sip.uptime import PortalUptime
from dev.soak.crashes import lost
from dev.soak.judge import Answer, Record, Shown, wrong

GRACE, INTERVAL = 20.0, 15.0


def record(*answers: tuple[float, str | None]) -> Record:
    """Return a record of a line's answers."""
    return Record({1: [Answer(at, status) for at, status in answers]})


STEADY = record(*((float(at), "success") for at in range(0, 200, 15)))
DROPPED = record((0, "success"), (15, "success"), (30, "error"), (45, "error"))
SILENT = record((0, "success"), (15, "success"), (30, None), (45, None))
AGAIN = record((0, "success"), (15, "error"), (75, "error"), (90, "success"))
UNSETTLED = record((0, "success"), (15, "in_progress"), (30, "wait"))


@pytest.mark.parametrize(
    ("answers", "state", "at", "until", "right"),
    [
        (STEADY, "on", 0.1, 190, True),
        (STEADY, "off", 60, 61, False),
        (STEADY, "unavailable", 60, 61, False),
        (STEADY, "unknown", 60, 61, False),
        (STEADY, "perhaps", 60, 61, False),
        (DROPPED, "on", 0.1, 30.5, True),
        (DROPPED, "on", 0.1, 45, False),
        (DROPPED, "on", 40, 41, False),
        (DROPPED, "off", 30.1, 60, True),
        (SILENT, "on", 0.1, 50, True),
        (SILENT, "on", 0.1, 90, False),
        (SILENT, "unavailable", 50, 60, True),
        (SILENT, "unavailable", 20, 25, False),
        (SILENT, "off", 50, 60, False),
        (AGAIN, "on", 90.1, 100, True),
        (UNSETTLED, "on", 0.1, 35, True),
        (UNSETTLED, "off", 35, 60, True),
        (record((0, "wait")), "unknown", 0.1, 20, True),
        (record((0, "success"), (21, "success")), "unavailable", 20.5, 21.1, True),
        (record((0, "success"), (10, "success")), "unavailable", 20.5, 21.1, False),
        (UNSETTLED, "unknown", 30.1, 35, True),
        (record((0, "success"), (10, "wait")), "unknown", 10.1, 12, False),
        (record(), "unavailable", 1, 20, True),
        (record(), "on", 1, 20, False),
    ],
)
def test_judge(
    answers: Record, state: str, at: float, until: float, right: bool
) -> None:
    """A state is right if the portal's answers account for it, and wrong otherwise."""
    reason = wrong(Shown(1, state, at, until), answers, GRACE, INTERVAL)
    assert (reason is None) is right, reason


def test_permanent_errors_take_effect_at_once() -> None:
    """During a permanent error, and shortly after, a line may be unavailable."""
    answers = record(*((float(at), "success") for at in range(0, 60, 15)))
    shown = Shown(1, "unavailable", 50, 55)
    assert wrong(shown, answers, GRACE, INTERVAL)
    answers.permanent.append((46, 52))
    assert wrong(shown, answers, GRACE, INTERVAL) is None


def test_answers_of_the_action() -> None:
    """What the action is answered changes no state, unless a poll got it."""
    shown = Shown(1, "unavailable", 20.5, 30)
    answers = record((0, "success"), (10, "success"))
    assert wrong(shown, answers, GRACE, INTERVAL)
    answers.actions.append((9.5, 10.5))
    assert wrong(shown, answers, GRACE, INTERVAL) is None
    on = Shown(1, "on", 0.1, 30)
    assert wrong(on, answers, GRACE, INTERVAL) is None
    answers.actions[:] = [(20, 21)]
    assert wrong(shown, answers, GRACE, INTERVAL)


def test_reloads() -> None:
    """After a reload, earlier answers no longer account for a state."""
    silent = record((0, "success"), (15, "success"), (30, None))
    unsettled = record((0, "success"), (5, "wait"))
    for answers, shown in (
        (silent, Shown(1, "unavailable", 21, 24)),
        (unsettled, Shown(1, "unknown", 6, 9)),
    ):
        assert wrong(shown, answers, GRACE, INTERVAL)
        answers.reloads.append((shown.at - 1, shown.at + 1))
        assert wrong(shown, answers, GRACE, INTERVAL) is None


def recorded(*states: bool, seconds: int = 100) -> PortalUptime:
    """Return the uptime of a line that was (not) connected for so many seconds each."""
    uptime = PortalUptime()
    for number, connected in enumerate(states):
        shown = {1: LineState(SipLine(1), connected=connected)}
        for at in (number, number + 1):
            uptime.record(shown, 1_000_000 + at * seconds, at * seconds)
    return uptime


def test_what_a_kill_lost() -> None:
    """What was stored before is in what is stored later, whatever comes after it."""
    before = recorded(True, False, True)
    none = PortalUptime()
    assert lost(none, before, 0) == []
    assert lost(before, before, 0) == []
    assert lost(before, recorded(True, False, True, False), 0) == []
    assert lost(recorded(True, False), recorded(True, False, False), 0) == []
    assert lost(before, none, 0) == [
        "it ends 1000300 s earlier than before",
        "line 1 is lost",
    ]
    for wrong_past in ((True, False), (True, True, True), (True, False, False)):
        assert lost(before, recorded(*wrong_past), 0)
    [figures, outages] = lost(before, recorded(True, False, True, seconds=150), 0)
    assert figures.startswith("line 1 had Figures(")
    assert outages.startswith("line 1: outages [(1000100, 100,")
