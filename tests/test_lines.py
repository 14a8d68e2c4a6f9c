"""The roster of lines, as tables: lists and answers over time, and their effects."""

import pytest

from custom_components.bitrix24_sip.bitrix24 import SipLine, SipRegistration
from custom_components.bitrix24_sip.bitrix24.errors import RegistrationNotFound
from custom_components.bitrix24_sip.lines import ABSENT_SECONDS, AWAITED_SECONDS, Roster

OK = SipRegistration(1, "success", 200)
FAIL = SipRegistration(1, "error", 403)
WAIT = SipRegistration(1, "wait")
SILENT = RegistrationNotFound()
GRACE = 120.0


def make_roster(*, find_lines: bool = True, manual: tuple[int, ...] = ()) -> Roster:
    """Return a roster with manually added lines only."""
    return Roster(grace=GRACE, find_lines=find_lines, manual=manual)


def listed(*reg_ids: int) -> dict[int, SipLine]:
    """Return the list of a portal."""
    return {reg_id: SipLine(reg_id, f"Line {reg_id}") for reg_id in reg_ids}


def ids(roster: Roster) -> list[int]:
    """Return the REG_IDs of a roster."""
    return list(roster.show((), 0))


# (seconds, the REG_IDs that a list has or an answer of line 2, is line 2 there then?)
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            [(0, [1], True), (600, [1], True), (1799, [1], True), (1800, [1], False)],
            id="absent for half an hour",
        ),
        pytest.param(
            [(0, [1], True), (1800, OK, True), (1801, [1], True), (3600, [1], True)],
            id="answered meanwhile",
        ),
        pytest.param(
            [(0, [1], True), (900, WAIT, True), (1800, [1], True)],
            id="any answer of its own counts",
        ),
        pytest.param(
            [(0, [1], True), (900, SILENT, True), (1800, [1], False)],
            id="an error does not",
        ),
        pytest.param(
            [(0, [1], True), (900, [1, 2], True), (1800, [1], True), (3599, [1], True)],
            id="listed meanwhile",
        ),
        pytest.param(
            [(0, [], True), (1800, [], True), (9000, [], True)],
            id="an empty list removes no line",
        ),
        pytest.param(
            [(0, [1], True), (1800, [], True), (1801, [1], False)],
            id="an empty list does not list a line",
        ),
        pytest.param(
            [(0, [1], True), (9000, FAIL, True)], id="one list is not sufficient"
        ),
    ],
)
def test_when_a_line_is_removed(
    steps: list[tuple[float, list[int] | SipRegistration | RegistrationNotFound, bool]],
) -> None:
    """It is removed after two lists half an hour apart, without an answer in between."""
    roster = make_roster()
    roster.record_list(listed(1, 2), -600)
    seen = []
    for at, what, _ in steps:
        if isinstance(what, list):
            roster.record_list(listed(*what), at)
        else:
            roster.record({2: what}, at)
        seen.append((at, what, 2 in ids(roster)))
    assert seen == steps
    assert ABSENT_SECONDS == 1800


def test_what_a_list_changes() -> None:
    """A list adds and renames lines, and reports the removed ones."""
    roster = make_roster()
    assert roster.listed is None
    first = roster.record_list(listed(1, 2), 0)
    assert (first.renamed, first.gone) == ([], [])
    assert ids(roster) == [1, 2]
    renamed = SipLine(1, "Head office")
    second = roster.record_list({1: renamed, 3: SipLine(3)}, 10)
    assert (second.renamed, second.gone) == ([renamed], [])
    assert ids(roster) == [1, 2, 3]
    assert roster.show((), 0)[1].line == renamed
    assert roster.show({1}, 0)[1].line == renamed
    assert roster.listed == {1, 3}
    third = roster.record_list({1: renamed, 3: SipLine(3)}, 1810)
    assert (third.renamed, third.gone) == ([], [2])
    assert ids(roster) == [1, 3]


def test_lines_with_the_same_title() -> None:
    """They are told apart by their REG_IDs, as long as there are several."""
    roster = make_roster()
    roster.record_list({1: SipLine(1, "Sales"), 2: SipLine(2), 3: SipLine(3)}, 0)
    titles = {reg_id: state.line.title for reg_id, state in roster.show([], 0).items()}
    assert titles == {1: "Sales", 2: "", 3: ""}
    same = {1: SipLine(1, "Sales"), 2: SipLine(2, "Sales"), 3: SipLine(3)}
    first, second = SipLine(1, "Sales (1)"), SipLine(2, "Sales (2)")
    assert roster.record_list(same, 10).renamed == [first, second]
    assert roster.record_list(same, 20).renamed == []
    other = {**same, 2: SipLine(2, "Support")}
    assert roster.record_list(other, 30).renamed == [same[1], other[2]]


