"""When a trigger fires, in tables: what is shown when, and what is fired when."""

import pytest

from custom_components.bitrix24_sip.settled import Behavior, SettledChanges

EACH, FIRST, ALL = Behavior
# What is shown of a key: `+` what is waited for, `-` the other, `?` not known.
SHOWN = {"+": True, "-": False, "?": None}


def play(
    story: str, behavior: Behavior = EACH, duration: float = 0, bridged: float = 0
) -> str:
    """Return what is fired when.

    A story is of words such as `5a+`: at second 5 a is shown as what is waited for;
    `7` is a look at second 7 at what is due, and `8a!` has only a kept.
    bridged: how long what is waited for has to last before it counts.
    """
    changes: SettledChanges[str] = SettledChanges(True, behavior, duration)
    fired = []
    for word in story.split():
        now = int("".join(c for c in word if c.isdecimal()))
        key, shown = (word[-2], word[-1]) if word[-1] in "+-?!" else ("", "")
        if shown == "!":
            changes.keep({key})
        elif key:
            settles = now + bridged if shown == "+" else now
            changes.show(key, SHOWN[shown], now, now, settles)
        fired += [f"{now}{key}" for key in changes.fire(now)]
    return " ".join(fired)


@pytest.mark.parametrize(
    ("story", "each", "first", "all_"),
    [
        pytest.param("0a+ 1a?", "", "", "", id="what it was at first"),
        pytest.param("0a? 1a+", "", "", "", id="known late"),
        pytest.param("0a- 1a+ 2a+", "1a", "1a", "1a", id="a change"),
        pytest.param("0a- 1a? 2a+", "2a", "2a", "2a", id="a change in the dark"),
        pytest.param("0a- 1a? 2a-", "", "", "", id="no change in the dark"),
        pytest.param("0a- 1a+ 2a? 3a+", "1a", "1a", "1a", id="dark after a change"),
        pytest.param("0a- 1a+ 2a- 3a+", "1a 3a", "1a 3a", "1a 3a", id="twice"),
        pytest.param("0a- 0b- 1a+ 2b+", "1a 2b", "1a", "2b", id="one after the other"),
        pytest.param("0a+ 0b- 1b+", "1b", "", "1b", id="one was so before"),
        pytest.param("0a- 0b- 1a+ 2a? 3b+", "1a 3b", "1a", "3b", id="one in the dark"),
        pytest.param("0a- 0b- 1b? 2a+", "2a", "2a", "", id="the other one was not so"),
        pytest.param("0a- 0b? 1a+", "1a", "1a", "1a", id="nothing known of the other"),
        pytest.param("0a- 1b+ 2a+", "2a", "", "2a", id="another one is added"),
        pytest.param("0a- 1a+ 2b- 3b+", "1a 3b", "1a", "1a 3b", id="added, then so"),
        pytest.param(
            "0a- 0b- 1a+ 2b! 3b+", "1a 3b", "1a 3b", "3b", id="one is taken away"
        ),
        pytest.param("0a- 1b! 2a+", "", "", "", id="taken away and back"),
        pytest.param("0a- 0b+ 1a! 2a-", "", "", "", id="all the rest is not so"),
    ],
)
def test_behaviors(story: str, each: str, first: str, all_: str) -> None:
    """Each change, the first of several, or the one that makes it all of them."""
    assert [play(story, behavior) for behavior in Behavior] == [each, first, all_]


@pytest.mark.parametrize(
    ("story", "each", "first", "all_"),
    [
        pytest.param("0a- 1a+ 10 11 20", "11a", "11a", "11a", id="lasts"),
        pytest.param("0a- 1a+ 8a- 11", "", "", "", id="does not last"),
        pytest.param("0a- 1a+ 8a- 9a+ 11 19", "19a", "19a", "19a", id="begins anew"),
        pytest.param("0a- 1a+ 5a? 8a+ 11", "11a", "11a", "11a", id="dark meanwhile"),
        pytest.param("0a- 1a+ 5a? 11 13a+", "13a", "13a", "13a", id="dark at the end"),
        pytest.param("0a- 1a+ 5a? 11 13a- 14", "", "", "", id="over in the dark"),
        pytest.param("0a- 0b- 1a+ 2b+ 11 12", "11a 12b", "11a", "12b", id="both"),
        pytest.param(
            "0a- 0b- 1a+ 2b+ 5a- 11 12", "12b", "11b", "", id="the second one lasts"
        ),
        pytest.param(
            "0a- 0b- 1a+ 2b+ 5b? 11 12",
            "11a",
            "11a",
            "12a",
            id="the second in the dark",
        ),
        pytest.param(
            "0a- 0b- 1a+ 2b+ 5c- 11 12", "11a 12b", "11a", "", id="a third is added"
        ),
        pytest.param(
            "0a- 0b- 1a+ 2b+ 5a! 11 12", "11a", "11a", "12a", id="one is taken away"
        ),
        pytest.param("0a- 0b- 1a+ 5b! 11 12", "", "", "", id="it is taken away"),
        pytest.param("0a- 1a+ 5b! 8a+ 11", "", "", "", id="taken away and back"),
        pytest.param(
            "0a- 0b+ 1a+ 5b! 8a+ 11", "", "", "11a", id="the other one stays so"
        ),
        pytest.param(
            "0a- 0b+ 1a+ 5a- 8b! 9a+ 11", "", "", "", id="over, then taken away"
        ),
    ],
)
def test_duration(story: str, each: str, first: str, all_: str) -> None:
    """A change has to last for ten seconds; the dark neither ends it nor proves it."""
    assert [play(story, behavior, 10) for behavior in Behavior] == [each, first, all_]


