"""Incidents, by tables: what is shown of the lines, and what is to be told.

A line is a letter: `A+` is registered, `A-` is not, `A?` is not known, and a line that is
not named is not monitored.
"""

from datetime import UTC, datetime, timedelta
from itertools import starmap
import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.bitrix24_sip.bitrix24 import Cause, SipLine, SipRegistration
from custom_components.bitrix24_sip.incidents import (
    IncidentTracker,
    LossHistory,
    LostLine,
    News,
)
from custom_components.bitrix24_sip.state import LineState

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONNECTED = {"+": True, "-": False, "?": None}

type Step = tuple[float, str]
type Told = tuple[float, str, str]


def lines(text: str, code: int = 403) -> dict[int, LineState]:
    """Return what is shown of the lines."""
    found = {}
    for line in text.split():
        reg_id, sign = ord(line[0]), line[1]
        answer = SipRegistration(reg_id, "success", 200)
        if sign == "-":
            answer = SipRegistration(reg_id, "error", code, "Forbidden")
        found[reg_id] = LineState(
            SipLine(reg_id), None if sign == "?" else answer, CONNECTED[sign]
        )
    return found


def follow(tracker: IncidentTracker, *steps: Step) -> list[Told]:
    """Return what is told at which second of which lines.

    Lines that are back are lower-case.
    """
    return [
        (seconds, str(news.event), "".join(starmap(letter, news.lines.items())))
        for seconds, text in steps
        for news in tracker.update(lines(text), START + timedelta(seconds=seconds))
    ]


def letter(reg_id: int, line: LostLine) -> str:
    """Return how a line is written."""
    return chr(reg_id).lower() if line.back else chr(reg_id)


def restarted(tracker: IncidentTracker) -> IncidentTracker:
    """Return a tracker that goes on with what another one stored."""
    return IncidentTracker.from_dict(json.loads(json.dumps(tracker.as_dict())))


