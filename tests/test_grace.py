"""The grace period as a table: answers and faults over time, and what is shown.

The table stands in docs/how-it-works.md for readers as well.
"""

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
NEW_WORD = SipRegistration(1, "resting")
FAULT = ConnectionFailed()
SILENT = RegistrationNotFound("REG_ID_NOT_FOUND")
BUSY = OperatingTimeExceeded("OPERATION_TIME_LIMIT", 60.0)
BROKEN = ServerFault("HTTP 503")
REVOKED = InvalidWebhook("INVALID_CREDENTIALS")

# (seconds, the poll's answer or None for a look between polls, what is shown then)
type Step = tuple[int, SipRegistration | Bitrix24Error | None, str]


def shown(tracker: LineTracker, now: float) -> str:
    """Return the binary sensor's state for a tracker's state."""
    state = tracker.state(now)
    if state.registration is None:
        return UNAVAILABLE
    return {True: ON, False: OFF, None: UNKNOWN}[state.connected]


@pytest.mark.parametrize(
    ("grace", "steps"),
    [
        pytest.param(
            GRACE, [(0, OK, ON), (60, FAIL, OFF), (120, OK, ON)], id="settled"
        ),
        pytest.param(
            GRACE,
            [(0, OK, ON), (60, PROGRESS, ON), (120, OK, ON)],
            id="a moment in progress",
        ),
        pytest.param(
            GRACE,
            [(0, OK, ON), (60, PROGRESS, ON), (179, None, ON), (180, None, OFF)],
            id="in progress for too long, without a poll at that moment",
        ),
        pytest.param(
            GRACE,
            [(0, OK, ON), (60, WAIT, ON), (120, PROGRESS, ON), (180, WAIT, OFF)],
            id="all unsettled words share a grace period",
        ),
        pytest.param(
            GRACE,
            [(0, OK, ON), (60, NEW_WORD, ON), (180, NEW_WORD, OFF), (240, OK, ON)],
            id="an unknown status never counts as registered",
        ),
        pytest.param(
            GRACE,
            [(0, OK, ON), (60, FAULT, ON), (120, OK, ON)],
            id="a short fault",
        ),
        pytest.param(
            GRACE,
            [(0, OK, ON), (60, FAULT, ON), (179, None, ON), (180, None, UNAVAILABLE)],
            id="a fault for too long",
        ),
        pytest.param(
            GRACE,
            [
                (0, OK, ON),
                (60, SILENT, ON),
                (120, BUSY, ON),
                (180, BROKEN, UNAVAILABLE),
            ],
            id="all faults share a grace period",
        ),
        pytest.param(
            GRACE,
            [
                (0, OK, ON),
                (60, PROGRESS, ON),
                (120, FAULT, ON),
                (179, PROGRESS, ON),
                (180, None, OFF),
            ],
            id="unsettled and faults share a grace period, the latest decides",
        ),
        pytest.param(
            GRACE,
            [
                (0, OK, ON),
                (60, FAULT, ON),
                (180, FAULT, UNAVAILABLE),
                (240, PROGRESS, UNKNOWN),
                (359, None, UNKNOWN),
                (360, None, OFF),
            ],
            id="in progress after a long outage has a grace period",
        ),
        pytest.param(
            GRACE,
            [
                (0, OK, ON),
                (60, PROGRESS, ON),
                (180, PROGRESS, OFF),
                (240, FAULT, OFF),
                (359, None, OFF),
                (360, None, UNAVAILABLE),
                (420, WAIT, UNKNOWN),
                (480, FAULT, UNKNOWN),
                (540, FAULT, UNAVAILABLE),
            ],
            id="long unsettled, then a fault, then unsettled is never on",
        ),
        pytest.param(
            GRACE,
            [
                (0, OK, ON),
                (60, PROGRESS, ON),
                (180, FAULT, OFF),
                (300, None, UNAVAILABLE),
            ],
            id="a fault at the moment at which the grace period ends",
        ),
        pytest.param(
            GRACE,
            [
                (0, OK, ON),
                (60, REVOKED, UNAVAILABLE),
                (120, PROGRESS, UNKNOWN),
                (239, PROGRESS, UNKNOWN),
                (240, PROGRESS, OFF),
            ],
            id="in progress after a permanent error was fixed",
        ),
        pytest.param(
            GRACE,
            [(0, FAIL, OFF), (60, PROGRESS, OFF), (120, FAULT, OFF), (180, OK, ON)],
            id="a line that is down stays down during a grace period",
        ),
        pytest.param(
            GRACE,
            [
                (0, FAIL, OFF),
                (60, FAULT, OFF),
                (180, FAULT, UNAVAILABLE),
                (240, OK, ON),
            ],
            id="down, then a fault",
        ),
        pytest.param(
            GRACE,
            [(0, OK, ON), (60, REVOKED, UNAVAILABLE), (120, OK, ON)],
            id="a permanent error takes effect at once",
        ),
        pytest.param(
            GRACE,
            [(0, OK, ON), (60, REVOKED, UNAVAILABLE), (120, FAULT, UNAVAILABLE)],
            id="a transient error restores nothing",
        ),
        pytest.param(
            GRACE,
            [(0, PROGRESS, UNKNOWN), (60, WAIT, UNKNOWN), (120, WAIT, OFF)],
            id="in progress from the beginning",
        ),
        pytest.param(
            GRACE,
            [(0, FAULT, UNAVAILABLE), (60, OK, ON)],
            id="a fault from the beginning",
        ),
        pytest.param(
            GRACE,
            [
                (0, OK, ON),
                (60, FAULT, ON),
                (120, OK, ON),
                (180, FAULT, ON),
                (299, None, ON),
            ],
            id="each settled answer ends the grace period",
        ),
        pytest.param(
            0,
            [
                (0, OK, ON),
                (60, PROGRESS, OFF),
                (120, OK, ON),
                (180, FAULT, UNAVAILABLE),
            ],
            id="without a grace period",
        ),
        pytest.param(
            0, [(0, PROGRESS, OFF)], id="without a grace period, at the beginning"
        ),
        pytest.param(
            3600,
            [(0, OK, ON), (60, FAULT, ON), (3659, None, ON), (3660, None, UNAVAILABLE)],
            id="an hour",
        ),
    ],
)
def test_what_is_shown(grace: int, steps: list[Step]) -> None:
    """The shown state follows from the answers and the grace period."""
    tracker = LineTracker(SipLine(1, "Main line"))
    seen = []
    for at, answer, _ in steps:
        if answer is not None:
            tracker.record(answer, at, grace)
        seen.append((at, answer, shown(tracker, at)))
    assert seen == steps


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
