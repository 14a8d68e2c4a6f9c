"""The grace period as a table: answers and faults over time, and what is shown.

The table stands in docs/how-it-works.md for readers as well.
"""

import re

import pytest

from custom_components.bitrix24_sip.bitrix24 import SipLine, SipRegistration
from custom_components.bitrix24_sip.bitrix24.errors import (
    Bitrix24Error,
    ConnectionFailed,
    InvalidWebhook,
    OperatingTimeExceeded,
    RegistrationNotFound,
    ServerFault,
)
from custom_components.bitrix24_sip.grace import LineTracker

GRACE = 120
ON, OFF, UNKNOWN, UNAVAILABLE = "on", "off", "unknown", "unavailable"

OK = SipRegistration(1, "success", 200)
FAIL = SipRegistration(1, "error", 403, "Forbidden")
PROGRESS = SipRegistration(1, "in_progress")
WAIT = SipRegistration(1, "wait")
FAULT = ConnectionFailed()

ANSWERS: dict[str, SipRegistration | Bitrix24Error] = {
    "ok": OK,
    "fail": FAIL,
    "progress": PROGRESS,
    "wait": WAIT,
    "new_word": SipRegistration(1, "resting"),
    "fault": FAULT,
    "silent": RegistrationNotFound("REG_ID_NOT_FOUND"),
    "busy": OperatingTimeExceeded("OPERATION_TIME_LIMIT", 60.0),
    "broken": ServerFault("HTTP 503"),
    "revoked": InvalidWebhook("INVALID_CREDENTIALS"),
}

# What it shows [a grace period other than GRACE]
#     seconds, the poll's answer (- for a look between polls), what is shown then
TABLE = """\
settled
    0 ok on, 60 fail off, 120 ok on
a moment in progress
    0 ok on, 60 progress on, 120 ok on
in progress for too long, without a poll at that moment
    0 ok on, 60 progress on, 179 - on, 180 - off
all unsettled words share a grace period
    0 ok on, 60 wait on, 120 progress on, 180 wait off
an unknown status never counts as registered
    0 ok on, 60 new_word on, 180 new_word off, 240 ok on
a short fault
    0 ok on, 60 fault on, 120 ok on
a fault for too long
    0 ok on, 60 fault on, 179 - on, 180 - unavailable
all faults share a grace period
    0 ok on, 60 silent on, 120 busy on, 180 broken unavailable
unsettled and faults share a grace period, the latest decides
    0 ok on, 60 progress on, 120 fault on, 179 progress on, 180 - off
in progress after a long outage has a grace period
    0 ok on, 60 fault on, 180 fault unavailable, 240 progress unknown,
    359 - unknown, 360 - off
long unsettled, then a fault, then unsettled is never on
    0 ok on, 60 progress on, 180 progress off, 240 fault off, 359 - off,
    360 - unavailable, 420 wait unknown, 480 fault unknown, 540 fault unavailable
a fault at the moment at which the grace period ends
    0 ok on, 60 progress on, 180 fault off, 300 - unavailable
in progress after a permanent error was fixed
    0 ok on, 60 revoked unavailable, 120 progress unknown, 239 progress unknown,
    240 progress off
in progress after a permanent error and a fault
    0 ok on, 60 revoked unavailable, 120 fault unavailable, 180 progress unknown,
    299 - unknown, 300 - off
a line that is down stays down during a grace period
    0 fail off, 60 progress off, 120 fault off, 180 ok on
down, then a fault
    0 fail off, 60 fault off, 180 fault unavailable, 240 ok on
a permanent error takes effect at once
    0 ok on, 60 revoked unavailable, 120 ok on
a transient error restores nothing
    0 ok on, 60 revoked unavailable, 120 fault unavailable
in progress from the beginning
    0 progress unknown, 60 wait unknown, 120 wait off
a fault from the beginning
    0 fault unavailable, 60 ok on
each settled answer ends the grace period
    0 ok on, 60 fault on, 120 ok on, 180 fault on, 299 - on
without a grace period [0]
    0 ok on, 60 progress off, 120 ok on, 180 fault unavailable
without a grace period, at the beginning [0]
    0 progress off
an hour [3600]
    0 ok on, 60 fault on, 3659 - on, 3660 - unavailable
"""
ROWS = [row.partition("\n") for row in re.split(r"\n(?=\w)", TABLE)]