EMPTY = IncidentTracker().as_dict()
SCENARIOS: dict[str, tuple[list[Step], list[Told]]] = {
    "a line goes and is back": (
        [(0, "A+ B+"), (30, "A- B+"), (35, "A- B+"), (60, "A+ B+"), (180, "A+ B+")],
        [(35, "began", "A"), (180, "ended", "a")],
    ),
    "the follow-up poll finds a second line": (
        [(0, "A+ B+ C+"), (30, "A- B+ C+"), (35, "A- B- C+"), (65, "A- B- C+")],
        [(35, "began", "AB")],
    ),
    "another update before the follow-up poll": (
        [(0, "A+ B+ C+"), (30, "A- B+ C+"), (32, "A- B+ C+"), (35, "A- B- C+")],
        [(35, "began", "AB")],
    ),
    "nothing is left to be lost": (
        [(0, "A+ B+"), (30, "A- B-")],
        [(30, "began", "AB")],
    ),
    "the only line": ([(0, "A+"), (30, "A-")], [(30, "began", "A")]),
    "the portal is silent after the loss": (
        [(0, "A+ B+"), (30, "A- B+"), (36, "A? B?")],
        [(36, "began", "A")],
    ),
    "further lines": (
        [
            (0, "A+ B+ C+ D+"),
            (30, "A- B+ C+ D+"),
            (35, "A- B+ C+ D+"),
            (60, "A- B- C+ D+"),
            (65, "A- B- C- D+"),
            (90, "A- B- C- D+"),
        ],
        [(35, "began", "A"), (65, "grew", "ABC")],
    ),
    "a line that is back is not told when it grows": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B+ C+"),
            (35, "A- B+ C+"),
            (60, "A+ B- C+"),
            (65, "A+ B- C+"),
            (90, "A+ B+ C+"),
            (210, "A+ B+ C+"),
        ],
        [(35, "began", "A"), (65, "grew", "aB"), (210, "ended", "ab")],
    ),
    "away for a moment only": (
        [(0, "A+ B+"), (30, "A- B+"), (35, "A+ B+"), (60, "A+ B+"), (600, "A+ B+")],
        [],
    ),
    "away for a moment while others are down": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B+ C+"),
            (35, "A- B+ C+"),
            (60, "A- B- C+"),
            (65, "A- B+ C+"),
            (90, "A+ B+ C+"),
            (210, "A+ B+ C+"),
        ],
        [(35, "began", "A"), (210, "ended", "a")],
    ),
    "back, but not for long enough": (
        [
            (0, "A+ B+"),
            (30, "A- B+"),
            (35, "A- B+"),
            (60, "A+ B+"),
            (179, "A+ B+"),
            (185, "A- B+"),
            (190, "A- B+"),
            (200, "A+ B+"),
            (799, "A+ B+"),
            (800, "A+ B+"),
        ],
        [(35, "began", "A"), (800, "ended", "a")],
    ),
    "not known when it began": (
        [(0, "A? B+"), (30, "A- B+"), (60, "A- B+")],
        [],
    ),
    "a line that is not known does not end it": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B- C+"),
            (35, "A- B- C+"),
            (60, "A+ B? C+"),
            (400, "A+ B? C+"),
            (430, "A+ B+ C+"),
            (550, "A+ B+ C+"),
        ],
        [(35, "began", "AB"), (550, "ended", "ab")],
    ),
    "not known after it was back": (
        [
            (0, "A+ B+"),
            (30, "A- B+"),
            (35, "A- B+"),
            (60, "A+ B+"),
            (300, "A? B+"),
            (330, "A+ B+"),
        ],
        [(35, "began", "A"), (330, "ended", "a")],
    ),
    "a line that is not known does not grow it": (
        [(0, "A+ B+"), (30, "A- B+"), (35, "A- B+"), (60, "A- B?"), (600, "A- B?")],
        [(35, "began", "A")],
    ),
    "lost behind a silence": (
        [(0, "A+ B+"), (30, "A? B?"), (600, "A- B+"), (605, "A- B+")],
        [(605, "began", "A")],
    ),
    "a line is deleted while it is down": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B- C+"),
            (35, "A- B- C+"),
            (60, "B- C+"),
            (90, "B+ C+"),
            (210, "B+ C+"),
        ],
        [(35, "began", "AB"), (210, "ended", "b")],
    ),
    "the only line of it is deleted": (
        [(0, "A+ B+"), (30, "A- B+"), (35, "A- B+"), (60, "B+")],
        [(35, "began", "A"), (60, "ended", "")],
    ),
    "deleted before it was told": (
        [(0, "A+ B+"), (30, "A- B+"), (35, "B+"), (60, "B+")],
        [],
    ),
    "down from the start": (
        [(0, "A- B+"), (30, "A- B+"), (600, "A+ B+"), (900, "A+ B+")],
        [],
    ),
    "down from the start, and lost later": (
        [(0, "A- B+"), (30, "A+ B+"), (60, "A- B+"), (65, "A- B+")],
        [(65, "began", "A")],
    ),
    "a line that is left down hides nothing": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B+ C+"),
            (35, "A- B+ C+"),
            (4000, "A- B- C+"),
            (4005, "A- B- C+"),
            (4100, "A- B+ C+"),
            (4220, "A- B+ C+"),
            (9000, "A+ B+ C+"),
            (9120, "A+ B+ C+"),
            (9150, "A+ B+ C+"),
            (9900, "A+ B+ C+"),
        ],
        [
            (35, "began", "A"),
            (4005, "began", "B"),
            (4220, "ended", "b"),
            (9120, "ended", "a"),
        ],
    ),
    "a line that was left down is back with the others": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B+ C+"),
            (35, "A- B+ C+"),
            (4000, "A- B- C+"),
            (4005, "A- B- C+"),
            (4100, "A+ B+ C+"),
            (4220, "A+ B+ C+"),
        ],
        [(35, "began", "A"), (4005, "began", "B"), (4220, "ended", "ba")],
    ),
    "still growing within the hour": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B+ C+"),
            (35, "A- B+ C+"),
            (3630, "A- B- C+"),
            (3635, "A- B- C+"),
        ],
        [(35, "began", "A"), (3635, "grew", "AB")],
    ),
    "growing further within an hour each": (
        [
            (0, "A+ B+ C+ D+"),
            (30, "A- B+ C+ D+"),
            (35, "A- B+ C+ D+"),
            (3000, "A- B- C+ D+"),
            (3005, "A- B- C+ D+"),
            (6000, "A- B- C- D+"),
            (6005, "A- B- C- D+"),
        ],
        [(35, "began", "A"), (3005, "grew", "AB"), (6005, "grew", "ABC")],
    ),
    "nothing was recorded for longer than an hour": (
        [(0, "A+ B+ C+"), (30, "A- B+ C+"), (4000, "A- B- C+")],
        [(4000, "began", "AB")],
    ),
    "lines of several incidents are left down": (
        [
            (0, "A+ B+ C+ D+"),
            (30, "A- B+ C+ D+"),
            (35, "A- B+ C+ D+"),
            (4000, "A- B- C+ D+"),
            (4005, "A- B- C+ D+"),
            (8000, "A- B- C- D+"),
            (8005, "A- B- C- D+"),
            (8100, "A+ B+ C+ D+"),
            (8220, "A+ B+ C+ D+"),
        ],
        [
            (35, "began", "A"),
            (4005, "began", "B"),
            (8005, "began", "C"),
            (8220, "ended", "cab"),
        ],
    ),
    "the only line of it is deleted, and a former one is back": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B+ C+"),
            (35, "A- B+ C+"),
            (4000, "A- B- C+"),
            (4005, "A- B- C+"),
            (4100, "A+ C+"),
        ],
        [(35, "began", "A"), (4005, "began", "B"), (4100, "ended", "a")],
    ),
    "one of two lines was lost twice": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B- C+"),
            (35, "A- B- C+"),
            (60, "A- B+ C+"),
            (90, "A- B- C+"),
            (120, "A+ B+ C+"),
            (719, "A+ B+ C+"),
            (720, "A+ B+ C+"),
        ],
        [(35, "began", "AB"), (720, "ended", "ab")],
    ),
    "the follow-up poll is two seconds early": (
        [(0, "A+ B+"), (30, "A- B+"), (33, "A- B+")],
        [(33, "began", "A")],
    ),
    "one of two lines is not known after both were back": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B- C+"),
            (35, "A- B- C+"),
            (60, "A+ B+ C+"),
            (180, "A+ B? C+"),
            (200, "A+ B+ C+"),
        ],
        [(35, "began", "AB"), (200, "ended", "ab")],
    ),
    "monitored again": (
        [(0, "A+ B+"), (30, "B+"), (60, "A- B+"), (65, "A- B+")],
        [],
    ),
    "deleted after it was back": (
        [(0, "A+ B+"), (30, "A- B+"), (35, "A- B+"), (60, "A+ B+"), (90, "B+")],
        [(35, "began", "A"), (90, "ended", "")],
    ),
    "lost again after it ended": (
        [
            (0, "A+ B+"),
            (30, "A- B+"),
            (35, "A- B+"),
            (60, "A+ B+"),
            (180, "A+ B+"),
            (1979, "A- B+"),
            (1984, "A- B+"),
            (1985, "A+ B+"),
            (2104, "A+ B+"),
            (2105, "A+ B+"),
        ],
        [
            (35, "began", "A"),
            (180, "ended", "a"),
            (1984, "began", "A"),
            (2105, "ended", "a"),
        ],
    ),
    "lost again soon after it ended": (
        [
            (0, "A+ B+"),
            (30, "A- B+"),
            (35, "A- B+"),
            (60, "A+ B+"),
            (180, "A+ B+"),
            (210, "A- B+"),
            (215, "A- B+"),
            (240, "A+ B+"),
            (840, "A+ B+"),
            (1979, "A+ B+"),
            (1980, "A+ B+"),
        ],
        [
            (35, "began", "A"),
            (180, "ended", "a"),
            (215, "began", "A"),
            (1980, "ended", "a"),
        ],
    ),
    "lost half an hour after it ended": (
        [
            (0, "A+ B+"),
            (30, "A- B+"),
            (35, "A- B+"),
            (60, "A+ B+"),
            (180, "A+ B+"),
            (1980, "A- B+"),
            (1985, "A- B+"),
            (2000, "A+ B+"),
            (2120, "A+ B+"),
        ],
        [
            (35, "began", "A"),
            (180, "ended", "a"),
            (1985, "began", "A"),
            (2120, "ended", "a"),
        ],
    ),
    "others are lost while an incident is held": (
        [
            (0, "A+ B+ C+ D+"),
            (30, "A- B+ C+ D+"),
            (35, "A- B+ C+ D+"),
            (60, "A+ B+ C+ D+"),
            (180, "A+ B+ C+ D+"),
            (210, "A- B+ C+ D+"),
            (215, "A- B+ C+ D+"),
            (240, "A+ B+ C+ D+"),
            (839, "A+ B- C+ D+"),
            (844, "A+ B- C+ D+"),
            (845, "A+ B+ C+ D+"),
            (1445, "A+ B+ C- D+"),
            (1450, "A+ B+ C- D+"),
            (1500, "A+ B+ C+ D+"),
            (1620, "A+ B+ C+ D+"),
        ],
        [
            (35, "began", "A"),
            (180, "ended", "a"),
            (215, "began", "A"),
            (844, "grew", "aB"),
            (1450, "began", "C"),
            (1620, "ended", "cab"),
        ],
    ),
    "lost again just after a former line is back": (
        [
            (0, "A+ B+ C+"),
            (30, "A- B+ C+"),
            (35, "A- B+ C+"),
            (4000, "A+ B- C+"),
            (4005, "A+ B- C+"),
            (4100, "A+ B+ C+"),
            (4220, "A+ B+ C+"),
        ],
        [(35, "began", "A"), (4005, "began", "B"), (4220, "ended", "ba")],
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("restart_each_time", [False, True], ids=["", "restarts"])
def test_scenarios(name: str, *, restart_each_time: bool) -> None:
    """Each is told as it happens; restarts in between make no difference."""
    steps, told = SCENARIOS[name]
    tracker, found = IncidentTracker(), []
    for step in steps:
        found += follow(tracker, step)
        if restart_each_time:
            stored = tracker.as_dict()
            tracker = restarted(tracker)
            assert tracker.as_dict() == stored
    assert found == told


def test_lost_while_home_assistant_was_not_running() -> None:
    """A line that was registered before a restart, and is not after it, is told."""
    tracker = IncidentTracker()
    follow(tracker, (0, "A+ B+ C-"))
    tracker = restarted(tracker)
    assert follow(tracker, (600, "A- B+ C-"), (605, "A- B+ C-")) == [
        (605, "began", "A")
    ]


def test_back_while_home_assistant_was_not_running() -> None:
    """The incident ends after the restart, and with the time that was seen."""
    tracker = IncidentTracker()
    follow(tracker, (0, "A+ B+"), (30, "A- B+"), (35, "A- B+"))
    tracker = restarted(tracker)
    assert tracker.is_open
    assert follow(tracker, (600, "A+ B+"), (719, "A+ B+")) == []
    (news,) = tracker.update(lines("A+ B+"), START + timedelta(seconds=720))
    assert news.duration == timedelta(seconds=570)
    assert not tracker.is_open


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"incident": None},
        {"incident": None, "left": [], "registered": [], "losses": {}},
        {"incident": None, "left": {}, "registered": ["x"], "losses": {}},
        {"incident": None, "left": {}, "registered": [], "losses": {"1": ["x"]}},
        EMPTY | {"ended": {"1": "x"}},
        EMPTY | {"registered": None},
        {"incident": {}, "left": {}, "registered": [65], "losses": {}},
        {"incident": 1, "left": {}, "registered": [65], "losses": {}},
    ],
)
def test_what_cannot_be_read(stored: dict[str, Any]) -> None:
    """The tracker begins anew, with nothing half taken over."""
    tracker = IncidentTracker.from_dict(stored)
    assert tracker.as_dict() == EMPTY


