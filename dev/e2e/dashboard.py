"""The dashboard of the documentation."""

from collections.abc import Iterator
from dataclasses import replace
import json
from pathlib import Path
import re
from typing import Any, Final

from playwright.async_api import Page, expect
import yaml

from dev.demo.entities import UNKNOWN
from dev.hass import CUSTOM_COMPONENTS, HomeAssistant

from .browser import PHONE, Look, must_be_readable
from .visit import DOMAIN, Visit

URL_PATH: Final = "sip-lines"
_SOURCE: Final = Path(__file__).parents[2] / "docs" / "dashboard.yaml"
# High enough for all of it, so that nothing is cut off.
_WHOLE: Final = Look(width=1280, height=1600, sidebar=False)
# By the name of the picture.
LOOKS: Final = {
    "dashboard": _WHOLE,
    "dashboard-dark": replace(_WHOLE, dark=True),
    "dashboard-phone": PHONE,
}
LOOK_IN_RUSSIAN: Final = replace(_WHOLE, language="ru")
# Elements and states of a card that has an error.
_WRONG: Final = "hui-error-card, hui-warning, hui-warning-element, hui-error-badge"


def _read() -> Any:
    """Return the documentation's dashboard."""
    return yaml.safe_load(_SOURCE.read_text(encoding="utf-8"))


async def create(hass: HomeAssistant) -> None:
    """Create the dashboard, as a user does in the raw configuration editor."""
    await hass.command(
        "lovelace/dashboards/create",
        url_path=URL_PATH,
        mode="storage",
        title="Telephony",
        icon="mdi:phone-voip",
        show_in_sidebar=True,
    )
    await hass.command("lovelace/config/save", url_path=URL_PATH, config=_read())


async def check(visit: Visit, picture: str, how: Look) -> None:
    """Open the dashboard, check that it is complete, and save a picture."""
    states = await visit.hass.states()
    for entity_id in _values(_read(), "entity"):
        assert entity_id in states, (
            f"the dashboard names {entity_id}, which is not there"
        )
        state = states[entity_id]["state"]
        assert state not in UNKNOWN, f"{entity_id} is {state}"
    async with visit.frontend.page(how) as page:
        await visit.frontend.go(page, f"/{URL_PATH}")
        await _is_complete(page, how.language)
        view = page.locator("hui-view")
        # The page would be empty below that.
        last = "hui-history-graph-card" if how is PHONE else "hui-logbook-card"
        end = page.locator(last)
        await visit.frontend.picture(picture, page, view, end=end)


async def _is_complete(page: Page, language: str) -> None:
    """Assert that every card shows something, in the chosen language."""
    cards = list(_values(_read(), "type"))
    tiles = page.locator("hui-tile-card")
    await expect(tiles).to_have_count(cards.count("tile"))
    for words in _words(language):
        shown = tiles.filter(has_text=re.compile(re.escape(words)))
        await expect(shown.first).to_be_visible()
    history = page.locator("hui-history-graph-card canvas")
    await expect(history).to_have_count(cards.count("history-graph"))
    await expect(
        page.locator("hui-logbook-card").get_by_role("button")
    ).not_to_have_count(0)
    await expect(page.locator(_WRONG)).to_have_count(0)
    await must_be_readable(page.locator("hui-view"))


def _words(language: str) -> tuple[str, str]:
    """Return the state texts of a registered and of an unregistered line."""
    path = CUSTOM_COMPONENTS / DOMAIN / "translations" / f"{language}.json"
    entities = json.loads(path.read_text(encoding="utf-8"))["entity"]
    states = entities["binary_sensor"]["registration"]["state"]
    return states["on"], states["off"]


def _values(node: Any, key: str) -> Iterator[str]:
    """Return all values of a key, at any depth."""
    if isinstance(node, list):
        for item in node:
            yield from _values(item, key)
    elif isinstance(node, dict):
        if isinstance(value := node.get(key), str):
            yield value
        for item in node.values():
            yield from _values(item, key)