def shown(tracker: LineTracker, now: float) -> str:
    """Return the binary sensor's state for a tracker's state."""
    state = tracker.state(now)
    if state.registration is None:
        return UNAVAILABLE
    return {True: ON, False: OFF, None: UNKNOWN}[state.connected]


@pytest.mark.parametrize(("name", "_", "steps"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_shown(name: str, _: str, steps: str) -> None:
    """The shown state follows from the answers and the grace period."""
    other = re.search(r"\[(\d+)\]", name)
    grace = int(other[1]) if other else GRACE
    tracker = LineTracker(SipLine(1, "Main line"))
    for at, answer, expected in (step.split() for step in steps.split(",")):
        if answer != "-":
            tracker.record(ANSWERS[answer], int(at), grace)
        assert shown(tracker, int(at)) == expected, at


# Seconds, the poll's answer, the SIP code of why the line is not registered: "none" if the
# failure has none, "-" if there is no failure.
FAILURES = {
    "settled": "0 ok -, 60 fail 403, 120 ok -",
    "new attempts": "0 ok -, 60 fail 403, 120 progress 403, 400 wait 403, 460 ok -",
    "never settled": "0 ok -, 60 progress -, 179 - -, 180 - none, 240 fail 403",
    "a short fault": "0 fail 403, 60 fault 403, 120 progress 403, 180 - 403",
    "a long fault": "0 fail 403, 60 fault 403, 180 - -, 240 progress -, 360 - none",
    "a permanent error": "0 fail 403, 60 revoked -, 120 progress -, 240 - none",
    "an attempt, a fault": "0 fail 403, 60 wait 403, 240 wait 403, 300 fault 403, 330 progress 403",
    "unsettled, a fault": "0 ok -, 60 wait -, 180 wait none, 240 fault none, 360 - -",
}


@pytest.mark.parametrize("steps", FAILURES.values(), ids=FAILURES)
def test_why_a_line_is_not_registered(steps: str) -> None:
    """The failure is the latest settled answer, or else the answer that is shown."""
    tracker = LineTracker(SipLine(1))
    for at, answer, expected in (step.split() for step in steps.split(",")):
        if answer != "-":
            tracker.record(ANSWERS[answer], int(at), GRACE)
        state = tracker.state(int(at))
        failure = state.failure
        assert (failure is not None) is (state.connected is False), at
        code = "-" if failure is None else str(failure.status_code or "none")
        assert code == expected, at


def test_the_last_answer_is_kept() -> None:
    """The last answer stays unchanged during a grace period."""
    tracker = LineTracker(SipLine(1))
    tracker.record(FAIL, 0, GRACE)
    tracker.record(FAULT, 60, GRACE)
    assert tracker.state(100).registration is FAIL
    tracker.record(PROGRESS, 120, GRACE)
    assert tracker.state(130).registration is PROGRESS
    assert tracker.state(130).connected is False


def test_the_end_of_the_grace_period_is_known() -> None:
    """The state has the time at which the grace period ends."""
    tracker = LineTracker(SipLine(1))
    assert tracker.doubt_ends(0) is None
    tracker.record(OK, 0, GRACE)
    assert tracker.doubt_ends(0) is None
    tracker.record(FAULT, 60, GRACE)
    tracker.record(FAULT, 120, GRACE)
    assert tracker.doubt_ends(120) == 180
    assert tracker.doubt_ends(180) is None


def test_lost_by_an_answer_only() -> None:
    """Only an answer of the portal counts as a loss, not a transient error."""
    tracker = LineTracker(SipLine(1))
    assert tracker.lost_since is None
    for at, answer, lost_since in (
        (10, FAULT, None),
        (20, FAIL, 20),
        (30, PROGRESS, 20),
        (40, FAULT, 20),
        (50, OK, None),
        (60, WAIT, 60),
    ):
        tracker.record(answer, at, GRACE)
        assert tracker.lost_since == lost_since
        assert tracker.error is (answer if answer is FAULT else None)


def test_the_same_answer_is_the_same_state() -> None:
    """An unchanged state stays the same object, so that it need not be compared."""
    tracker = LineTracker(SipLine(1))
    tracker.record(OK, 0, GRACE)
    state = tracker.state(0)
    tracker.record(SipRegistration(1, "success", 200), 60, GRACE)
    assert tracker.state(60) is state
    tracker.record(SipRegistration(1, "in_progress"), 120, GRACE)
    state = tracker.state(120)
    tracker.record(SipRegistration(1, "in_progress"), 135, GRACE)
    assert tracker.state(135) is state