def down(*codes: int) -> News:
    """Return the news that as many lines were lost, with those codes."""
    names = "ABC"[: len(codes)]
    tracker = IncidentTracker()
    tracker.update(lines(" ".join(f"{name}+" for name in names)), START)
    shown: dict[int, LineState] = {}
    for name, code in zip(names, codes, strict=True):
        shown |= lines(f"{name}-", code)
    (news,) = tracker.update(shown, START + timedelta(seconds=30))
    return news


@pytest.mark.parametrize(
    ("codes", "code", "cause"),
    [
        ([403], 403, Cause.FORBIDDEN),
        ([403, 403], 403, Cause.FORBIDDEN),
        ([408, 504], None, Cause.NO_ANSWER),
        ([403, 408], None, None),
    ],
)
def test_what_the_lines_have_in_common(
    codes: list[int], code: int | None, cause: Cause | None
) -> None:
    """Code and cause are told where they are those of all lines."""
    news = down(*codes)
    assert (news.code, news.cause, news.text) == (code, cause, "Forbidden")


def test_the_latest_reason_counts() -> None:
    """A code that has changed since is told as it is now."""
    tracker = IncidentTracker()
    tracker.update(lines("A+ B+"), START)
    tracker.update(lines("A- B+", 403), START + timedelta(seconds=30))
    (news,) = tracker.update(lines("A- B+", 503), START + timedelta(seconds=35))
    assert (news.code, news.cause) == (503, Cause.PROVIDER_UNAVAILABLE)


