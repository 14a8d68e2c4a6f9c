"""A table of the lines for a terminal."""

from collections.abc import Mapping, Sequence
import os
import sys
from typing import Any
import unicodedata

from .entities import PROBLEM, REGISTRATION, STATUS, UNKNOWN, Portal, state_of

_WIDEST = 32
_GAP = "  "
_REGISTRATION = {"on": "registered", "off": "not registered"}

type Row = tuple[str, ...]


def rows(
    portal: Portal,
    states: Mapping[str, Mapping[str, Any]],
    statuses: Mapping[int, str] | None,
) -> list[Row]:
    """Return the heading and a row per line.

    statuses: those on the portal, by REG_ID; None for a real portal.
    """
    on_portal = () if statuses is None else ("On the portal",)
    heading = (
        "REG_ID",
        "Line",
        *on_portal,
        "Registration",
        "Status",
        "Problem",
        "Code",
        "Error",
    )
    table: list[Row] = [heading]
    for line in portal.lines.values():
        registration = state_of(states, line.entities, REGISTRATION)
        problem = state_of(states, line.entities, PROBLEM)
        told = states.get(line.entities.get(PROBLEM, ""), {}).get("attributes", {})
        table.append(
            (
                str(line.reg_id),
                line.title,
                *(() if statuses is None else (statuses.get(line.reg_id, "gone"),)),
                _REGISTRATION.get(registration, registration),
                state_of(states, line.entities, STATUS),
                "" if problem in ("none", *UNKNOWN) else problem,
                str(told.get("status_code") or ""),
                told.get("error_message", ""),
            )
        )
    return table


def text(table: Sequence[Row]) -> str:
    """Return the rows in columns."""
    cut = [[_cut(cell) for cell in row] for row in table]
    widths = [max(map(_width, column)) for column in zip(*cut, strict=True)]
    return "\n".join(
        _GAP.join(
            cell + " " * (width - _width(cell))
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cut
    )


class Screen:
    """Shows a table: in place on a terminal, otherwise again after each change."""

    def __init__(self) -> None:
        """Start below the present output."""
        self._shown = ""

    def show(self, table: str) -> None:
        """Show the table if it has changed."""
        if table == self._shown:
            return
        if self._shown and sys.stdout.isatty():
            columns = os.get_terminal_size().columns or 80
            lines = self._shown.split("\n")
            height = sum(1 + max(0, _width(line) - 1) // columns for line in lines)
            # Up to the first line of the table, and clear from there.
            print(f"\x1b[{height}A\x1b[J", end="")
        elif self._shown:
            print()
        self._shown = table
        print(table, flush=True)


def _cut(cell: str) -> str:
    """Return a cell that fits, without control characters."""
    shown = "".join(c if c.isprintable() else " " for c in cell)
    return shown if len(shown) <= _WIDEST else shown[: _WIDEST - 1] + "…"


def _width(cell: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in cell
    )
