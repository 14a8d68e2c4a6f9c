"""How long a line was registered, against reckonings that work in another way.

Those have one byte for each second of a line: not known, up, or down.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
import json
from random import Random
import re
import tracemalloc
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.bitrix24_sip.bitrix24 import SipLine, SipRegistration
from custom_components.bitrix24_sip.state import LineState
from custom_components.bitrix24_sip.uptime import (
    BELIEVED_AFTER,
    CHANGES_KEPT,
    GAP_SECONDS,
    OUTAGES_KEPT,
    REASONS_KEPT,
    Figures,
    LineUptime,
    Outage,
    PortalUptime,
    Reason,
)
from custom_components.bitrix24_sip.uptime_history import DAY, HOUR

START = 1_767_225_600  # midnight of 2026-01-01
NOT_KNOWN, UP, DOWN = 0, 1, 2
OUTAGE = re.compile(rb"\x02[\x00\x02]*")


def line_state(state: int, code: int = 403) -> LineState:
    """Return what is shown of a line."""
    line = SipLine(1, "Main line")
    if state == NOT_KNOWN:
        return LineState(line)
    if state == UP:
        return LineState(line, SipRegistration(1, "success", 200), connected=True)
    down = SipRegistration(1, "error", code, f"Error {code}")
    return LineState(line, down, connected=False)


def shown(*states: int) -> dict[int, LineState]:
    """Return what is shown of the lines 1, 2, and so on."""
    return {reg_id: line_state(state) for reg_id, state in enumerate(states, 1)}


def restarted(uptime: PortalUptime, kept: int = CHANGES_KEPT) -> PortalUptime:
    """Return what there is after a restart."""
    return PortalUptime.restore(json.loads(json.dumps(uptime.as_dict())), kept)


def told(
    line: LineUptime, uptime: PortalUptime, start: int, end: int
) -> list[tuple[int, int | None, int]]:
    """Return the outages of a period as began, ended, and downtime."""
    outages = line.outages(start, end, uptime.now, uptime.reasons)
    return [(outage.began, outage.ended, outage.downtime) for outage in outages]


class Seconds:
    """The reckoning second by second, by the documented rules of the clock."""

    def __init__(self, lines: int) -> None:
        """Begin with nothing known of 60 days."""
        self.lines = [bytearray(60 * DAY) for _ in range(lines)]
        self.states = [NOT_KNOWN] * lines
        self.now = 0
        self.behind_since: float | None = None

    def record(self, states: list[int], wall: int, running: float) -> None:
        """Take the states from now on."""
        now = wall - START
        before, self.states = self.states, states
        if now < self.now:
            if self.behind_since is None:
                self.behind_since = running
            if running - self.behind_since < BELIEVED_AFTER:
                return
            for line in self.lines:
                line[now:] = bytes(len(line) - now)
        elif now - self.now <= GAP_SECONDS:
            for line, state in zip(self.lines, before, strict=True):
                line[self.now : now] = bytes([state]) * (now - self.now)
        self.behind_since = None
        self.now = now


def outages_in(
    truth: bytes, start: int, end: int, now: int
) -> Iterator[tuple[int, int | None, int]]:
    """Yield the outages of a period in what is true: began, ended, and downtime in it.

    One that begins now has no downtime yet.
    """
    for match in OUTAGE.finditer(truth):
        began, ended = match.start(), match.start() + len(match[0].rstrip(b"\0"))
        downtime = truth[max(began, start) : max(min(ended, end), start)].count(DOWN)
        if downtime or end == now < ended:
            goes_on = match.end() == len(truth)
            yield START + began, None if goes_on else START + ended, downtime


states = st.sampled_from([NOT_KNOWN, UP, DOWN])
seconds = st.one_of(st.integers(1, 400), st.integers(1, 5 * HOUR))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("show"), st.tuples(states, states), seconds),
        st.tuples(st.just("restart"), st.none(), seconds),
        st.tuples(st.just("forwards"), st.none(), seconds),
        st.tuples(st.just("backwards"), st.none(), seconds),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(
    steps=steps,
    kept=st.sampled_from([2, 3, 10, CHANGES_KEPT]),
    periods=st.lists(st.tuples(st.integers(0, 9 * DAY), seconds), max_size=5),
)
def test_any_sequence(
    steps: list[tuple[str, Any, int]], kept: int, periods: list[tuple[int, int]]
) -> None:
    """Up, down and not known are the whole period, to the second, whatever happens."""
    uptime, reckoning = PortalUptime(kept), Seconds(2)
    wall, running, states = START + 5 * DAY, 0, [NOT_KNOWN, NOT_KNOWN]
    in_part = (
        False  # whether an hour or a day that was summed up was in part yet to come
    )

    def record() -> None:
        nonlocal in_part
        in_part |= wall < uptime.now and any(
            kept < CHANGES_KEPT and line.logged_from(uptime.now) > wall
            for line in uptime.lines.values()
        )
        uptime.record(shown(*states), wall, running)
        reckoning.record(list(states), wall, running)

    for what, new_states, step in steps:
        if what == "backwards":
            wall -= step
        elif what == "forwards":
            wall += step
        elif what == "restart":
            uptime = restarted(uptime, kept)
            wall, running = wall + step, 0
            reckoning.states = [NOT_KNOWN, NOT_KNOWN]
            reckoning.behind_since = None
        else:
            states = list(new_states)
            for left in range(step, 0, -GAP_SECONDS):
                record()
                wall += min(left, GAP_SECONDS)
                running += min(left, GAP_SECONDS)
        record()

    periods.append((5 * DAY, uptime.now - START - 5 * DAY))
    for reg_id, line in uptime.lines.items():
        truth = reckoning.lines[reg_id - 1]
        for after, length in periods:
            start = START + after
            end = min(start + length, uptime.now)
            if start >= end:
                continue
            figures = line.figures(start, end, uptime.now)
            start, end = line.period(start, end)
            part = truth[start - START : end - START]
            assert figures.length == end - start
            assert 0 <= figures.known_percent <= 100
            assert figures.uptime is None or 0 <= figures.uptime <= 100
            if in_part:
                assert 0 <= figures.up <= part.count(UP)
                assert 0 <= figures.down <= part.count(DOWN)
                continue
            assert (figures.up, figures.down) == (part.count(UP), part.count(DOWN))
            assert figures.length - figures.known == part.count(NOT_KNOWN)
            begins_now = end == uptime.now and reckoning.states[reg_id - 1] == DOWN
            outages = len(OUTAGE.findall(bytes(part) + b"\2" * begins_now))
            in_log = start >= line.logged_from(end)
            if in_log:
                assert figures.outages == outages
            else:
                assert outages - figures.outages in (0, 1)
            now = uptime.now - START
            known = bytes([*truth[:now], reckoning.states[reg_id - 1]])
            expected = outages_in(known, start - START, end - START, now)
            for told_of, true in zip(
                told(line, uptime, start, end), expected, strict=True
            ):
                began, ended, downtime = told_of
                assert true[:2] == (began, ended)
                if in_log or (start <= began and (ended or uptime.now) <= end):
                    assert downtime == true[2]
                else:  # its gaps are no longer known
                    assert true[2] <= downtime <= end - start
        # An outage that began within this second is not stored, and begins anew.
        before = line.figures(START, uptime.now)
        after_restart = restarted(uptime, kept).lines[reg_id].figures(START, uptime.now)
        assert (after_restart.up, after_restart.down) == (before.up, before.down)


def random_spans(random: Random, count: int, longest: int) -> list[tuple[int, int]]:
    """Return spans of a year, which may overlap."""
    spans = []
    for _ in range(count):
        began = random.randrange(365 * DAY)
        spans.append((began, min(began + random.randint(1, longest), 365 * DAY)))
    return spans


def test_a_year() -> None:
    """Ten lines with 500 outages each, restarts, and a portal that is silent at times."""
    random = Random(16)
    outages = {reg_id: random_spans(random, 500, 6 * HOUR) for reg_id in range(1, 11)}
    silences = random_spans(random, 100, 2 * HOUR)
    restarts = random_spans(random, 50, HOUR)

    # What happens, as the integration sees it: second by second where anything changes.
    def within(spans: list[tuple[int, int]], at: int) -> bool:
        return any(began <= at < ended for began, ended in spans)

    edges = {edge for spans in outages.values() for span in spans for edge in span}
    edges |= {edge for span in (*silences, *restarts) for edge in span}
    edges |= set(range(0, 365 * DAY, GAP_SECONDS)) | {365 * DAY}
    common = {edge for span in (*silences, *restarts) for edge in span}
    edges_of = {
        reg_id: {edge for span in spans for edge in span} | common
        for reg_id, spans in outages.items()
    }
    uptime, off = PortalUptime(), False
    now_shown: dict[int, LineState] = {}
    for at in sorted(edges):
        if at in common and within(restarts, at) and not off:
            uptime.record(now_shown, START + at, at)
            uptime, off = restarted(uptime), True
        elif off and at in common and not within(restarts, at):
            now_shown, off = {}, False
        if off:
            continue
        new: dict[int, LineState] = {}
        for reg_id, spans in outages.items():
            if now_shown and at not in edges_of[reg_id]:
                new[reg_id] = now_shown[reg_id]
            elif within(silences, at):
                new[reg_id] = line_state(NOT_KNOWN)
            else:
                new[reg_id] = line_state(DOWN if within(spans, at) else UP)
        now_shown = new
        uptime.record(now_shown, START + at, at)

    # What is true, painted.
    for reg_id, spans in outages.items():
        truth = bytearray([UP]) * (365 * DAY)
        for spans_of_a_state, state in (
            (spans, DOWN),
            (silences + restarts, NOT_KNOWN),
        ):
            for began, ended in spans_of_a_state:
                truth[began:ended] = bytes([state]) * (ended - began)
        line = uptime.lines[reg_id]
        for start, end in (
            (0, 365 * DAY),
            (335 * DAY, 365 * DAY),
            (364 * DAY, 365 * DAY),
            (30 * DAY + 7_200, 61 * DAY - 19_800),  # a month, in other time zones
        ):
            part = truth[start:end]
            figures = line.figures(START + start, START + end)
            matches = list(OUTAGE.finditer(bytes(part)))
            expected = (end - start, part.count(UP), part.count(DOWN), len(matches))
            assert figures == Figures(*expected)
        listed = told(line, uptime, START, START + 365 * DAY)
        year = 365 * DAY
        assert listed == list(outages_in(bytes(truth) + b"\1", 0, year, year))


@pytest.mark.parametrize(
    "spans",
    [
        pytest.param([UP, DOWN], id="without gaps"),
        pytest.param([NOT_KNOWN, DOWN, NOT_KNOWN, UP], id="between gaps"),
        pytest.param([UP, *[NOT_KNOWN, UP] * 5, DOWN], id="gaps between them"),
        pytest.param([UP, *[DOWN, NOT_KNOWN] * 5, DOWN], id="gaps in them"),
    ],
)
def test_the_last_thousand_outages(spans: list[int]) -> None:
    """They are told, however often nothing was known."""
    assert (CHANGES_KEPT, OUTAGES_KEPT) == (2000, 1000), "as the documentation says"
    line, reasons, at = LineUptime(), PortalUptime().reasons, 0
    truth = bytearray()
    for number in range(3 * OUTAGES_KEPT):
        state = DOWN + reasons.index(Reason(number % 700, "", "error"))
        for span in spans:
            line.change(START + at, state if span == DOWN else span)
            truth += bytes([span]) * (number % 5 + 1)
            at = len(truth)
    line.change(START + at, UP)
    outages = line.outages(START, START + at, START + at, reasons)
    told = [(outage.began, outage.ended, outage.downtime) for outage in outages]
    true = list(outages_in(bytes(truth + b"\1"), 0, at, at))
    assert len(true) == 3 * OUTAGES_KEPT
    assert len(told) >= OUTAGES_KEPT
    assert told == true[-len(told) :]
    codes = [number % 700 for number in range(3 * OUTAGES_KEPT)]
    assert [outage.reason.code for outage in outages] == codes[-len(told) :]
    assert line.outages_from == true[-len(told) - 1][1], "the end of the one before"


HOURS_OF_FULL_LOGS = 416 * 24


def _full_logs(number: int) -> list[LineUptime]:
    """Return the logs of lines that changed more often than is kept."""
    logs = [LineUptime() for _ in range(number)]
    for hour in range(HOURS_OF_FULL_LOGS):
        for log in logs:
            log.change(START + hour * HOUR, hour % 2 + UP)
    return logs


def test_memory_of_a_line() -> None:
    """At most 40 KiB, also of a line with as much as is kept of everything."""
    lines = 5
    # Not the first time, in which the measurement of the coverage needs memory, too.
    _full_logs(1)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        logs = _full_logs(lines)
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    end = START + HOURS_OF_FULL_LOGS * HOUR
    assert all(log.figures(end - 365 * DAY, end).known == 365 * DAY for log in logs)
    outages = logs[0].outages(START, end, end, PortalUptime().reasons)
    assert len(outages) == CHANGES_KEPT // 2 + OUTAGES_KEPT
    assert 30 * 1024 < used / lines < 40 * 1024


class Story:
    """One line, whose state is recorded every minute."""

    def __init__(self, kept: int = CHANGES_KEPT) -> None:
        """Begin at midnight of 2026-01-01."""
        self.uptime = PortalUptime(kept)
        self.wall, self.running = START, 0

    def show(self, state: int, minutes: int, code: int = 403) -> set[int]:
        """Show a state for so many minutes; return what the first record changed."""
        changed = [
            self.uptime.record({1: line_state(state, code)}, self.wall, self.running)
        ]
        for _ in range(minutes):
            self.wall += 60
            self.running += 60
            changed.append(
                self.uptime.record(
                    {1: line_state(state, code)}, self.wall, self.running
                )
            )
        assert not any(changed[1:])
        return changed[0]

    def restart(self, minutes: int) -> None:
        """Restart, after so many minutes."""
        self.uptime = restarted(self.uptime)
        self.wall += 60 * minutes
        self.running = 0

    @property
    def line(self) -> LineUptime:
        """The line."""
        return self.uptime.lines[1]

    @property
    def minutes(self) -> tuple[float, float, float]:
        """The minutes up, down, and not known."""
        figures = self.line.figures(START, self.uptime.now)
        unknown = figures.length - figures.known
        return figures.up / 60, figures.down / 60, unknown / 60

    def outages(self) -> list[tuple[float, float | None, float, Reason]]:
        """Return the outages in minutes."""
        return [
            (
                (outage.began - START) / 60,
                outage.ended and (outage.ended - START) / 60,
                outage.downtime / 60,
                outage.reason,
            )
            for outage in self.line.outages(
                START, self.uptime.now, self.uptime.now, self.uptime.reasons
            )
        ]


FORBIDDEN = Reason(403, "Error 403", "error")


def test_outage() -> None:
    """It has the reason with which it began."""
    story = Story()
    assert not story.show(UP, 10)
    assert story.show(DOWN, 5, 403) == {1}
    assert not story.show(DOWN, 5, 408)
    assert story.outages() == [(10, None, 10, FORBIDDEN)]
    assert story.show(UP, 40) == {1}
    assert story.minutes == (50, 10, 0)
    assert story.outages() == [(10, 20, 10, FORBIDDEN)]
    assert story.line.figures(START, story.wall).uptime == 83.33


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize("after", [UP, DOWN])
def test_gap_in_an_outage(after: int, *, restart: bool) -> None:
    """It goes on if the line still is down, and else ended when that was last known."""
    story = Story()
    story.show(UP, 10)
    story.show(DOWN, 10)
    if restart:
        story.restart(30)
    else:
        story.show(NOT_KNOWN, 30)
    if after == DOWN:
        story.show(DOWN, 20)
        assert story.minutes == (10, 30, 30)
        assert story.outages() == [(10, None, 30, FORBIDDEN)]
    else:
        story.show(UP, 20)
        assert story.minutes == (30, 10, 30)
        assert story.outages() == [(10, 20, 10, FORBIDDEN)]
    assert story.line.figures(START, story.wall).outages == 1


def test_short_restart() -> None:
    """The time of it is not known, also if it is shorter than a gap between records."""
    story = Story()
    story.show(UP, 10)
    story.restart(4)
    story.show(UP, 10)
    assert story.minutes == (20, 0, 4)


def test_what_is_a_change() -> None:
    """Another state, as it is at the end of its first second; not another reason."""
    line, no_reason, reason = LineUptime(), DOWN, DOWN + 1
    for at, state, changes in (
        (10, UP, 1),
        (20, UP, 1),
        (30, no_reason, 2),
        (40, reason, 2),
        (50, no_reason, 2),
        (60, NOT_KNOWN, 3),
        (70, UP, 4),
        (70, reason, 4),
        (70, NOT_KNOWN, 3),
        (80, reason, 4),
        (90, no_reason, 4),
    ):
        line.change(at, state)
        assert (line.changes, line.state >= DOWN) == (changes, state >= DOWN)
    assert line.figures(0, 100) == Figures(100, 20, 50, 1)


def test_a_line_of_which_nothing_was_recorded() -> None:
    """Nothing is known of it."""
    assert LineUptime().figures(START, START + DAY) == Figures(DAY)
    assert LineUptime().outages(START, START, START, PortalUptime().reasons) == []
    assert LineUptime().outages_from == 0


def test_sleep() -> None:
    """Of the time in which nothing was recorded, nothing is known."""
    story = Story()
    story.show(UP, 10)
    story.wall += 3600
    story.show(UP, 10)
    assert story.minutes == (20, 0, 60)


@pytest.mark.parametrize(("seconds", "not_known"), [(300, 0), (301, 301)])
def test_how_long_nothing_may_be_recorded(seconds: int, not_known: int) -> None:
    """Five minutes between two records are known, more are not."""
    uptime = PortalUptime()
    for at in (0, seconds):
        uptime.record(shown(UP), START + at, at)
    figures = uptime.lines[1].figures(START, uptime.now)
    assert figures.length - figures.known == not_known


@pytest.mark.parametrize(("behind_for", "believed"), [(3599, False), (3600, True)])
def test_when_a_clock_that_is_behind_is_believed(
    behind_for: int, believed: bool
) -> None:
    """After an hour."""
    uptime = PortalUptime()
    uptime.record(shown(UP), START, 0)
    for running in (60, 60 + behind_for):
        uptime.record(shown(UP), START - DAY, running)
    assert uptime.now == (START - DAY if believed else START)


@pytest.mark.parametrize(("now", "outages"), [(1800, 1), (1860, 0)])
def test_outage_that_begins_when_a_period_ends(now: int, outages: int) -> None:
    """It counts if the period ends now, as it is shown at once; else it comes later."""
    story = Story()
    story.show(UP, 30)
    story.show(DOWN, 5)
    start, end, now = START, START + 1800, START + now
    assert story.line.figures(start, end, now) == Figures(1800, 1800, 0, outages)
    assert story.line.figures(start, end) == Figures(1800, 1800, 0, 1)
    assert len(story.line.outages(start, end, now, story.uptime.reasons)) == outages


OUTAGES = ((100, 150, 50), (200, 280, 40), (300, 310, 10), (400, 440, 30))


def told_of_a_period(kept: int, start: int, end: int) -> Any:
    """Return what is told of a period of a line with the outages, two of them with a gap."""
    uptime = PortalUptime()
    line = uptime.lines[1] = LineUptime(kept)
    for at, state in (
        *((0, UP), (100, DOWN), (150, UP)),
        *((200, DOWN), (220, NOT_KNOWN), (260, DOWN), (280, UP)),
        *((300, DOWN), (310, UP)),
        *((400, DOWN), (410, NOT_KNOWN), (420, DOWN), (440, UP)),
    ):
        line.change(at, state)
    uptime.now = 500
    return told(line, uptime, start, end)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(0, 500, OUTAGES, id="all"),
        pytest.param(150, 200, (), id="none"),
        pytest.param(149, 201, ((100, 150, 1), (200, 280, 1)), id="a second of two"),
        pytest.param(120, 130, ((100, 150, 10),), id="within one"),
        pytest.param(150, 400, OUTAGES[1:3], id="from outage to outage"),
        pytest.param(425, 440, ((400, 440, 15),), id="after a gap"),
        pytest.param(410, 420, (), id="within a gap"),
        pytest.param(300, 310, ((300, 310, 10),), id="exactly one"),
    ],
)
@pytest.mark.parametrize("kept", [5, 6, 7, 8, 9, 10, 100])
def test_outages_of_a_period(
    kept: int, start: int, end: int, expected: tuple[tuple[int, int, int], ...]
) -> None:
    """They are told with the downtime in the period, older than the log or not."""
    assert told_of_a_period(kept, start, end) == list(expected)


@pytest.mark.parametrize(("kept", "downtime"), [(7, 20), (9, 10), (100, 10)])
def test_period_that_begins_in_the_gap_of_an_outage(kept: int, downtime: int) -> None:
    """Where that is older than the log, its downtime may be all of the period."""
    assert told_of_a_period(kept, 250, 270) == [(200, 280, downtime)]


def test_sum_of_figures() -> None:
    """The figures of a portal are those of its lines."""
    assert Figures() == Figures(0, 0, 0, 0)
    assert Figures(1, 2, 3, 4) + Figures(10, 20, 30, 40) == Figures(11, 22, 33, 44)


def test_clock_set_backwards_for_less_than_an_hour() -> None:
    """No second counts twice."""
    story = Story()
    story.show(UP, 60)
    story.wall -= 30 * 60
    story.show(DOWN, 20)
    assert story.minutes == (60, 0, 0)
    story.show(UP, 20)
    assert story.minutes == (70, 0, 0)
    assert story.outages() == []


@pytest.mark.parametrize("kept", [2, CHANGES_KEPT])
def test_clock_that_was_years_ahead(kept: int) -> None:
    """What was recorded for the future is discarded; what was before it stays."""
    story = Story(kept)
    for _ in range(4):
        story.show(UP, 100)
        story.show(DOWN, 20)
    story.wall += 3650 * DAY
    for _ in range(3):
        story.show(UP, 10)
        story.show(DOWN, 10)
    story.wall -= 3650 * DAY
    story.show(UP, 59)
    assert story.uptime.now > START + 3650 * DAY
    story.show(UP, 41)
    assert story.uptime.now == story.wall
    up, down, _ = story.minutes
    if kept == CHANGES_KEPT:
        assert (up, down) == (440, 80)
    else:  # of the day that is known as a whole only, nothing is left
        assert (up, down) == (40, 0)


@pytest.mark.parametrize(
    ("kept", "of_hours", "of_days"),
    [
        # What was summed up of the hour, or the day, that is yet to end is discarded.
        pytest.param(2, (560, 280, 28), (240, 120, 12), id="summed up"),
        pytest.param(10, (560, 280, 28), (560, 280, 28), id="in the log"),
    ],
)
def test_clock_that_was_hours_ahead(
    kept: int, of_hours: tuple[int, ...], of_days: tuple[int, ...]
) -> None:
    """No second counts twice, and no outage is left out."""
    story = Story(kept)
    for _ in range(20):
        story.show(UP, 20)
        story.show(DOWN, 10)
    story.wall -= 2 * HOUR
    for _ in range(2):
        story.uptime.record({1: line_state(UP)}, story.wall, story.running)
        story.running += BELIEVED_AFTER
    assert story.uptime.now == START + 8 * HOUR
    for _ in range(12):
        story.show(UP, 20)
        story.show(DOWN, 10)
    story.uptime = restarted(story.uptime, kept)
    for start, expected in ((START, of_hours), (START - DAY, of_days)):
        figures = story.line.figures(start, story.wall)
        assert (figures.up // 60, figures.down // 60, figures.outages) == expected


@pytest.mark.parametrize(
    ("now", "minutes"),
    [
        # What is summed up stays where it ends with the time that the clock shows.
        pytest.param(9 * HOUR, (270, 270), id="where the log begins"),
        pytest.param(9 * HOUR + 1200, (290, 270), id="within the log"),
        # Of the hour and of the day that are yet to end, nothing stays.
        pytest.param(9 * HOUR - 1, (240, 240), id="within what is summed up"),
    ],
)
def test_clock_that_is_set_back_into_the_log(
    now: int, minutes: tuple[int, int]
) -> None:
    """What was before it stays."""
    line = LineUptime(kept=2)
    for number in range(20):
        line.change(START + number * HOUR // 2, DOWN if number % 2 else UP)
    now += START
    assert line.logged_from(now) == START + 9 * HOUR
    line.take_back(now)
    line.change(now, NOT_KNOWN)
    figures = line.figures(START + HOUR // 2, now)
    assert (figures.up // 60, figures.down // 60) == minutes


def test_clock_that_was_days_ahead() -> None:
    """The days before stay, also if all hours are discarded."""
    line = LineUptime(kept=2)
    for number in range(20 * 24):
        line.change(START + number * HOUR, UP if number % 2 else DOWN)
    line.take_back(START + 5 * DAY)
    assert line.figures(START, START + 5 * DAY).known == 5 * DAY


def test_clock_that_is_behind_twice() -> None:
    """Each time it has an hour to catch up."""
    story = Story()
    story.show(UP, 10)
    for _ in range(2):
        story.wall -= 60 * 60
        story.show(DOWN, 59)
        story.wall += 60
        story.show(UP, 10)
    assert story.minutes == (30, 0, 0)
    assert story.outages() == []


@pytest.mark.parametrize("state", [UP, DOWN])
def test_change_at_the_time_to_which_a_clock_is_set_back(state: int) -> None:
    """It is discarded, as it was yet to come."""
    line = LineUptime()
    line.change(START, state)
    line.change(START + 100, UP + DOWN - state)
    line.take_back(START + 100)
    assert line.state == state


@pytest.mark.parametrize(
    ("now", "last", "outages_from"),
    [
        pytest.param(109_990, (109_950, 109_990, 20), 20_000, id="after a gap"),
        pytest.param(109_960, (109_950, 109_960, 10), 20_000, id="in an outage"),
        pytest.param(109_950, (109_850, 109_900, 20), 20_000, id="when it begins"),
        pytest.param(10_000, None, 10_000, id="before all"),
    ],
)
def test_outages_of_a_clock_that_was_ahead(
    now: int, last: tuple[int, int, int] | None, outages_from: int
) -> None:
    """Those that are yet to come are discarded, also where they are older than the log."""
    uptime, now = PortalUptime(kept=2), START + now
    line = uptime.lines[1] = LineUptime(kept=2)
    for at in range(START, START + 120_000, 100):
        for after, state in ((0, UP), (50, DOWN), (60, NOT_KNOWN), (90, DOWN)):
            line.change(at + after, state)
    line.take_back(now)
    line.change(now, UP)
    line.change(now + 60, DOWN)
    line.change(now + 120, UP)
    uptime.now = end = now + 180
    uptime = restarted(uptime, kept=2)
    line = uptime.lines[1]
    [*told, new] = line.outages(START, end, end, uptime.reasons)
    assert new == Outage(now + 60, now + 120, 60, Reason())
    assert line.outages_from == START + outages_from
    if last:
        began, ended, downtime = last
        assert told[-1] == Outage(START + began, START + ended, downtime, Reason())
        assert told[0].began == line.outages_from + 50
    else:
        assert told == []


def test_clock_that_is_set_back_into_an_old_outage() -> None:
    """If the line is still down, that is another outage: how it went on is not known."""
    line = LineUptime(kept=2)
    for number in range(10):
        line.change(START + number * 100, DOWN if number % 2 else UP)
    line.take_back(START + 150)
    line.change(START + 150, DOWN)
    told = line.outages(START, START + 170, START + 170, PortalUptime().reasons)
    assert [(outage.began - START, outage.ended) for outage in told] == [
        (100, START + 150),
        (150, None),
    ]


def test_clock_without_a_battery() -> None:
    """It begins in 1970 at each start, and is set soon after. Nothing is lost."""
    story = Story()
    story.show(UP, 60)
    story.restart(0)
    wall, story.wall = story.wall, 60
    story.show(DOWN, 5)
    story.wall = wall + 600
    story.show(UP, 60)
    assert story.minutes == (120, 0, 10)


def test_older_than_the_log() -> None:
    """Hours and days tell what the log does not; the period is theirs."""
    story = Story(kept=4)
    for _ in range(6 * 24):
        story.show(UP, 50)
        story.show(DOWN, 10)
    now = story.wall
    assert now == START + 6 * DAY
    assert story.line.logged_from(now) == now - 2 * HOUR
    # Hours are kept for two days, days for 400.
    start, end = now - DAY + 1800, now - 4 * HOUR - 1800
    assert story.line.period(start, end) == (now - DAY, now - 4 * HOUR)
    assert story.line.figures(start, end) == Figures(20 * HOUR, 60000, 12000, 20)
    start, end = now - 4 * DAY + 1800, now - 3 * DAY - 1800
    assert story.line.period(start, end) == (now - 4 * DAY, now - 3 * DAY)
    assert story.line.figures(start, end) == Figures(DAY, 72000, 14400, 24)
    assert story.line.figures(start, now) == Figures(4 * DAY, 288000, 57600, 96)
    assert story.line.figures(now - 1800, now) == Figures(1800, 1200, 600, 1)


@pytest.mark.parametrize("restart", [False, True])
def test_summed_up_outage_with_a_gap(*, restart: bool) -> None:
    """An outage that goes on after a gap is one, also when it was summed up."""
    story = Story(kept=2)
    story.show(UP, 30)
    story.show(DOWN, 30)
    story.show(NOT_KNOWN, 30)
    story.show(DOWN, 30)
    assert story.line.logged_from(story.wall) == story.wall - HOUR
    if restart:
        story.uptime = restarted(story.uptime, 2)
        story.running = 0
    assert story.line.figures(START, story.wall).outages == 1
    assert story.outages() == [(30, None, 60, FORBIDDEN)]
    for _ in range(2):
        story.show(UP, 30)
        story.show(DOWN, 30)
    assert story.line.logged_from(story.wall) == story.wall - HOUR
    assert story.line.figures(START, story.wall).outages == 3
    assert [outage[:3] for outage in story.outages()] == [
        (30, 120, 60),
        (150, 180, 30),
        (210, None, 30),
    ]


def test_days_are_kept_for_400_days() -> None:
    """The figures of earlier days are gone."""
    line = LineUptime(kept=2)
    for number in range(1000):
        line.change(START + number * DAY // 2, UP if number % 2 else DOWN)
    end = START + 500 * DAY
    assert line.logged_from(end) == end - DAY
    assert line.figures(START, end).known == 401 * DAY
    assert line.figures(end - 365 * DAY, end).known == 365 * DAY


def test_hours_are_kept_for_two_days() -> None:
    """A period that begins earlier begins with a whole day."""
    line = LineUptime(kept=2)
    for number in range(200):
        line.change(START + number * HOUR // 2, UP if number % 2 else DOWN)
    end = START + 100 * HOUR
    first = line.logged_from(end) - 2 * DAY
    assert first == START + 51 * HOUR
    for start, begins in (
        (first + HOUR - 1, first),
        (first, first),
        (first - 1, START + 2 * DAY),
    ):
        assert line.period(start, end) == (begins, end)
        half = (end - begins) // 2
        assert line.figures(start, end) == Figures(
            2 * half, half, half, 2 * half // HOUR
        )


def test_an_outage_of_many_hours_is_one() -> None:
    """It counts in the hour, and on the day, in which it began."""
    line = LineUptime(kept=2)
    for hours in (0, 20, 50, 51):
        line.change(START + hours * HOUR, DOWN if hours in (20, 51) else UP)
    end = START + 51 * HOUR
    for hours, outages in ((0, 1), (19, 1), (20, 1), (25, 0), (50, 0)):
        start = START + hours * HOUR
        assert line.figures(start, end, end + 1).outages == outages


def test_a_period_of_the_log_is_exact() -> None:
    """It is not extended, also if it begins with the log."""
    line = LineUptime(kept=2)
    for number in range(5):
        line.change(START + number * 1000, UP if number % 2 else DOWN)
    assert line.period(START + 3000, START + 5000) == (START + 3000, START + 5000)
    assert line.period(START + 2999, START + 5000) == (START, START + 5000)


def test_nothing_is_known_from_before_the_beginning() -> None:
    """The known part of the period says so; the uptime waits for an hour of knowing."""
    story = Story()
    story.show(UP, 59)
    start = START - 29 * DAY
    assert story.line.figures(start, story.wall).uptime is None
    story.show(UP, 1)
    figures = story.line.figures(start, story.wall)
    assert figures.uptime == 100
    assert figures.known_percent == 0.14
    assert Figures().known_percent == 0


@pytest.mark.parametrize(
    ("up", "down", "percent"),
    [
        (3600, 0, 100),
        (0, 3600, 0),
        (2_592_000, 1, 99.99),
        (1, 2_592_000, 0.01),
        (2, 1, None),
        (7200, 3600, 66.67),
    ],
)
def test_percent(up: int, down: int, percent: float | None) -> None:
    """One second of downtime is seen, however long the period."""
    assert Figures(up + down, up, down).uptime == percent


def test_lines_come_and_go() -> None:
    """A line that is gone is forgotten, but not because a poll failed."""
    uptime = PortalUptime()
    uptime.record(shown(UP, DOWN), START, 0)
    uptime.record(shown(UP), START + 60, 60, complete=False)
    uptime.record(shown(UP), START + 120, 120, complete=False)
    assert uptime.lines[2].figures(START, START + 120) == Figures(120, 0, 60, 1)
    uptime.record(shown(UP, UP), START + 180, 180)
    uptime.record(shown(UP), START + 240, 240)
    assert uptime.lines.keys() == {1}


def test_down_without_a_reason() -> None:
    """An outage needs none."""
    uptime = PortalUptime(kept=2)
    line = LineState(SipLine(1), connected=False)
    for at, state, changed in (
        (0, line, {1}),
        (60, line_state(DOWN), set()),
        (120, line, set()),
        (180, line_state(UP), {1}),
        (240, line, {1}),
        (300, line_state(UP), {1}),
    ):
        assert uptime.record({1: state}, START + at, at) == changed
    for log in (uptime, restarted(uptime, kept=2)):
        outages = log.lines[1].outages(START, START + 300, START + 300, log.reasons)
        assert [(outage.downtime, outage.reason) for outage in outages] == [
            (180, Reason(None, "", "")),
            (60, Reason(None, "", "")),
        ]


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (Reason(), None),
        (Reason(401, "Unauthorized", "error"), "wrong_credentials"),
        (Reason(None, "DNS failure", "wait"), "provider_unreachable"),
        (Reason(None, "", "error"), "other"),
        (Reason(None, "", "in_progress"), "no_answer"),
    ],
)
def test_cause_of_an_outage(reason: Reason, cause: str | None) -> None:
    """It is that of the status with which the outage began."""
    assert reason.cause == cause


def test_too_many_reasons() -> None:
    """From then on the message is left out, and at last all."""
    reasons = PortalUptime().reasons
    first = reasons.index(Reason(1, "message", "error"))
    for code in range(3 * REASONS_KEPT):
        assert reasons.index(Reason(code, "other", "error")) < 2 * REASONS_KEPT
    assert reasons[first] == Reason(1, "message", "error")
    assert reasons[reasons.index(Reason(REASONS_KEPT, "new", "error"))] == Reason(
        REASONS_KEPT, "", "error"
    )
    assert reasons[reasons.index(Reason(9999, "new", "error"))] == Reason()
    assert sum(bool(reason.message) for reason in reasons.as_list()) == REASONS_KEPT - 1
    assert len(reasons.as_list()) == 2 * REASONS_KEPT


def test_reasons_without_an_outage_are_forgotten() -> None:
    """The list of reasons does not grow for ever."""
    story = Story(kept=2)
    for code in range(OUTAGES_KEPT + 200):
        story.show(DOWN, 1, code)
        story.show(UP, 1)
    assert len(story.uptime.reasons.as_list()) > OUTAGES_KEPT + 200
    story.restart(1)
    story.show(UP, 1)
    assert len(story.uptime.reasons.as_list()) < OUTAGES_KEPT + 4
    assert story.outages()[-1][3].code == OUTAGES_KEPT + 199


def stored() -> dict[str, Any]:
    """Return what is stored of a line with all there can be."""
    story = Story(kept=3)
    for code in range(403, 406):
        story.show(UP, 30)
        story.show(DOWN, 30, code)
    story.show(UP, 30)
    data: dict[str, Any] = json.loads(json.dumps(story.uptime.as_dict()))
    PortalUptime.restore(data)
    return data


def test_line_that_was_never_known() -> None:
    """It is stored like any other."""
    uptime = PortalUptime()
    uptime.record(shown(NOT_KNOWN), START, 0)
    assert restarted(uptime).lines[1].figures(START, START + 60) == Figures(60)


def test_what_can_be() -> None:
    """The shortest outage is possible, and so is that the next one is the first."""
    data = stored()
    data["lines"]["1"]["outages"] = [[5], [6], [1], [2]]
    data["lines"]["1"]["outages_from"] = data["until"]
    uptime = PortalUptime.restore(data)
    line = uptime.lines[1]
    assert line.outages_from == data["until"]
    assert line.outages(0, 10, 10, uptime.reasons)[0].downtime == 1


def damages() -> Iterator[tuple[str, Any]]:
    """Yield paths into what is stored, and what must not be there."""
    yield "until", "now"
    yield "until", 5
    yield "until", START + 3 * HOUR - 1
    yield "reasons", []
    yield "reasons.1", [403, 5, "error"]
    yield "reasons.1", [403, "Forbidden", None]
    yield "reasons.1", ["x", "Forbidden", "error"]
    yield "reasons.1", [403]
    yield "lines", []
    yield "lines", {"x": None}
    yield "lines.1", 5
    yield "lines.1.at", [5, 6]
    yield "lines.1.at", [5, 4, 6]
    yield "lines.1.at", [-5, 4, 6]
    yield "lines.1.at", [5, 6, 2**40]
    yield "lines.1.at", ["x", 5, 6]
    yield "lines.1.at", None
    yield "lines.1.states", [0, -1, 0]
    yield "lines.1.states", [0, 77, 0]
    yield "lines.1.states", ["0", "1", "0"]
    yield "lines.1.hours", [[], [], []]
    yield "lines.1.hours", [[5], [5], [5], []]
    yield "lines.1.hours", [[5], [3000], [601], [1]]
    yield "lines.1.days", [[5, 5], [1, 1], [1, 1], [1, 1]]
    yield "lines.1.days", None
    yield "lines.1.outages", [[], [], [], []]
    yield "lines.1.outages", [[5], [9], [4]]
    yield "lines.1.outages", [[5, 20], [9, 29], [4, 4], [2]]
    yield "lines.1.outages", [[5], [9], [5], [2]]
    yield "lines.1.outages", [[5], [9], [0], [2]]
    yield "lines.1.outages", [[5], [9], [4], [1]]
    yield "lines.1.outages", [[5], [9], [4], [77]]
    yield "lines.1.outages", [[20, 5], [29, 9], [4, 4], [2, 2]]
    yield "lines.1.outages_from", None
    yield "lines.1.outages_from", -1
    yield "lines.1.outages_from", 2**32


@pytest.mark.parametrize(("path", "value"), damages())
def test_damaged(path: str, value: Any) -> None:
    """What cannot be is refused as a whole."""
    data = stored()
    *parents, last = path.split(".")
    target: Any = data
    for key in parents:
        target = target[int(key) if isinstance(target, list) else key]
    target[int(last) if isinstance(target, list) else last] = value
    with pytest.raises(
        (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
    ):
        PortalUptime.restore(data)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns"])
def test_clock_change(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hour that a country's clock repeats or leaves out is an hour like any other."""
    monkeypatch.setenv("TZ", zone)
    for month, day in ((3, 29), (10, 25)):
        story = Story()
        story.wall = start = int(datetime(2026, month, day, tzinfo=UTC).timestamp())
        story.show(UP, 6 * 60)
        assert story.line.figures(start, story.wall).up == 6 * HOUR


def test_a_clock_before_1970() -> None:
    """Such a clock is one at its beginning."""
    uptime = PortalUptime()
    assert uptime.record(shown(UP), -5, 0) == set()
    assert uptime.record(shown(UP), -5, BELIEVED_AFTER) == set()
    assert uptime.now == 0


def test_a_clock_after_2106() -> None:
    """Such a clock is one at its end."""
    uptime = PortalUptime()
    uptime.record(shown(UP), 2**40, 0)
    assert uptime.now == 2**32 - 1
    assert restarted(uptime).now == 2**32 - 1