@pytest.mark.parametrize(
    ("codes", "down", "ended"),
    [([403, 503], 503, None), ([403, 403], 403, 403)],
)
def test_whose_code_is_told(codes: list[int], down: int, ended: int | None) -> None:
    """That of the lines that are still down, and at the end that of all lines."""
    tracker = IncidentTracker()
    told: list[News] = []
    for seconds, shown in (
        (0, lines("A+ B+ C+")),
        (30, lines("A- B+ C+", codes[0])),
        (35, lines("A- B+ C+", codes[0])),
        (60, lines("A+ B- C+", codes[1])),
        (65, lines("A+ B- C+", codes[1])),
    ):
        told += tracker.update(shown, START + timedelta(seconds=seconds))
    assert [(news.event, news.code) for news in told][1:] == [("grew", down)]
    follow(tracker, (90, "A+ B+ C+"))
    (news,) = tracker.update(lines("A+ B+ C+"), START + timedelta(seconds=210))
    assert (news.event, news.code) == ("ended", ended)


@pytest.mark.parametrize(
    ("registration", "cause"),
    [
        pytest.param(
            SipRegistration(65, "error", 403, "Forbidden"), Cause.FORBIDDEN, id="known"
        ),
        pytest.param(None, None, id="not known"),
    ],
)
def test_the_reason_survives_a_restart(
    registration: SipRegistration | None, cause: Cause | None
) -> None:
    """It is told when the incident ends."""
    tracker = IncidentTracker()
    tracker.update(lines("A+"), START)
    (began,) = tracker.update({65: LineState(SipLine(65), registration, False)}, START)
    tracker = restarted(tracker)
    follow(tracker, (60, "A+"))
    (ended,) = tracker.update(lines("A+"), START + timedelta(seconds=180))
    assert (ended.code, ended.text, ended.cause) == (
        began.code,
        began.text,
        began.cause,
    )
    assert ended.cause == cause


