"""A dashboard of a portal and its lines, with core cards only."""

from typing import Any

from dev.hass import HomeAssistant

from .entities import REGISTRATION, STATUS, Line, Portal

URL_PATH = "sip-lines"

type Card = dict[str, Any]


async def show(hass: HomeAssistant, portal: Portal) -> None:
    """Create the dashboard, and make it the default one."""
    await hass.command(
        "lovelace/dashboards/create",
        url_path=URL_PATH,
        mode="storage",
        title="SIP lines",
        icon="mdi:phone-voip",
        show_in_sidebar=True,
    )
    await hass.command(
        "lovelace/config/save", url_path=URL_PATH, config=dashboard(portal)
    )
    await hass.command(
        "frontend/set_system_data", key="core", value={"default_panel": URL_PATH}
    )


def dashboard(portal: Portal) -> Card:
    """Return the dashboard's configuration."""
    lines = list(portal.lines.values())
    sections = [
        _section("Lines", *_tiles(lines)),
        _section("The last hour", _history(lines), _logbook(lines)),
        _section(portal.title, *_portal_tiles(portal)),
    ]
    view = {"title": "SIP lines", "type": "sections", "max_columns": 3}
    return {"views": [{**view, "sections": sections}]}


def _section(title: str, *cards: Card) -> Card:
    """Return a section with a heading."""
    return {"type": "grid", "cards": [{"type": "heading", "heading": title}, *cards]}


def _tile(entity_id: str, **more: Any) -> Card:
    """Return a tile of an entity."""
    return {"type": "tile", "entity": entity_id, **more}


def _tiles(lines: list[Line]) -> list[Card]:
    """Return a tile per line: registered or not, and since when."""
    return [
        _tile(
            line.entities[REGISTRATION],
            name=line.title,
            state_content=["state", "last_changed"],
            grid_options={"columns": "full"},
        )
        for line in lines
        if REGISTRATION in line.entities
    ]


def _portal_tiles(portal: Portal) -> list[Card]:
    """Return a tile per entity of the portal. The heading has the portal's name."""
    return [_tile(e, name={"type": "entity"}) for e in portal.entities.values()]


def _history(lines: list[Line]) -> Card:
    """Return the lines' registrations over the last hour."""
    entities = [
        {"entity": line.entities[REGISTRATION], "name": line.title}
        for line in lines
        if REGISTRATION in line.entities
    ]
    return {
        "type": "history-graph",
        "hours_to_show": 1,
        "entities": entities,
        "grid_options": {"columns": "full"},
    }


def _logbook(lines: list[Line]) -> Card:
    """Return the logbook of the lines in the last hour."""
    entities = [line.entities[STATUS] for line in lines if STATUS in line.entities]
    return {
        "type": "logbook",
        "hours_to_show": 1,
        "target": {"entity_id": entities},
        "grid_options": {"columns": "full"},
    }
