"""History for a Home Assistant that has just been started, so that graphs show data.

Rows are written into the recorder's database while Home Assistant does not run, in
the format of the recorder.
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
import sqlite3
import time
from typing import Final

DAY: Final = 86_400  # seconds
_DATABASE: Final = "home-assistant_v2.db"


def outages(days: float, *down: tuple[float, float]) -> list[tuple[float, bool]]:
    """Return when a line was registered: seconds ago, and the value from then on.

    days: how far back it goes; down: hours ago when an outage began, and its minutes,
    which may not be over yet.
    """
    past = [(days * DAY, True)]
    for hours, minutes in sorted(down, reverse=True):
        past += [(hours * 3600, False), (hours * 3600 - minutes * 60, True)]
    return [(ago, registered) for ago, registered in past if ago > 0]


def write_past(folder: Path, entities: Mapping[str, list[tuple[float, str]]]) -> None:
    """Write the history of entities: seconds ago and state, by entity ID."""
    now = time.time()
    with closing(sqlite3.connect(folder / _DATABASE)) as database, database:
        for entity_id, past in entities.items():
            _write(database, entity_id, [(now - ago, state) for ago, state in past])
        # Home Assistant ignores history before its first run.
        database.execute(
            "UPDATE recorder_runs SET start = (SELECT datetime(min(last_updated_ts),"
            " 'unixepoch') FROM states) WHERE run_id = 1"
        )


def _write(
    database: sqlite3.Connection, entity_id: str, changes: list[tuple[float, str]]
) -> None:
    """Write an entity's states; each names the one before it, or is no change."""
    (metadata_id,) = database.execute(
        "SELECT metadata_id FROM states_meta WHERE entity_id = ?", (entity_id,)
    ).fetchone()
    before = None
    for at, state in changes:
        before = database.execute(
            "INSERT INTO states"
            " (metadata_id, state, last_updated_ts, old_state_id, origin_idx)"
            " VALUES (?, ?, ?, ?, 0)",
            (metadata_id, state, at, before),
        ).lastrowid
