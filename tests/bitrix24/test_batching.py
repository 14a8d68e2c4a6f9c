"""How the lines of a poll are divided into requests."""

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.bitrix24_sip.bitrix24.batching import BatchPlanner

LINES = list(range(1, 51))


@pytest.fixture
def planner() -> BatchPlanner:
    """Provide a new planner."""
    return BatchPlanner(50)


def sizes(
    planner: BatchPlanner, lines: list[int] = LINES, extras: int = 0
) -> list[int]:
    """Return how many lines each request of the next poll has."""
    return [len(r) for r in planner.plan(lines, extras, 60).requests]


def test_fifty_lines_are_one_request(planner: BatchPlanner) -> None:
    """A poll uses as few requests as possible."""
    assert sizes(planner, [1]) == [1]
    assert sizes(planner) == [50]
    assert sizes(planner, list(range(1, 52))) == [50, 1]
    assert sizes(planner, list(range(1, 501))) == [50] * 10
    assert sizes(planner, []) == []


def test_other_commands_share_the_first_request(planner: BatchPlanner) -> None:
    """The list and the connector are requested together with the first lines."""
    assert sizes(planner, LINES[:48], extras=2) == [48]
    assert sizes(planner, LINES, extras=2) == [48, 2]
    assert sizes(planner, [], extras=1) == [0]


def test_a_slow_portal_gets_smaller_batches(planner: BatchPlanner) -> None:
    """A batch is planned to take 20 seconds at most, and grows when the portal is fast."""
    planner.answered(LINES, (), 50, 100.0)
    assert sizes(planner) == [10] * 5
    planner.answered(LINES[:10], (), 10, 5.0)
    assert max(sizes(planner)) == 16
    for _ in range(3):
        planner.answered(LINES[:10], (), 10, 1.0)
    assert sizes(planner) == [50]


def test_a_batch_takes_twenty_seconds_at_most(planner: BatchPlanner) -> None:
    """The portal cuts a request off after 60 seconds, however long the interval is."""
    planner.answered(LINES, (), 50, 20.0)
    assert len(planner.plan(LINES, 0, 600).requests) == 1
    planner.answered(LINES, (), 50, 20.5)
    assert len(planner.plan(LINES, 0, 600).requests) == 2


def test_a_very_slow_portal_gets_one_command_per_request(planner: BatchPlanner) -> None:
    """A request has at least one line, unless other commands fill it."""
    planner.answered([1], (), 1, 19.0)
    assert sizes(planner, [1, 2]) == [1, 1]
    assert sizes(planner, [1, 2], extras=2) == [0, 1, 1]
    assert planner.size(-1) == 1


def test_a_lost_batch_makes_batches_smaller(planner: BatchPlanner) -> None:
    """A lost request of a single line does not: that line is slow, not the portal."""
    planner.lost([1], 1, 60.0)
    assert planner.size(60) == 50
    planner.lost([1, 2], 2, 4.0)
    assert planner.size(60) == 10


def test_a_short_interval_gets_smaller_batches(planner: BatchPlanner) -> None:
    """A batch is planned to take a third of the poll's time at most."""
    planner.answered(LINES, (), 50, 15.0)
    assert [len(r) for r in planner.plan(LINES, 0, 15).requests] == [16, 16, 16, 2]
    assert planner.size(1.8) == 2


def test_after_a_lost_batch_each_line_is_asked_alone(planner: BatchPlanner) -> None:
    """The next poll then has an answer for each line that answers."""
    planner.lost(LINES, 50, 60.0)
    plan = planner.plan(LINES, 1, 60)
    assert [len(r) for r in plan.requests] == [0] + [1] * 50
    assert plan.seconds_for(0, 60.0) == 60.0
    assert plan.seconds_for(1, 50.0) == 5.0
    assert plan.seconds_for(50, 30.0) == 30.0
    for reg_id in LINES[1:]:
        planner.answered([reg_id], (), 1, 0.2)
    planner.lost([1], 1, 5.0)
    assert planner.isolated == {1}
    plan = planner.plan(LINES, 0, 60)
    assert plan.resting == [1]
    assert plan.requests == [LINES[1:]]


