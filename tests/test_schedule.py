"""The schedule, as tables: what a poll requests, and when the next one begins."""

import pytest

from custom_components.bitrix24_sip.bitrix24 import OperatingTime
from custom_components.bitrix24_sip.bitrix24.errors import (
    Bitrix24Error,
    ConnectionFailed,
    InvalidWebhook,
    MissingScope,
    OperatingTimeExceeded,
    PlanRestricted,
    ServerFault,
    TelephonyMissing,
    Throttled,
)
from custom_components.bitrix24_sip.schedule import (
    FULL_AT,
    OPERATING_LIMIT,
    SLOWDOWN_FROM,
    Plan,
    Schedule,
)

LINES = [1, 2, 3]
ALL_DUE = Plan(
    LINES, with_list=True, with_connector=True, with_outgoing=True, with_links=True
)
HALF = SLOWDOWN_FROM * OPERATING_LIMIT
FULL = FULL_AT * OPERATING_LIMIT


def used(seconds: float, per_call: float = 0.15, resets_at: float = 0) -> OperatingTime:
    """Return an operating time."""
    return OperatingTime(seconds, per_call, resets_at)


def polled(
    schedule: Schedule,
    now: float,
    urgent: list[int] | None = None,
    *,
    lost: list[int] | None = None,
    time: OperatingTime | None = None,
    lines: list[int] = LINES,
) -> tuple[Plan, float]:
    """Poll now; return the plan, and the pause after it."""
    urgent = urgent or []
    plan = schedule.plan(now, lines, urgent, time)
    schedule.polled(plan, now, lines=len(lines), used=time, lost=lost or [])
    return plan, schedule.pause(now, urgent, time)


def test_regular_polls() -> None:
    """All lines are polled at the chosen interval; a timer may be a little early."""
    schedule = Schedule(30)
    assert polled(schedule, 1000) == (
        ALL_DUE,
        30,
    )
    schedule.got_list(1000)
    schedule.got_connector(1000, known=True)
    assert polled(schedule, 1029) == (Plan(LINES), 30)


@pytest.mark.parametrize(
    ("refused", "seconds", "with_outgoing", "with_links"),
    [
        pytest.param(False, 597, False, False, id="just asked"),
        pytest.param(False, 598, True, False, id="ten minutes later"),
        pytest.param(False, 86397, True, False, id="almost a day later"),
        pytest.param(False, 86398, True, True, id="a day later"),
        pytest.param(True, 86397, False, False, id="refused almost a day ago"),
        pytest.param(True, 86398, True, True, id="refused a day ago"),
    ],
)
def test_what_comes_with_the_list(
    refused: bool, seconds: int, with_outgoing: bool, with_links: bool
) -> None:
    """The outgoing line each time, the links once a day; never without the list."""
    schedule = Schedule(30)
    schedule.got_outgoing(0, refused=refused)
    schedule.got_links(0)
    plan, _ = polled(schedule, seconds)
    assert (plan.with_outgoing, plan.with_links) == (with_outgoing, with_links)
    schedule.got_list(seconds)
    plan, _ = polled(schedule, seconds + 30)
    assert not plan.with_outgoing
    assert not plan.with_links


@pytest.mark.parametrize(
    ("known", "seconds", "with_connector"),
    [(True, 3597, False), (True, 3598, True), (False, 597, False), (False, 598, True)],
)
def test_list_and_connector(known: bool, seconds: int, with_connector: bool) -> None:
    """The list is due every ten minutes, the connector every hour or after an error."""
    schedule = Schedule(30)
    schedule.got_connector(0, known=known)
    schedule.got_list(seconds - 597)
    plan, _ = polled(schedule, seconds)
    assert plan.with_connector is with_connector
    assert not plan.with_list
    schedule.got_list(seconds - 598)
    assert polled(schedule, seconds)[0].with_list


