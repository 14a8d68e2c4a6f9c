"""The demo's table, and its checks."""

from typing import Any

import pytest

from dev import hass as real_hass
from dev.demo import checks, table
from dev.demo.entities import PROBLEM, REGISTRATION, STATUS, Line, Portal

_PORTAL_STATES = {
    ("binary_sensor", "portal"): "on",
    ("binary_sensor", "lines"): "off",
    ("sensor", "registered_lines"): "1",
    ("sensor", "failed_lines"): "0",
    ("binary_sensor", "connector_paid"): "on",
    ("sensor", "connector_paid_until"): "2027-01-01T00:00:00+00:00",
    ("sensor", "free_minutes"): "60",
}
_REGISTERED = {REGISTRATION: "on", STATUS: "success", PROBLEM: "none"}
_FAILED = {REGISTRATION: "off", STATUS: "error", PROBLEM: "forbidden"}
_IN_PROGRESS = {REGISTRATION: "unknown", STATUS: "in_progress", PROBLEM: "unknown"}
_LOST = dict.fromkeys(_REGISTERED, "unavailable")


def _seen(**lines: dict[Any, str]) -> tuple[Portal, dict[str, Any]]:
    """Return a portal with a line for each title, and the states of its entities."""
    states: dict[str, Any] = {}

    def entities(name: str, values: dict[Any, str]) -> dict[Any, str]:
        ids = {key: f"{key[0]}.{name}_{key[1]}" for key in values}
        states.update({ids[key]: {"state": value} for key, value in values.items()})
        return ids

    return Portal(
        "portal.test",
        entities("portal", _PORTAL_STATES),
        {
            reg_id: Line(reg_id, title, entities(title, values))
            for reg_id, (title, values) in enumerate(lines.items(), 1)
        },
    ), states


def test_no_findings() -> None:
    """A registered line, an unsettled one, and one that is down are as expected."""
    portal, states = _seen(main=_REGISTERED, fax=_IN_PROGRESS, sales=_FAILED)
    on_portal = {1: "success", 2: "in_progress", 3: "error"}
    assert checks.missing(portal, states, on_portal) == []
    assert checks.missing(portal, states, None) == []


@pytest.mark.parametrize(
    ("line", "on_portal", "sentence"),
    [
        pytest.param(_LOST, "success", "status is unavailable", id="not known"),
        pytest.param(_REGISTERED, "error", "on the portal error", id="wrong status"),
        pytest.param(
            {**_REGISTERED, REGISTRATION: "off"},
            "success",
            "registration is off with status success",
            id="wrong registration",
        ),
        pytest.param(
            {**_REGISTERED, PROBLEM: "unknown"},
            "success",
            "'problem' is unknown",
            id="problem unknown",
        ),
        pytest.param(
            {**_REGISTERED, PROBLEM: "forbidden"},
            "success",
            "problem is forbidden with status success",
            id="wrong problem",
        ),
        pytest.param(
            {**_FAILED, PROBLEM: "none"},
            "error",
            "problem is none with status error",
            id="no problem",
        ),
        pytest.param(
            {REGISTRATION: "on", STATUS: "success"},
            "success",
            "'problem' is missing",
            id="entity missing",
        ),
    ],
)
def test_wrong_line(line: dict[Any, str], on_portal: str, sentence: str) -> None:
    """A missing or wrong entity is reported with the line's name."""
    portal, states = _seen(main=line)
    wrong = checks.missing(portal, states, {1: on_portal})
    assert any(sentence in each for each in wrong)
    assert all(each.startswith("Line 1 (main): ") for each in wrong)


def test_missing_line_and_silent_portal() -> None:
    """A missing line and a portal without an answer are reported."""
    portal, states = _seen(main=_REGISTERED)
    states["binary_sensor.portal_portal"] = {"state": "off"}
    assert checks.missing(portal, states, {1: "success", 7: "success"}) == [
        "The portal is not shown as answering, but as off",
        "Line 7 is missing",
    ]


def test_no_line() -> None:
    """A portal without lines is reported."""
    portal, states = _seen()
    assert checks.missing(portal, states, None) == ["There is no line"]


def test_table() -> None:
    """Columns are aligned, also with wide letters and long or hostile texts."""
    portal, states = _seen(
        **{"電話": _FAILED, "x" * 50: _LOST, "a\x1b[2J": _IN_PROGRESS}
    )
    states["sensor.電話_problem"]["attributes"] = {
        "status_code": 403,
        "error_message": "Forbidden",
    }
    statuses = {1: "error", 2: "success", 3: "in_progress"}
    shown = table.text(table.rows(portal, states, statuses)).split("\n")
    long = "x" * 31 + "…"
    assert shown == [
        f"{line}  {rest}"
        for line, rest in (
            (
                f"REG_ID  {'Line':32}  On the portal  Registration  ",
                "Status       Problem    Code  Error",
            ),
            (
                f"1       {'電話':30}  error          not registered",
                "error        forbidden  403   Forbidden",
            ),
            (
                f"2       {long}  success        unavailable   ",
                "unavailable",
            ),
            (
                f"3       {'a [2J':32}  in_progress    unknown       ",
                "in_progress",
            ),
        )
    ]


def test_table_of_a_real_portal() -> None:
    """The table of a real portal has only what Home Assistant shows."""
    portal, states = _seen(main=_REGISTERED)
    heading, line = table.rows(portal, states, None)
    assert heading[:3] == ("REG_ID", "Line", "Registration")
    assert line == ("1", "main", "registered", "success", "", "", "")


def test_screen_prints_changes_only(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, the table is printed only when it changes."""
    screen = table.Screen()
    for each in ("one", "one", "two"):
        screen.show(each)
    assert capsys.readouterr().out == "one\n\ntwo\n"


def test_a_port_is_given_once(socket_enabled: None) -> None:
    """Two Home Assistants that start at the same time do not take the same port."""
    first, second = real_hass.free_port(8300), real_hass.free_port(8300)
    assert real_hass.is_free(first), "nothing listens yet"
    assert first != second
