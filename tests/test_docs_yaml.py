"""All YAML in the documents works when a user copies it."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from freezegun.api import FrozenDateTimeFactory
import hass_frontend
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)
import yaml

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.components import conversation
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    label_registry as lr,
)
from homeassistant.helpers.template import Template
from homeassistant.setup import async_setup_component

from .conftest import MAIN, SALES, SUPPORT, Poll, line_device, make_entry, state_of

ROOT = Path(__file__).parents[1]
DOCUMENTS = (*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md")))
PORTAL = "example.bitrix24.com"
WAREHOUSE = 201004
# Entity IDs of a line and of the portal in the documents.
ENTITY_ID = re.compile(r"\b(?:binary_sensor|event|sensor)\.[a-z0-9_]+\b")


def blocks() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each YAML block in the documents."""
    for path in sorted((ROOT / "docs").glob("*.yaml")):
        yield path.name, path.read_text()
    for path in DOCUMENTS:
        found = re.findall(
            r"^```yaml\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL
        )
        for at, text in enumerate(found, 1):
            yield f"{path.parent.name}-{path.name}-{at}", text


def kind_of(document: Any) -> str:
    """Return the kind of a YAML document."""
    for key, kind in (
        ("action", "action"),
        ("alert2", "alert2"),
        ("triggers", "automation"),
        ("sequence", "script"),
        ("views", "dashboard"),
        ("type", "card"),
    ):
        if key in document:
            return kind
    raise AssertionError(f"there is no test for: {document}")


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    """Parametrize a test by the YAML documents of some kinds."""
    found = [(where, yaml.safe_load(text)) for where, text in blocks()]
    chosen = [
        (where, document) for where, document in found if kind_of(document) in kinds
    ]
    assert chosen
    return pytest.mark.parametrize(
        "document", [d for _, d in chosen], ids=[where for where, _ in chosen]
    )


def values(node: Any, key: str) -> Iterator[Any]:
    """Yield all values of a key, at any depth."""
    if isinstance(node, list):
        for item in node:
            yield from values(item, key)
    elif isinstance(node, dict):
        if key in node:
            yield node[key]
        for item in node.values():
            yield from values(item, key)


@pytest.fixture(autouse=True)
def custom_integrations(recorder_db_url: str, enable_custom_integrations: None) -> None:
    """Enable the integration after the recorder has its database."""


async def set_up_office(hass: HomeAssistant, portal: Portal) -> MockConfigEntry:
    """Set up the portal with the names that the documents use."""
    portal.add_line(WAREHOUSE, "Warehouse")
    entry = make_entry(portal)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, title=PORTAL)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    phones = lr.async_get(hass).async_create("Phones")
    for reg_id in portal.lines:
        device = line_device(hass, entry, reg_id)
        assert device
        dr.async_get(hass).async_update_device(device.id, labels={phones.label_id})
    return entry


@pytest.fixture
async def office(
    hass: HomeAssistant, portal: Portal, freezer: FrozenDateTimeFactory
) -> MockConfigEntry:
    """Provide the portal's entry, set up; time passes only when a test advances it."""
    return await set_up_office(hass, portal)


@pytest.fixture
def notifications(hass: HomeAssistant) -> list[ServiceCall]:
    """Provide the notifications that were sent."""
    return async_mock_service(hass, "notify", "persistent_notification")


async def test_entities_are_there(hass: HomeAssistant, office: MockConfigEntry) -> None:
    """Every entity in a YAML document exists, or is defined by that document."""
    for where, text in blocks():
        for entity_id in set(ENTITY_ID.findall(text)):
            assert hass.states.get(entity_id), f"{where}: {entity_id}"


@of_kind("automation")
async def test_automations(
    hass: HomeAssistant,
    portal: Portal,
    office: MockConfigEntry,
    notifications: list[ServiceCall],
    wait: Poll,
    caplog: pytest.LogCaptureFixture,
    document: dict[str, Any],
) -> None:
    """Each automation acts during an hour of changes, without an error."""
    for component in ("homeassistant", "conversation"):
        assert await async_setup_component(hass, component, {})
    assert await async_setup_component(hass, "automation", {"automation": document})
    await hass.async_block_till_done()
    (automation,) = hass.states.async_all("automation")
    assert automation.state == "on"

    async def minutes(count: int) -> None:
        for _ in range(count * 4):
            await wait(15)

    await minutes(2)
    for reg_id in (MAIN, SALES):
        portal.lines[reg_id].drop(403, "Forbidden")
    await minutes(6)
    heard = []
    if document["triggers"][0]["trigger"] == "conversation":
        command = re.sub(r"[\[\]]", "", document["triggers"][0]["command"])
        answer = await conversation.async_converse(hass, command, None, Context())
        heard.append(answer.response.speech["plain"]["speech"])
    for reg_id in (MAIN, SALES):
        portal.lines[reg_id].recover()
    await minutes(3)
    portal.fault(FAULTS["nginx_502"])
    await minutes(20)
    heard += [f"{call.data['title']} {call.data['message']}" for call in notifications]
    assert heard
    for text in heard:
        assert re.search(r"Main line|Sales|lines|Bitrix24|[Лл]ини|Битрикс24", text), (
            text
        )
        assert not re.search(r"None|unknown|unavailable", text), text
    assert not [r for r in caplog.records if r.levelname == "ERROR"]
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "all"}, blocking=True
    )