def test_manual_lines_stay() -> None:
    """They need not be listed; without finding lines, other lines are not added."""
    roster = make_roster(find_lines=False, manual=(7,))
    for at in (0, 1800, 3600):
        roster.record_list(listed(1), at)
    assert ids(roster) == [7]
    assert roster.is_wanted(7)
    assert not roster.is_wanted(1)
    assert make_roster().is_wanted(1)
    roster.record_list(listed(7), 4000)
    assert roster.show((), 0)[7].line.title == "Line 7"


def test_lines_from_before_a_restart() -> None:
    """They keep their titles until a list has others."""
    roster = make_roster(manual=(7,))
    roster.restore(1, "Main line", disabled=False)
    roster.restore(2, "Sales", disabled=True)
    roster.restore(7, "SIP line 7", disabled=True)
    shown = roster.show((), 0)
    assert [state.line.title for state in shown.values()] == ["", "Main line", "Sales"]
    assert roster.to_poll(set()) == [1]
    assert roster.to_poll({2}) == [1, 2]
    assert roster.never_polled() == [1]


def test_who_is_polled() -> None:
    """New lines are polled once, then those with an enabled entity, and absent ones."""
    roster = make_roster()
    roster.record_list(listed(1, 2), 0)
    assert roster.never_polled() == roster.to_poll(set()) == [1, 2]
    roster.record({1: OK, 2: SILENT}, 0)
    assert roster.never_polled() == []
    assert roster.to_poll({None, 1}) == [1]
    roster.record_list(listed(1), 10)
    assert roster.to_poll({1}) == [1, 2]
    roster.record({2: OK}, 20)
    assert roster.to_poll({1}) == [1]
    roster.remove(2)
    assert roster.to_poll({1, 2}) == [1]
    roster.record_list(listed(1, 2), 30)
    assert roster.never_polled() == [2], "it is new again"


def test_what_may_be_deleted() -> None:
    """Lines that the last list lacks can be deleted, and none before the first list."""
    roster = make_roster(manual=(7,))
    roster.restore(1, "Main line", disabled=False)
    assert not roster.may_be_deleted(1)
    assert roster.may_be_deleted(9)
    roster.record_list(listed(2), 0)
    assert roster.may_be_deleted(1)
    assert not roster.may_be_deleted(2)
    assert not roster.may_be_deleted(7)
    roster.record_list({}, 10)
    assert roster.may_be_deleted(2)


@pytest.mark.parametrize(
    ("answers", "at", "urgent"),
    [
        pytest.param([], 0, False, id="nothing known"),
        pytest.param([(0, OK)], 10, False, id="registered"),
        pytest.param([(500, FAIL)], AWAITED_SECONDS + 499, True, id="recovery awaited"),
        pytest.param(
            [(500, FAIL)], AWAITED_SECONDS + 500, False, id="lost for too long"
        ),
        pytest.param(
            [(0, FAIL), (1000, SILENT)], AWAITED_SECONDS, False, id="and then silent"
        ),
        pytest.param([(0, OK), (10, WAIT)], 20, True, id="unsettled"),
        pytest.param([(0, OK), (10, SILENT)], 129, True, id="in the grace period"),
        pytest.param([(0, OK), (10, SILENT)], 130, False, id="after it"),
    ],
)
def test_who_is_urgent(
    answers: list[tuple[float, SipRegistration | RegistrationNotFound]],
    at: float,
    urgent: bool,
) -> None:
    """Lines that lost their registration or are in a grace period are urgent."""
    roster = make_roster(manual=(1,))
    for when, answer in answers:
        roster.record({1: answer}, when)
    assert roster.urgent([1, 2], at) == ([1] if urgent else [])
    assert AWAITED_SECONDS == 1800


def test_what_is_lost() -> None:
    """A loss is reported once, for lines whose state was known."""
    roster = make_roster(manual=(1, 2))
    assert roster.record({1: FAIL, 2: OK, 3: FAIL}, 0) == []
    assert roster.record({1: FAIL, 2: FAIL}, 10) == [2]
    assert roster.record({2: FAIL}, 20) == []
    assert roster.record({2: OK}, 30) == []
    assert roster.record({2: WAIT}, 40) == []
    assert roster.record({2: WAIT}, 40 + GRACE) == [], "the grace period ended before"
    assert roster.errors([1, 2, 3]) == {}
    roster.record({1: SILENT}, 200)
    assert roster.errors([1, 2, 3]) == {1: SILENT}


def test_what_is_shown() -> None:
    """Lines that are not polled are unknown; a running grace period has an end."""
    roster = make_roster(manual=(1, 2))
    roster.record({1: OK, 2: OK}, 0)
    shown = roster.show({1}, 10)
    assert (shown[1].connected, shown[2].connected) == (True, None)
    assert roster.next_change([1, 2, 3], 10) is None
    roster.record({1: SILENT}, 20)
    roster.record({2: SILENT}, 10)
    assert roster.next_change([1, 2, 3], 30) == 10 + GRACE
    assert roster.next_change([1], 30) == 20 + GRACE
    assert roster.next_change([1], 20 + GRACE) is None
