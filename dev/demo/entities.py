"""The integration's entities in a running Home Assistant, by line and key.

Entities are found by their unique ids, `<entry_id>_<REG_ID>_<key>` for a line's and
`<entry_id>_<key>` for the portal's: users may change names and entity IDs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dev.hass import HomeAssistant

UNKNOWN = ("unknown", "unavailable")

# (entity domain, key) of a line's entities.
REGISTRATION = ("binary_sensor", "registration")
STATUS = ("sensor", "status")
PROBLEM = ("sensor", "problem")

type Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """A line in Home Assistant. entities: entity IDs by domain and key."""

    reg_id: int
    title: str
    entities: dict[Key, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Portal:
    """A portal in Home Assistant: its own entities, and its lines by REG_ID."""

    title: str
    entities: dict[Key, str]
    lines: dict[int, Line]


async def portal_of(hass: HomeAssistant, entry: Mapping[str, Any]) -> Portal:
    """Return the enabled entities of a config entry, sorted by REG_ID."""
    entry_id = entry["entry_id"]
    devices = await hass.devices()
    found: dict[Key, str] = {}
    lines: dict[int, Line] = {}
    for entity in await hass.entities(entry_id):
        if entity["disabled_by"]:
            continue
        entity_id = entity["entity_id"]
        domain = entity_id.partition(".")[0]
        key = entity["unique_id"].removeprefix(f"{entry_id}_")
        reg_id, _, line_key = key.partition("_")
        if not reg_id.isdecimal():
            found[domain, key] = entity_id
            continue
        line = lines.get(int(reg_id))
        if line is None:
            device = devices[entity["device_id"]]
            title = device["name_by_user"] or device["name"]
            line = lines[int(reg_id)] = Line(int(reg_id), title)
        line.entities[domain, line_key] = entity_id
    return Portal(entry["title"], found, dict(sorted(lines.items())))


def state_of(
    states: Mapping[str, Mapping[str, Any]], entities: Mapping[Key, str], key: Key
) -> str:
    """Return an entity's state, "missing" where there is no such entity or state."""
    state = states.get(entities.get(key, ""))
    return "missing" if state is None else str(state["state"])
