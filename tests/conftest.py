"""What the tests share: a simulated portal, and Home Assistant set up on it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
import json
from pathlib import Path
import socket
from typing import Any
from unittest.mock import patch

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import orjson
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.amber import AmberSnapshotExtension

from custom_components import bitrix24_sip
from custom_components.bitrix24_sip import PLATFORMS
from custom_components.bitrix24_sip.bitrix24 import (
    Bitrix24Client,
    Telephony,
    Webhook,
    client as client_module,
)
from custom_components.bitrix24_sip.const import CONF_WEBHOOK, DOMAIN
from dev.portal import Portal
import homeassistant
from homeassistant.config_entries import ConfigFlow, OptionsFlow
from homeassistant.const import CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowManager, FlowResultType, section
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.storage import STORAGE_DIR, Store
from homeassistant.setup import async_setup_component

TRANSLATIONS = Path(bitrix24_sip.__file__).parent / "translations"
MAIN, SALES, SUPPORT = 201001, 201002, 201003
# What the tests of Home Assistant replace by something that stores in memory.
STORE_METHODS = {
    name: getattr(Store, name)
    for name in ("_async_load", "_async_write_data", "async_remove")
}

type Poll = Callable[..., Awaitable[None]]
type SetUp = Callable[..., Awaitable[MockConfigEntry]]


@pytest.fixture(autouse=True)
def custom_integrations(enable_custom_integrations: None) -> None:
    """Let Home Assistant find the integration."""


@pytest.fixture
def files(hass: HomeAssistant, tmp_path: Path) -> Iterator[Path]:
    """Have Home Assistant store in files, rather than in memory; provide their folder."""
    hass.config.config_dir = str(tmp_path)
    with patch.multiple(Store, **STORE_METHODS):
        yield tmp_path / STORAGE_DIR


@pytest.fixture(autouse=True)
def flows_have_all_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test if a step, an error or an abort of one of its flows has no text.

    Which texts Home Assistant supplies by itself differs between its versions.
    """
    true_step = FlowManager._async_handle_step

    async def watched_step(
        self: Any, flow: Any, step_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        result = await true_step(self, flow, step_id, *args, **kwargs)
        if type(flow).__module__.startswith("custom_components.bitrix24_sip"):
            assert list(missing_texts(flow, result)) == []
        return result

    monkeypatch.setattr(FlowManager, "_async_handle_step", watched_step)


def missing_texts(flow: Any, result: Any) -> Iterator[str]:
    """Yield the texts that a flow's result needs and that do not exist."""
    texts: Any = json.loads((TRANSLATIONS / "en.json").read_text("utf-8"))
    if isinstance(flow, ConfigFlow):
        texts = texts["config"]
    elif isinstance(flow, OptionsFlow):
        texts = texts["options"]
    else:
        texts = texts["issues"]["portal_moved"]["fix_flow"]
    wanted: list[str] = []
    if result["type"] is FlowResultType.FORM:
        step = f"step.{result['step_id']}"
        wanted.append(f"{step}.title")
        wanted += [f"error.{error}" for error in (result["errors"] or {}).values()]
        for marker, field in getattr(result["data_schema"], "schema", {}).items():
            if isinstance(field, section):
                wanted.append(f"{step}.sections.{marker}.name")
                wanted += [
                    f"{step}.sections.{marker}.data.{inner}"
                    for inner in field.schema.schema
                ]
            else:
                wanted.append(f"{step}.data.{marker}")
    elif result["type"] is FlowResultType.ABORT:
        if domain := result.get("translation_domain"):
            folder = Path(homeassistant.__file__).parent / "components" / domain
            file = folder / "translations" / "en.json"
            texts = json.loads(file.read_text("utf-8"))["config"]
        wanted.append(f"abort.{result['reason']}")
    for path in wanted:
        text = texts
        for key in path.split("."):
            text = text.get(key, {})
        try:
            shown = text.format(**(result.get("description_placeholders") or {}))
        except AttributeError, KeyError:
            shown = ""
        if not shown:
            yield path


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without a pause: the clock of the tests does not advance by itself."""
    monkeypatch.setattr(client_module, "RETRY_PAUSES", ((0.0, 0.0), (0.0, 0.0)))


@pytest.fixture
async def portal(socket_enabled: None) -> AsyncGenerator[Portal]:
    """Provide a portal with three lines, all of them registered."""
    async with Portal() as portal:
        portal.add_line(MAIN, "Main line")
        portal.add_line(SALES, "Sales")
        portal.add_line(SUPPORT, "Support")
        yield portal


@pytest.fixture
async def other_portal(socket_enabled: None) -> AsyncGenerator[Portal]:
    """Provide a second portal, with one of the first one's REG_IDs."""
    async with Portal(code="zyxwvutsrq543210") as portal:
        portal.add_line(MAIN, "Reception")
        yield portal


@pytest.fixture
async def session(socket_enabled: None) -> AsyncGenerator[aiohttp.ClientSession]:
    """Provide a session that keeps no cookies."""
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


@pytest.fixture
def client(session: aiohttp.ClientSession, portal: Portal) -> Bitrix24Client:
    """Provide a client of the portal. It reads JSON as it does in Home Assistant."""
    webhook = Webhook.parse(portal.webhook)
    return Bitrix24Client(
        session, webhook, user_agent="test/1.0", json_loads=orjson.loads
    )


@pytest.fixture
def telephony(client: Bitrix24Client) -> Telephony:
    """Provide the portal's telephony."""
    return Telephony(client)


def make_entry(portal: Portal, **options: Any) -> MockConfigEntry:
    """Return an entry for a portal as the flow creates it."""
    webhook = Webhook.parse(portal.webhook)
    return MockConfigEntry(
        domain=DOMAIN,
        title=webhook.host,
        unique_id=webhook.portal,
        data={CONF_WEBHOOK: webhook.url, CONF_VERIFY_SSL: True},
        options=options,
    )


@pytest.fixture
def entity_registry_enabled_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable all entities, also those that are disabled by default."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


@pytest.fixture
def set_up(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> SetUp:
    """Return a function that adds an entry for a portal and sets it up.

    Time passes only when a test advances it.
    """

    async def set_up(portal: Portal, **options: Any) -> MockConfigEntry:
        entry = make_entry(portal, **options)
        entry.add_to_hass(hass)
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        return entry

    return set_up


@pytest.fixture
async def entry(portal: Portal, set_up: SetUp) -> MockConfigEntry:
    """Provide the portal's entry, set up."""
    return await set_up(portal)


@pytest.fixture
def wait(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Poll:
    """Return a function that advances the time, one poll's timers at a time."""
    return partial(pass_time, hass, freezer)


async def pass_time(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: float
) -> None:
    """Advance the time, and wait until all that is due then is done."""
    freezer.tick(timedelta(seconds=seconds))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.fixture
def poll(wait: Poll) -> Poll:
    """Return a function that advances the time by the default interval."""

    async def poll(times: int = 1) -> None:
        for _ in range(times):
            await wait(61)

    return poll


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Store snapshots in syrupy's own way, the same for all versions of the plugin."""
    return snapshot.use_extension(AmberSnapshotExtension)


@pytest.fixture
def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def until(reached: Callable[[], bool]) -> None:
    """Run the event loop until a condition is met, without advancing the clock."""
    for _ in range(100_000):
        if reached():
            return
        await asyncio.sleep(0)
    raise TimeoutError


def asked(portal: Portal) -> list[int]:
    """Return the REG_IDs that the portal was asked for."""
    return [
        int(params["REG_ID"])
        for request in portal.requests
        for _, method, params in request.commands
        if method == "voximplant.sip.status"
    ]


def line_device(
    hass: HomeAssistant, entry: MockConfigEntry, reg_id: int
) -> dr.DeviceEntry | None:
    """Return a line's device."""
    return dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, f"{entry.entry_id}_{reg_id}"), entry.entry_id
    )


@pytest.fixture
def disable_line(hass: HomeAssistant) -> Callable[[MockConfigEntry, int], None]:
    """Return a function that disables all entities of a line."""

    def disable_line(entry: MockConfigEntry, reg_id: int) -> None:
        registry = er.async_get(hass)
        device = line_device(hass, entry, reg_id)
        assert device
        for entity in er.async_entries_for_device(registry, device.id):
            registry.async_update_entity(
                entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
            )

    return disable_line


@pytest.fixture
def delete_device(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator
) -> Callable[[MockConfigEntry, dr.DeviceEntry], Awaitable[bool]]:
    """Return a function that deletes a device as a user does, if that is allowed."""

    async def delete_device(entry: MockConfigEntry, device: dr.DeviceEntry) -> bool:
        assert await async_setup_component(hass, "config", {})
        client = await hass_ws_client(hass)
        await client.send_json_auto_id(
            {
                "type": "config/device_registry/remove_config_entry",
                "config_entry_id": entry.entry_id,
                "device_id": device.id,
            }
        )
        success: bool = (await client.receive_json())["success"]
        await hass.async_block_till_done(wait_background_tasks=True)
        return success

    return delete_device


def check_descriptions(
    kind: str, descriptions: Mapping[str, Any], offered: Mapping[str, Any]
) -> None:
    """Check that the editor has all that it shows of triggers or conditions."""
    ours = {
        key.removeprefix(f"{DOMAIN}."): description
        for key, description in descriptions.items()
        if key.startswith(DOMAIN)
    }
    assert ours.keys() == offered.keys()
    texts = json.loads((TRANSLATIONS / "en.json").read_text("utf-8"))[kind]
    icons = json.loads((TRANSLATIONS.parent / "icons.json").read_text("utf-8"))
    assert ours.keys() == texts.keys() == icons[kind].keys()
    for key, description in ours.items():
        assert description
        assert description["fields"].keys() == texts[key]["fields"].keys()
        assert description["target"]["entity"][0]["integration"] == DOMAIN


def state_of(hass: HomeAssistant, entity_id: str) -> str:
    """Return an entity's state."""
    state = hass.states.get(entity_id)
    assert state is not None, f"there is no {entity_id}"
    return state.state


def portal_entity(hass: HomeAssistant, entry: MockConfigEntry, key: str) -> str:
    """Return the state of a portal's entity by its key."""
    registry = er.async_get(hass)
    for platform in PLATFORMS:
        if entity_id := registry.async_get_entity_id(
            platform, DOMAIN, f"{entry.entry_id}_{key}"
        ):
            return state_of(hass, entity_id)
    raise LookupError(key)