@pytest.mark.parametrize(
    ("story", "duration", "fired"),
    [
        pytest.param("0a- 1a+ 10 11 12", 0, "11a", id="for long"),
        pytest.param("0a- 1a+ 8a- 11", 0, "", id="bridged"),
        pytest.param("0a- 1a+ 8a? 11 12a+ 22", 0, "22a", id="bridged anew"),
        pytest.param("0a- 1a+ 11 15 16", 15, "16a", id="the duration is longer"),
        pytest.param("0a- 1a+ 5 6 11", 5, "11a", id="the duration is shorter"),
        pytest.param("0a+ 11 12a- 13a+ 22 23", 0, "23a", id="what it was at first"),
        pytest.param("0a- 1a+ 5b! 11", 0, "", id="taken away"),
    ],
)
def test_bridged(story: str, duration: float, fired: str) -> None:
    """What does not last for ten seconds is no change."""
    assert play(story, EACH, duration, 10) == fired


def test_a_return_from_what_was_bridged_is_no_change() -> None:
    """Neither is its end: nothing has happened."""
    changes: SettledChanges[str] = SettledChanges(True)
    changes.show("a", True, 0, 0)
    changes.show("a", False, 10, 10, settles=20)
    changes.show("a", True, 15, 15)
    assert changes.fire(30) == []
    changes.show("a", False, 40, 40, settles=50)
    assert changes.fire(50) == []
    changes.show("a", True, 60, 60)
    assert changes.fire(60) == ["a"]
    assert changes.lasted("a") == 20


def test_a_change_that_may_be_over() -> None:
    """It does not fire while something else is shown, which may be bridged."""
    changes: SettledChanges[str] = SettledChanges(True, EACH, 10)
    changes.show("a", False, 0, 0)
    changes.show("a", True, 1, 1)
    changes.show("a", False, 5, 5, settles=25)
    assert changes.fire(11) == []
    changes.show("a", True, 15, 15)
    assert changes.fire(15) == ["a"]


def test_next() -> None:
    """It says when to look again."""
    changes: SettledChanges[str] = SettledChanges(True, EACH, 30)
    assert changes.next(0) is None
    changes.show("a", False, 0, 0)
    changes.show("b", False, 0, 0)
    assert changes.next(0) is None
    changes.show("a", True, 10, 10)
    assert changes.next(10) == 40
    changes.show("b", True, 12, 12, settles=20)
    assert changes.next(12) == 20
    assert changes.fire(20) == []
    assert changes.next(20) == 40
    changes.show("a", None, 30, 30)
    assert changes.fire(40) == []
    assert changes.next(40) == 42
    assert changes.fire(42) == ["b"]
    # What is due but not certain waits for news, not for a time.
    assert changes.next(42) is None
    changes.show("c", True, 50, 50, settles=60)
    assert changes.next(50) == 60
    changes.keep({"a", "b"})
    assert changes.next(50) is None


@pytest.mark.parametrize(
    ("story", "lasted"),
    [
        pytest.param([(0, True)], None, id="nothing before"),
        pytest.param([(0, False), (5, True)], None, id="its begin was not seen"),
        pytest.param([(0, True), (5, False), (25, True)], 20, id="seen"),
        pytest.param(
            [(0, True), (5, False), (3, True)], 0, id="the clock was set back"
        ),
        pytest.param(
            [(0, True), (5, False), (15, None), (25, True)], 20, id="dark meanwhile"
        ),
    ],
)
def test_lasted(story: list[tuple[float, bool | None]], lasted: float | None) -> None:
    """How long it was what it was before."""
    changes: SettledChanges[str] = SettledChanges(True)
    for at, shown in story:
        changes.show("a", shown, at, at)
    assert changes.lasted("a") == lasted
    changes.keep(set())
    assert changes.lasted("a") is None
