"""How much is asked at once, and how often."""

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.bitrix24_sip.bitrix24.pacing import (
    FIRST_REST,
    LONGEST_REST,
    OPERATING_LIMIT,
    PROBATION,
    SOON,
    BatchPlanner,
    SoonerPolls,
    pause_between_polls,
)

LINES = list(range(1, 51))


@pytest.fixture
def planner() -> BatchPlanner:
    """Provide a planner that has learnt nothing yet."""
    return BatchPlanner(50)


def sizes(
    planner: BatchPlanner, lines: list[int] = LINES, extras: int = 0
) -> list[int]:
    """Return how many lines each request of the next poll has."""
    return [len(r) for r in planner.plan(lines, extras, 60).requests]


def test_fifty_lines_are_one_request(planner: BatchPlanner) -> None:
    """As many requests as are needed, and no more."""
    assert sizes(planner, [1]) == [1]
    assert sizes(planner) == [50]
    assert sizes(planner, list(range(1, 52))) == [50, 1]
    assert sizes(planner, list(range(1, 501))) == [50] * 10
    assert sizes(planner, []) == []


def test_room_for_other_commands(planner: BatchPlanner) -> None:
    """List and connector share the first request with the lines."""
    assert sizes(planner, LINES[:48], extras=2) == [48]
    assert sizes(planner, LINES, extras=2) == [48, 2]
    assert sizes(planner, [], extras=1) == [0]


def test_a_slow_portal_gets_smaller_batches(planner: BatchPlanner) -> None:
    """A batch takes no more than a third of a minute, and grows again."""
    planner.answered(LINES, (), 50, 100.0)
    assert sizes(planner) == [10] * 5
    planner.answered(LINES[:10], (), 10, 5.0)
    assert max(sizes(planner)) == 16
    for _ in range(3):
        planner.answered(LINES[:10], (), 10, 1.0)
    assert sizes(planner) == [50]


def test_a_short_interval_gets_smaller_batches(planner: BatchPlanner) -> None:
    """A batch stays within a third of the poll's time, too."""
    planner.answered(LINES, (), 50, 15.0)
    assert [len(r) for r in planner.plan(LINES, 0, 15).requests] == [16, 16, 16, 2]


def test_after_a_lost_batch_each_line_is_asked_alone(planner: BatchPlanner) -> None:
    """So those that answer are known by the next poll."""
    planner.lost(LINES, 50, 60.0)
    assert planner.unsorted
    plan = planner.plan(LINES, 1, 60)
    assert [len(r) for r in plan.requests] == [0] + [1] * 50
    assert plan.seconds_for(0, 60.0) == 60.0
    assert plan.seconds_for(1, 50.0) == 5.0
    assert plan.seconds_for(50, 30.0) == 30.0
    for reg_id in LINES[1:]:
        planner.answered([reg_id], (), 1, 0.2)
    planner.lost([1], 1, 5.0)
    assert not planner.unsorted
    assert planner.suspects == {1}
    plan = planner.plan(LINES, 0, 60)
    assert plan.postponed == [1]
    assert plan.requests == [LINES[1:]]


def test_a_line_that_hangs_is_left_alone_for_longer(
    planner: BatchPlanner, freezer: FrozenDateTimeFactory
) -> None:
    """Each hang costs the portal up to 40 seconds of operating time."""
    planner.lost([1], 1, 60.0)
    rests = []
    for _ in range(6):
        planner.lost([1], 1, 5.0)
        waited = 0
        while planner.plan([1], 0, 60).postponed:
            freezer.tick(30)
            waited += 30
        rests.append(waited)
    assert rests == [FIRST_REST, 120, 240, 480, LONGEST_REST, LONGEST_REST]


def test_a_line_that_hung_proves_itself_alone(
    planner: BatchPlanner, freezer: FrozenDateTimeFactory
) -> None:
    """It takes the others with it again only when it has answered for a while."""
    planner.lost([1, 2], 2, 60.0)
    planner.answered([2], (), 1, 0.2)
    planner.lost([1], 1, 5.0)
    freezer.tick(FIRST_REST)
    for _ in range(PROBATION):
        assert planner.suspects == {1}
        assert planner.plan([1, 2], 0, 60).requests == [[2], [1]]
        planner.answered([1], (), 1, 0.2)
    assert planner.suspects == frozenset()