def test_stored_without_the_losses() -> None:
    """The incident goes on; nothing is known of earlier losses."""
    tracker = IncidentTracker()
    follow(tracker, (0, "A+ B+"), (30, "A- B+"), (35, "A- B+"))
    tracker = IncidentTracker.from_dict({**tracker.as_dict(), "losses": {}})
    assert follow(tracker, (60, "A+ B+"), (180, "A+ B+")) == [(180, "ended", "a")]


def test_no_text() -> None:
    """An empty text is none, and so is what cannot be known of no line."""
    tracker = IncidentTracker()
    tracker.update(lines("A+"), START)
    (began,) = tracker.update(
        {65: LineState(SipLine(65), SipRegistration(65, "error", 500), False)}, START
    )
    assert began.text is None
    (ended,) = tracker.update({}, START)
    assert (ended.code, ended.text, ended.cause, ended.duration) == (None,) * 4


def test_lost_without_a_registration() -> None:
    """A loss of which no answer is shown has no reason."""
    tracker = IncidentTracker()
    tracker.update(lines("A+"), START)
    (news,) = tracker.update({65: LineState(SipLine(65), None, False)}, START)
    assert (news.code, news.cause, news.text) == (None, None, None)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 80)), max_size=25))
def test_a_line_that_goes_on_and_off(phases: list[tuple[int, int]]) -> None:
    """However it does, two incidents begin within half an hour, and each loss is in one.

    phases: for how many polls it is lost, and then registered.
    """
    tracker, now = IncidentTracker(), START
    signs = "+" + "".join("-" * lost + "+" * back for lost, back in phases) + "+" * 125
    began: list[datetime] = []
    for before, sign in zip("+" + signs, signs, strict=False):
        now += timedelta(seconds=15)
        told = tracker.update(lines(f"A{sign} B+"), now)
        began += [now for news in told if news.event == "began"]
        assert tracker.is_open or (before, sign) != ("-", "-")
    assert not tracker.is_open
    thirds = zip(began, began[2:], strict=False)
    assert all(third - first >= timedelta(minutes=30) for first, third in thirds)