@of_kind("script")
async def test_scripts(
    hass: HomeAssistant,
    portal: Portal,
    office: MockConfigEntry,
    notifications: list[ServiceCall],
    wait: Poll,
    document: dict[str, Any],
) -> None:
    """Each script runs, and reports the portal's present answers, or the outages."""
    assert await async_setup_component(hass, "script", {"script": {"copied": document}})
    portal.lines[MAIN].drop(403, "Forbidden")
    await wait(60)
    await hass.services.async_call("script", "copied", blocking=True)
    (call,) = notifications
    assert re.search("Main line: (error|1 outages|сбоев 1)", call.data["message"])
    assert re.search("Sales: (success|0 outages|сбоев 0)", call.data["message"])


@of_kind("card", "dashboard")
async def test_cards(
    hass: HomeAssistant,
    portal: Portal,
    office: MockConfigEntry,
    poll: Poll,
    document: dict[str, Any],
) -> None:
    """The frontend has each card, and each template renders."""
    (words,) = (
        Path(hass_frontend.__file__).parent / "static/translations/lovelace"
    ).glob("en-????????????????????????????????.json")
    editors = await hass.async_add_executor_job(lambda: json.loads(words.read_text()))
    key = "ui.panel.lovelace.editor.card.{}.name"
    kinds = {kind for kind in values(document, "type") if isinstance(kind, str)}
    kinds -= {"sections"}  # not a card, but a view
    assert kinds
    known = {"custom:bitrix24-sip", "custom:uptime-card"}
    for kind in kinds - known:
        assert key.format(kind) in editors, kind
    for content in values(document, "content"):
        template = Template(content, hass)
        all_registered = ("All lines are registered.", "Все линии зарегистрированы.")
        assert template.async_render().strip() in all_registered
        portal.lines[SALES].drop()
        portal.remove_line(SUPPORT)
        await poll(4)
        shown = template.async_render()
        assert "**Sales**: Not registered" in shown
        assert "**Support**: unavailable" in shown
        assert "Main line" not in shown
        assert not any(text in shown for text in all_registered)


@of_kind("action")
async def test_actions(hass: HomeAssistant, document: Any) -> None:
    """An action that stands alone is valid."""
    assert cv.SERVICE_SCHEMA(document)


@of_kind("alert2")
async def test_alert2(
    hass: HomeAssistant,
    portal: Portal,
    office: MockConfigEntry,
    poll: Poll,
    document: Any,
) -> None:
    """The alert watches an entity that exists, and says which lines are down and why."""
    (alert,) = document["alert2"]["alerts"]
    assert state_of(hass, alert["condition"]) == "off"
    portal.lines[MAIN].drop(403, "Forbidden")
    await poll(2)
    assert state_of(hass, alert["condition"]) == "on"
    message = Template(alert["message"], hass).async_render()
    assert " ".join(str(message).split()) == "Main line: forbidden"


async def test_response_of_the_action(
    hass: HomeAssistant, portal: Portal, office: MockConfigEntry
) -> None:
    """The response in the documents has the format of the real one."""
    text = (ROOT / "docs" / "entities.md").read_text()
    shown, _ = re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown = shown.replace("example.bitrix24.com", portal.host)
    expected = json.loads(shown)["registrations"]
    portal.lines[MAIN].drop(403, "Forbidden")
    portal.remove_line(SALES)
    answer = await hass.services.async_call(
        DOMAIN,
        "get_registration_status",
        {"config_entry_id": office.entry_id, "reg_ids": [int(r) for r in expected]},
        blocking=True,
        return_response=True,
    )
    assert answer
    real: Any = answer["registrations"]
    for reg_id, line in expected.items():
        line.pop("last_updated", None)
        assert line.items() <= real[reg_id].items()
        assert real[reg_id].keys() - line.keys() <= {"last_updated"}


async def test_response_of_the_uptime(
    hass: HomeAssistant, portal: Portal, office: MockConfigEntry, wait: Poll
) -> None:
    """The response in the documents has the keys and the types of the real one."""
    text = (ROOT / "docs" / "entities.md").read_text()
    _, shown = re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for _ in range(31):
        await wait(60)
    portal.lines[MAIN].drop(403, "Forbidden")
    for _ in range(31):
        await wait(60)
    portal.lines[MAIN].recover()
    await wait(60)
    real: Any = await hass.services.async_call(
        DOMAIN,
        "get_uptime",
        {"config_entry_id": office.entry_id, "reg_ids": [MAIN]},
        blocking=True,
        return_response=True,
    )

    def types(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: types(inner) for key, inner in value.items()}
        return [types(value[0])] if isinstance(value, list) else type(value)

    assert types(json.loads(shown)) == types(real)


def test_import_links() -> None:
    """Each blueprint has an import link, and each import link a blueprint."""
    linked = set()
    for path in DOCUMENTS:
        for link in re.findall(
            r"https://my\.home-assistant\.io/[^)>\s]+", path.read_text()
        ):
            query = parse_qs(urlsplit(link).query)
            if "blueprint_url" in query:
                linked.add(query["blueprint_url"][0])
    sources = {
        yaml.load(path.read_text(), Loader=_Blueprint)["blueprint"]["source_url"]
        for path in ROOT.glob("blueprints/automation/*/*.yaml")
    }
    assert linked == sources
    for source in sources:
        _, _, path = source.partition("/blob/main/")
        assert (ROOT / path).exists()


class _Blueprint(yaml.SafeLoader):
    """A YAML loader that accepts the `!input` tag of blueprints."""


_Blueprint.add_constructor("!input", lambda loader, node: node.value)