def test_a_slow_answer_without_a_status_is_a_hang(planner: BatchPlanner) -> None:
    """The portal waits 40 seconds for the provider, and then says nothing of a line."""
    planner.answered([1, 2, 3], {2}, 3, 41.0)
    assert planner.suspects == {2}
    assert planner.seconds_per_command == 0.0
    assert planner.plan([1, 2, 3], 0, 60).requests == [[1, 3]]


def test_a_quick_answer_without_a_status_is_none(planner: BatchPlanner) -> None:
    """A line that is gone from the portal is answered at once."""
    planner.answered([1, 2, 3], {2}, 3, 0.4)
    assert planner.suspects == frozenset()


def test_what_was_not_reached_comes_first(planner: BatchPlanner) -> None:
    """No line waits for ever behind slower ones."""
    planner.answered(LINES, (), 50, 100.0)
    planner.not_reached([41, 42])
    assert planner.plan(LINES, 0, 60).requests[0][:3] == [41, 42, 1]
    assert planner.plan(LINES, 0, 60).requests[0][:3] == [1, 2, 3]


@pytest.mark.parametrize(
    ("share", "cost", "resets_in", "pause"),
    [
        (0.0, 0.0, 0.0, 60.0),
        (0.5, 0.0, 500.0, 60.0),
        (0.6, 0.0, 500.0, 132.0),
        (0.6, 0.1, 500.0, 132.0),
        (0.6, 0.2, 500.0, 501.0),
        (0.7499, 0.0, 500.0, 239.928),
        (0.75, 0.0, 500.0, 501.0),
        (0.95, 0.0, 30.0, 240.0),
        (2.0, 0.0, 600.0, 601.0),
    ],
)
def test_polls_slow_down_before_the_limit(
    share: float, cost: float, resets_in: float, pause: float
) -> None:
    """From half of the limit the interval grows; near it, polling waits for the reset."""
    used, more = share * OPERATING_LIMIT, cost * OPERATING_LIMIT
    assert pause_between_polls(60.0, used, more, resets_in) == pytest.approx(pause)


def ask(sooner: SoonerPolls, awaited: list[int], lines: int) -> list[int]:
    """Ask whom it is the turn of, and return them."""
    asked = sooner.some(awaited, lines)
    sooner.asked(asked)
    return asked


def test_a_single_line_is_asked_each_time(freezer: FrozenDateTimeFactory) -> None:
    """One of ten lines may be asked every 15 seconds for half an hour."""
    sooner = SoonerPolls(60.0)
    for _ in range(30 * 60 // SOON):
        assert ask(sooner, [4], 10) == [4]
        freezer.tick(SOON)


def test_lines_are_asked_in_turn(freezer: FrozenDateTimeFactory) -> None:
    """Who was asked longest ago is next; who just failed goes before all."""
    sooner = SoonerPolls(60.0)
    assert ask(sooner, [1, 2, 3, 4, 5, 6], 10) == [1, 2, 3, 4]
    freezer.tick(SOON)
    assert ask(sooner, [1, 2, 3, 4, 5, 6], 10) == [5, 6, 1]
    freezer.tick(SOON)
    assert ask(sooner, [1, 2, 3, 4, 5, 6, 7], 10)[:2] == [7, 2]


@pytest.mark.parametrize("interval", [30.0, 60.0, 600.0])
def test_an_hour_has_a_bound(freezer: FrozenDateTimeFactory, interval: float) -> None:
    """All sooner polls of any hour add at most a fifth to what is asked usually."""
    sooner = SoonerPolls(interval)
    awaited, bound = list(range(10)), 0.2 * 10 * 3600 / interval
    asked: list[int] = []
    for _ in range(2 * 3600 // SOON):
        asked.append(len(ask(sooner, awaited, 10)))
        freezer.tick(SOON)
    hour = 3600 // SOON
    sums = [sum(asked[at : at + hour]) for at in range(len(asked) - hour + 1)]
    assert max(sums) == bound
    assert sum(asked) > 1.9 * bound, "and it is made use of"


def test_others_are_asked_as_far_as_the_bound_allows() -> None:
    """When one is back, all others are asked, with all that is left."""
    sooner = SoonerPolls(60.0)
    assert sooner.others(range(2, 11), 10) == list(range(2, 11))
    sooner.asked([1] * 115)
    assert sooner.others(range(2, 11), 10) == [2, 3, 4, 5, 6]
    sooner.asked([1] * 10)
    assert sooner.others(range(2, 11), 10) == []
    assert sooner.some(range(2, 11), 10) == []