def test_lost_again() -> None:
    """It is told which lines were lost again, with all events of their incident."""
    tracker = IncidentTracker()
    told: list[News] = []
    for seconds, shown in (
        (0, "A+ B+ C+"),
        (30, "A- B+ C+"),
        (35, "A- B+ C+"),
        (60, "A+ B+ C+"),
        (180, "A+ B+ C+"),
        (210, "A- B- C+"),
        (215, "A- B- C+"),
        (240, "A+ B+ C+"),
        (1980, "A+ B+ C+"),
        (3780, "A- B+ C+"),
        (3785, "A- B+ C+"),
    ):
        told += tracker.update(lines(shown), START + timedelta(seconds=seconds))
        tracker = restarted(tracker)
    assert [(str(news.event), news.again) for news in told] == [
        ("began", []),
        ("ended", []),
        ("began", [65]),
        ("ended", [65]),
        ("began", []),
    ]


def test_held_while_the_clock_is_put_back() -> None:
    """An incident is not held until a time that was wrong."""
    tracker = IncidentTracker()
    follow(tracker, (0, "A+ B+"), (30, "A- B+"), (35, "A- B+"), (60, "A+ B+"))
    follow(tracker, (180, "A+ B+"), (210, "A- B+"), (215, "A- B+"))
    assert follow(tracker, (-86400, "A+ B+"), (-86400 + 600, "A+ B+")) == [
        (-86400 + 600, "ended", "a")
    ]


@pytest.mark.parametrize(
    ("steps", "unstable"),
    [
        pytest.param(
            [(4000, "A+ B+ C+"), (4120, "A+ B+ C+")], [65], id="down for long"
        ),
        pytest.param(
            [(240, "B- C+"), (300, "B+ C+"), (420, "B+ C+")], [], id="deleted meanwhile"
        ),
    ],
)
def test_unstable_lines_of_an_incident(steps: list[Step], unstable: list[int]) -> None:
    """A line that was unstable in an incident is told as that when it ends."""
    tracker = IncidentTracker()
    follow(tracker, (0, "A+ B+ C+"), (30, "A- B- C+"), (35, "A- B- C+"))
    for start in (60, 120, 180):
        follow(tracker, (start, "A+ B- C+"), (start + 30, "A- B- C+"))
    *before, (second, text) = steps
    assert follow(tracker, *before) == []
    (news,) = tracker.update(lines(text), START + timedelta(seconds=second))
    assert (news.event, news.unstable) == ("ended", unstable)


