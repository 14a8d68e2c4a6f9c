"""The dashboard strategy: how its script gets into the frontend, and what it makes of the registries."""

import json
from pathlib import Path
import re
import shutil
import subprocess

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.bitrix24_sip import frontend
from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from homeassistant.components.frontend import DATA_EXTRA_MODULE_URL
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template
from homeassistant.setup import async_setup_component

from .conftest import TRANSLATIONS, SetUp

NODE = Path(__file__).with_name("frontend")
NODE_TESTS = NODE / "strategy.test.mjs"
NODE_SENTENCE = NODE / "sentence.mjs"


async def test_the_frontend_loads_the_script(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator
) -> None:
    """The frontend loads the script from Home Assistant, and may keep it for long."""
    assert await async_setup_component(hass, "frontend", {})
    assert await async_setup_component(hass, DOMAIN, {})
    [url] = hass.data[DATA_EXTRA_MODULE_URL].urls
    path, _, version = url.partition("?v=")
    assert path == "/bitrix24_sip/bitrix24-sip.js"
    assert version
    client = await hass_client_no_auth()
    response = await client.get(url)
    assert response.status == 200
    assert response.content_type == "text/javascript"
    assert "max-age=2678400" in response.headers["Cache-Control"]
    assert await response.read() == frontend._SCRIPT.read_bytes()


async def test_another_script_has_another_address(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After an update, no browser goes on with the script that it has kept."""
    assert await async_setup_component(hass, "frontend", {})
    for name, content in (("one", "one"), ("other", "other")):
        script = tmp_path / name
        script.write_text(content)
        monkeypatch.setattr(frontend, "_SCRIPT", script)
        monkeypatch.setattr(frontend, "_URL", f"/{DOMAIN}/{name}")
        await frontend.async_setup_frontend(hass)
    versions = {
        url.partition("?v=")[2] for url in hass.data[DATA_EXTRA_MODULE_URL].urls
    }
    assert len(versions) == 2


async def test_without_a_frontend(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where there is no frontend, lines are monitored and nothing is complained of."""
    entry = await set_up(portal)
    assert entry.state is ConfigEntryState.LOADED
    assert "frontend" not in hass.config.components
    assert "dashboard strategy" not in caplog.text


async def test_a_script_that_cannot_be_read(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The lines are monitored all the same."""
    monkeypatch.setattr(frontend, "_SCRIPT", tmp_path / "gone.js")
    assert await async_setup_component(hass, "frontend", {})
    entry = await set_up(portal)
    assert entry.state is ConfigEntryState.LOADED
    assert not hass.data[DATA_EXTRA_MODULE_URL].urls
    assert "The dashboard strategy is not available" in caplog.text


@pytest.fixture(scope="module")
def node() -> str:
    """Provide Node, which is not on every machine."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node; scripts/e2e looks at the script in Chromium")
    return node


def run(*command: str | Path) -> str:
    """Return what a command prints."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_what_the_script_makes_of_the_registries(node: str) -> None:
    """Run the tests of the script's pure part."""
    run(node, "--test", NODE_TESTS)


@pytest.mark.parametrize(
    ("states", "sentences"),
    [
        ("on", ["success: The line is registered"]),
        ("on on on", ["success: All 3 lines are registered"]),
        ("on off on", ["error: 1 of 3 lines is down: B &lt;1&gt;"]),
        ("off off on", ["error: 2 of 3 lines are down: A, B &lt;1&gt;"]),
        (
            "off off off off off off off",
            ["error: 7 of 7 lines are down: A, B &lt;1&gt;, C *, D, E, F, …"],
        ),
        (
            "unknown off unavailable",
            [
                "error: 1 of 3 lines is down: B &lt;1&gt;",
                "warning: The state of 2 of 3 lines is not known: A, C *",
            ],
        ),
        ("gone on", ["warning: The state of 1 of 2 lines is not known: A"]),
    ],
)
async def test_the_sentence(
    hass: HomeAssistant, node: str, states: str, sentences: list[str]
) -> None:
    """One sentence tells how it is with all lines; colour and icon are the alert's."""
    lines = []
    for name, state in zip(
        ["A", "B <1>", "C *", "D", "E", "F", "G"], states.split(), strict=False
    ):
        entity_id = f"binary_sensor.{name[0].lower()}"
        lines.append({"name": name, "entities": {"registration": entity_id}})
        if state != "gone":
            hass.states.async_set(entity_id, state)
    english = json.loads((TRANSLATIONS / "en.json").read_text("utf-8"))
    texts = english["config_panel"]["dashboard"]
    template = run(
        node, NODE_SENTENCE, json.dumps([{"lines": lines}]), json.dumps(texts)
    )
    rendered = Template(template, hass).async_render(parse_result=False)
    alerts = re.findall(r'<ha-alert alert-type="(\w+)">\n(.+)\n</ha-alert>', rendered)
    assert [f"{kind}: {text}" for kind, text in alerts] == sentences
