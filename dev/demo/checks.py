"""The demo's check that all entities exist and have the right states."""

from collections.abc import Iterator, Mapping
from typing import Any

from .entities import (
    PROBLEM,
    REGISTRATION,
    STATUS,
    UNKNOWN,
    Key,
    Line,
    Portal,
    state_of,
)

_LINE_ENTITIES = (REGISTRATION, STATUS, PROBLEM)
_PORTAL: Key = ("binary_sensor", "portal")
_PORTAL_ENTITIES: tuple[Key, ...] = (
    _PORTAL,
    ("binary_sensor", "lines"),
    ("sensor", "registered_lines"),
    ("sensor", "failed_lines"),
    ("binary_sensor", "connector_paid"),
    ("sensor", "connector_paid_until"),
    ("sensor", "free_minutes"),
)
# The Registration for a settled status. An unsettled one has a grace period.
_SETTLED = {"success": "on", "error": "off"}

type States = Mapping[str, Mapping[str, Any]]


def missing(
    portal: Portal, states: States, statuses: Mapping[int, str] | None
) -> list[str]:
    """Return a sentence for each finding, nothing if there is none.

    statuses: those on the portal, by REG_ID; None for a real portal.
    """
    return [*_of_portal(portal, states, statuses), *_of_lines(portal, states, statuses)]


def _of_portal(
    portal: Portal, states: States, statuses: Mapping[int, str] | None
) -> Iterator[str]:
    """Yield findings about the portal's own entities."""
    if (answers := state_of(states, portal.entities, _PORTAL)) != "on":
        yield f"The portal is not shown as answering, but as {answers}"
    # A real portal may have no connector; the simulated one has all.
    if statuses is not None:
        for key in _PORTAL_ENTITIES:
            state = state_of(states, portal.entities, key)
            if state in (*UNKNOWN, "missing"):
                yield f"The portal's {key[0]} {key[1]!r} is {state}"


def _of_lines(
    portal: Portal, states: States, statuses: Mapping[int, str] | None
) -> Iterator[str]:
    """Yield findings about the lines and their entities."""
    if not portal.lines:
        yield "There is no line"
    if statuses is not None:
        for reg_id in statuses.keys() - portal.lines.keys():
            yield f"Line {reg_id} is missing"
    for line in portal.lines.values():
        expected = None if statuses is None else statuses.get(line.reg_id, "gone")
        for sentence in _of_line(line, states, expected):
            yield f"Line {line.reg_id} ({line.title}): {sentence}"


def _of_line(line: Line, states: States, expected: str | None) -> Iterator[str]:
    """Yield findings about one line. expected: its status on the portal."""
    status = state_of(states, line.entities, STATUS)
    if expected is not None and status != expected:
        yield f"status is {status}, on the portal {expected}"
    settled = _SETTLED.get(status)
    for key in _LINE_ENTITIES:
        state = state_of(states, line.entities, key)
        # Without a settled answer, registration and problem depend on the grace period.
        if state == "missing" or (state in UNKNOWN and (settled or key == STATUS)):
            yield f"{key[0]} {key[1]!r} is {state}"
    registration = state_of(states, line.entities, REGISTRATION)
    if settled and registration != settled:
        yield f"registration is {registration} with status {status}"
    problem = state_of(states, line.entities, PROBLEM)
    if settled and (problem == "none") is not (settled == "on"):
        yield f"problem is {problem} with status {status}"