@pytest.mark.parametrize(
    ("minutes", "unstable"),
    [
        ([0, 5, 10], False),
        ([0, 5, 10, 15], True),
        ([0, 10, 20, 29.9], True),
        ([0, 10, 20, 30], False),
        ([0, 10, 20, 30, 31], True),
        ([600, 601, 602, 15], False),  # the clock was put back
    ],
)
def test_unstable(minutes: list[float], *, unstable: bool) -> None:
    """Four losses within half an hour."""
    history = LossHistory()
    for minute in minutes:
        history.add(START + timedelta(minutes=minute))
    assert history.unstable(START + timedelta(minutes=minutes[-1])) is unstable


def test_clock_put_back() -> None:
    """Nothing waits for a time that was wrong, and no wrong length is told."""
    tracker = IncidentTracker()
    later = START + timedelta(days=400)
    tracker.update(lines("A+ B+"), later)
    tracker.update(lines("A- B+"), later)
    (began,) = tracker.update(lines("A- B+"), START)
    assert began.event == "began"
    tracker.update(lines("A+ B+"), later)
    assert tracker.update(lines("A+ B+"), START) == []
    (ended,) = tracker.update(lines("A+ B+"), START + timedelta(seconds=120))
    assert ended.duration is None


@pytest.mark.parametrize(
    ("lost", "also_lost", "back", "duration"),
    [
        pytest.param(30, 60, 90, 60, id="from the first loss"),
        pytest.param(30, 30, 30, 0, id="within the same moment"),
        pytest.param(30, 30, 29, None, id="the clock was put back"),
    ],
)
def test_duration(lost: int, also_lost: int, back: int, duration: int | None) -> None:
    """It is counted until all lines are back, not until they have been for a while."""
    tracker = IncidentTracker()
    told: list[News] = []
    for seconds, text in (
        (0, "A+ B+"),
        (lost, "A- B+"),
        (also_lost, "A- B-"),
        (back, "A+ B+"),
        (back + 120, "A+ B+"),
    ):
        told += tracker.update(lines(text), START + timedelta(seconds=seconds))
    assert [str(news.event) for news in told][-1] == "ended"
    expected = None if duration is None else timedelta(seconds=duration)
    assert told[-1].duration == expected


def test_not_open_before_it_is_told() -> None:
    """A line that is away for a moment only opens no incident."""
    tracker = IncidentTracker()
    follow(tracker, (0, "A+ B+"), (30, "A- B+"))
    assert not tracker.is_open
    follow(tracker, (35, "A- B+"))
    assert tracker.is_open


def test_next_change() -> None:
    """It is known when there is something to tell if nothing happens."""
    tracker = IncidentTracker()

    def next_change(seconds: int) -> float | None:
        return tracker.next_change(START + timedelta(seconds=seconds))

    assert next_change(0) is None
    follow(tracker, (0, "A+ B+"), (30, "A- B+"))
    assert next_change(32) == 8, "the loss is told without the follow-up poll"
    assert follow(tracker, (40, "A- B+")) == [(40, "began", "A")]
    assert next_change(40) is None
    follow(tracker, (60, "A+ B+"))
    assert next_change(80) == 100, "the end"
    follow(tracker, (80, "A+ B-"), (82, "A+ B+"))
    assert next_change(82) == 8


def test_when_a_line_is_back_and_lost_again() -> None:
    """The first time of each is kept."""
    tracker = IncidentTracker()
    signs = enumerate("+--+-+-+")
    follow(tracker, *((30.0 * at, f"A{sign} B+") for at, sign in signs))
    assert tracker.incident
    line = tracker.incident.lines[ord("A")]
    assert line.back_at == START + timedelta(seconds=90)
    assert line.relapsed_at == START + timedelta(seconds=120)