def test_a_line_that_hangs_is_polled_less_often(
    planner: BatchPlanner, freezer: FrozenDateTimeFactory
) -> None:
    """Each hang costs the portal up to 40 seconds of operating time."""
    planner.lost([1], 1, 60.0)
    rests = []
    for _ in range(6):
        planner.lost([1], 1, 5.0)
        waited = 0
        while planner.plan([1], 0, 60).resting:
            freezer.tick(1)
            waited += 1
        rests.append(waited)
    assert rests == [60, 120, 240, 480, 600, 600]


def test_a_line_that_hung_is_polled_alone_at_first(
    planner: BatchPlanner, freezer: FrozenDateTimeFactory
) -> None:
    """It shares a request with other lines again after it has answered several times."""
    planner.lost([1, 2], 2, 60.0)
    planner.answered([2], (), 1, 0.2)
    planner.lost([1], 1, 5.0)
    freezer.tick(60)
    for _ in range(5):
        assert planner.isolated == {1}
        assert planner.plan([1, 2], 0, 60).requests == [[2], [1]]
        planner.answered([1], (), 1, 0.2)
    assert planner.isolated == frozenset()


def test_a_line_that_hangs_again_proves_itself_anew(planner: BatchPlanner) -> None:
    """What it answered before it hung again does not count."""
    planner.lost([1], 1, 60.0)
    planner.lost([1], 1, 5.0)
    for _ in range(4):
        planner.answered([1], (), 1, 0.2)
    planner.lost([1], 1, 5.0)
    for _ in range(4):
        planner.answered([1], (), 1, 0.2)
        assert planner.isolated == {1}
    planner.answered([1], (), 1, 0.2)
    assert planner.isolated == frozenset()


def test_a_slow_answer_without_a_status_is_a_hang(planner: BatchPlanner) -> None:
    """The portal waits 40 seconds for the provider, and then says nothing of a line."""
    planner.answered([1, 2, 3], {2}, 3, 41.0)
    assert planner.isolated == {2}
    assert planner.seconds_per_command == 0.0
    assert planner.plan([1, 2, 3], 0, 60).requests == [[1, 3]]


def test_a_quick_answer_without_a_status_is_no_hang(planner: BatchPlanner) -> None:
    """A line that is gone from the portal is answered at once."""
    planner.answered([1, 2, 3], {2}, 3, 0.4)
    planner.answered([1, 2, 3], {2}, 3, 8.9)
    assert planner.isolated == frozenset()
    planner.answered([1, 2, 3], {2}, 3, 9.0)
    assert planner.isolated == {2}


def test_lines_without_a_turn_come_first(planner: BatchPlanner) -> None:
    """Lines for which a poll had no time left are polled first by the next one."""
    planner.answered(LINES, (), 50, 100.0)
    planner.not_reached([41, 42])
    assert planner.plan(LINES, 0, 60).requests[0][:3] == [41, 42, 1]
    assert planner.plan(LINES, 0, 60).requests[0][:3] == [1, 2, 3]


def test_a_planner_for_one_request(
    planner: BatchPlanner, freezer: FrozenDateTimeFactory
) -> None:
    """It includes all lines, and does not change what the regular planner knows."""
    planner.answered(LINES, (), 50, 100.0)
    planner.lost([1], 1, 60.0)
    planner.lost([1], 1, 5.0)
    apart = planner.without_rests()
    plan = apart.plan([1, 2], 0, 60)
    assert (plan.requests, plan.resting, plan.isolated_from) == ([[2], [1]], [], 1)
    assert apart.size(60) == planner.size(60) == 10
    for _ in range(5):
        apart.answered([1], (), 1, 0.2)
    assert apart.isolated == frozenset()
    assert planner.isolated == {1}
    assert planner.size(60) == 10
    assert planner.plan([1, 2], 0, 60).resting == [1]