def test_early_polls() -> None:
    """Urgent lines are polled after 15 seconds, without delaying the regular poll."""
    schedule = Schedule(60)
    assert polled(schedule, 0, [2])[1] == 15
    assert polled(schedule, 15, [2]) == (Plan([2], early=True), 15)
    assert polled(schedule, 30, [2, 3]) == (Plan([2, 3], early=True), 15)
    assert polled(schedule, 44, [2]) == (Plan([2], early=True), 16)
    plan, pause = polled(schedule, 60, [2])
    assert plan.reg_ids == LINES
    assert pause == 15
    assert polled(schedule, 75, [])[0].reg_ids == LINES, "nothing is urgent any more"
    polled(schedule, 135, [2])
    assert polled(schedule, 150, [2]) == (Plan([2], early=True), 15)
    schedule.plan(165, LINES, [2], None)
    assert schedule.pause(165, [], None) == 30
    assert not schedule.plan(180, LINES, [2], None).early, "no early poll was due"


@pytest.mark.parametrize(("now", "early"), [(57.9, True), (58, False), (60, False)])
def test_a_poll_that_is_almost_due_is_the_regular_one(now: float, early: bool) -> None:
    """Timers are rounded to whole seconds, and may be up to two seconds early."""
    schedule = Schedule(60)
    polled(schedule, 0, [2])
    assert schedule.plan(now, LINES, [2], None).early is early


@pytest.mark.parametrize("interval", [15, 16, 17])
def test_no_early_polls_at_short_intervals(interval: int) -> None:
    """There is no early poll if a regular poll comes as soon."""
    schedule = Schedule(interval)
    assert polled(schedule, 0, [2])[1] == interval
    assert polled(schedule, interval, [2])[0].reg_ids == LINES


def test_a_request_polls_all_lines() -> None:
    """So does a request during an early poll."""
    schedule = Schedule(60)
    polled(schedule, 0, [2])
    schedule.request()
    assert polled(schedule, 15, [2]) == (
        ALL_DUE,
        15,
    )
    plan = schedule.plan(30, LINES, [2], None)
    assert plan.early
    schedule.request()
    schedule.polled(plan, 30, lines=3, used=None)
    assert schedule.pause(30, [2], None) == 1
    assert not polled(schedule, 31, [2])[0].early
    assert polled(schedule, 46, [2])[0].early


def test_a_loss_is_followed_up() -> None:
    """All lines are polled 5 seconds later, once, unless there is only one line."""
    schedule = Schedule(60)
    assert polled(schedule, 0, [2], lost=[2])[1] == 5
    assert polled(schedule, 5, [2]) == (
        ALL_DUE,
        15,
    )
    plan, pause = polled(schedule, 20, [2], lost=[2])
    assert (plan.early, pause) == (True, 5)
    assert polled(Schedule(60), 0, [2], lost=[2], lines=[1, 2])[1] == 5
    assert polled(Schedule(60), 0, [2], lost=[2], lines=[2])[1] == 15


def test_no_follow_up_beyond_half_of_the_limit() -> None:
    """A follow-up needs less than half of the operating time to be used."""
    for seconds, pause in ((HALF - 0.46, 5), (HALF - 0.44, 15)):
        schedule = Schedule(60)
        assert polled(schedule, 0, [2], lost=[2], time=used(seconds))[1] == pause


@pytest.mark.parametrize(
    ("seconds", "per_call", "number"),
    [
        pytest.param(0.0, 0.15, 50, id="plenty"),
        pytest.param(60.0, 0.15, 50, id="just enough"),
        pytest.param(63.0, 0.15, 49, id="just too little"),
        pytest.param(150.0, 0.15, 20, id="some in turn"),
        pytest.param(206.9, 0.15, 1, id="one at least"),
        pytest.param(209.0, 1.0, 1, id="the last one"),
        pytest.param(209.9, 0.15, 0, id="none"),
        pytest.param(300.0, 0.15, 0, id="none beyond half"),
        pytest.param(150.0, 0.0, 50, id="what costs nothing"),
    ],
)
def test_early_polls_stay_within_half(
    seconds: float, per_call: float, number: int
) -> None:
    """An early poll uses a twentieth of what is left to half of the limit."""
    lines = list(range(1, 51))
    schedule = Schedule(30)
    _, pause = polled(schedule, 0, lines, time=used(seconds, per_call), lines=lines)
    assert (pause == 15) is (number > 0)
    plan, _ = polled(schedule, 15, lines, time=used(seconds, per_call), lines=lines)
    if number:
        assert (plan.early, len(plan.reg_ids)) == (True, number)


def test_urgent_lines_take_turns() -> None:
    """When one of them is back, the others are polled at once."""
    lines = list(range(1, 51))
    time = used(150)
    schedule = Schedule(600)
    polled(schedule, 0, lines, time=time, lines=lines)
    asked: list[int] = []
    for now in (15, 30, 45, 60, 75):
        plan, _ = polled(schedule, now, lines, time=time, lines=lines)
        asked += plan.reg_ids
    assert len(asked) == 100
    assert set(asked[:50]) == set(lines)
    assert set(asked[40:]) == set(lines), "within the latest three polls"
    others = schedule.others(plan, lines, time)
    assert sorted(others + plan.reg_ids) == lines
    assert schedule.others(plan, lines, used(HALF - 30 * 0.15)) == []
    assert schedule.others(Plan(lines[:3]), lines, time) == [], (
        "not after a regular poll"
    )


@pytest.mark.parametrize(
    ("seconds", "interval"),
    [
        pytest.param(0.0, 60.0, id="unused"),
        pytest.param(HALF, 60.0, id="half"),
        pytest.param((HALF + FULL) / 2 - 1e-9, 150.0, id="between half and full"),
        pytest.param(FULL - 0.46, 60 * (1 + 3 * (1 - 0.46 / (FULL - HALF))), id="full"),
        pytest.param(FULL - 0.45, 501.0, id="would just be full"),
        pytest.param(FULL - 0.44, 501.0, id="would be full: until some is free"),
        pytest.param(OPERATING_LIMIT, 501.0, id="used up"),
    ],
)
def test_slower_as_the_operating_time_is_used(seconds: float, interval: float) -> None:
    """The interval grows up to four times, to use three quarters of the limit at most."""
    schedule = Schedule(60)
    time = used(seconds, resets_at=1500)
    assert polled(schedule, 1000, time=time)[1] == pytest.approx(interval, abs=0.01)


@pytest.mark.parametrize(("seconds", "interval"), [(HALF, 60), (HALF + 1e-6, 501)])
def test_half_of_the_operating_time(seconds: float, interval: float) -> None:
    """Up to half nothing is slower, however many lines there are."""
    schedule = Schedule(60)
    time = used(seconds, resets_at=1500)
    lines = list(range(1000))
    assert polled(schedule, 1000, time=time, lines=lines)[1] == interval


def test_four_times_the_interval_at_most() -> None:
    """The interval does not grow further if the oldest bucket expires soon."""
    schedule = Schedule(60)
    assert polled(schedule, 0, time=used(OPERATING_LIMIT, resets_at=10))[1] == 240


@pytest.mark.parametrize(
    ("error", "urgent", "pause"),
    [
        (ConnectionFailed(), True, 15),
        (ConnectionFailed(), False, 30),
        (Throttled(), True, 60),
        (Throttled("", 300.0), False, 300),
        (Throttled("", 2.0), False, 15),
        (OperatingTimeExceeded("", 9999.0), False, 3600),
        (InvalidWebhook(), True, 900),
        (MissingScope(), False, 900),
        (PlanRestricted(), False, 3600),
        (TelephonyMissing(), False, 3600),
    ],
)
def test_after_an_error(error: Bitrix24Error, urgent: bool, pause: float) -> None:
    """The portal's Retry-After or the kind of the error decides; then all are polled."""
    schedule = Schedule(30)
    polled(schedule, 0, [1])
    assert schedule.pause_after(error, urgent=urgent) == pause
    assert not polled(schedule, 15, [1])[0].early


def test_after_maintenance() -> None:
    """The portal's Retry-After is honoured for every transient error."""
    fault = ServerFault("HTTP 503")
    fault.retry_after = 600.0
    assert Schedule(30).pause_after(fault, urgent=True) == 600
    assert Schedule(5).pause_after(ConnectionFailed(), urgent=True) == 5
