"""Later versions take over what 1.0.0 stored, without losing an entity."""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    category_registry as cr,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    issue_registry as ir,
    label_registry as lr,
)

from .conftest import state_of

# Entry, device registry and entity registry, as Home Assistant 2026.8 stored them after
# 1.0.0 had been set up, one entity renamed and another disabled. Never to be changed.
STORED = Path(__file__).parent / "fixtures" / "v1.0.0" / "stored.json"


@pytest.fixture
def load_registries() -> bool:
    """Override the fixture, so that the test loads the registries itself."""
    return False


@pytest.fixture
def stored(portal: Portal) -> dict[str, Any]:
    """Provide the stored data, with the present address of the portal."""
    portal.add_line(201004, "Склад")
    portal.add_line(201020, "Hidden").listed = False
    slug = portal.host.replace(".", "_").replace(":", "_")
    text = STORED.read_text()
    for name, value in (
        ("WEBHOOK", portal.webhook),
        ("PORTAL_SLUG", slug),
        ("HOST", portal.host),
    ):
        text = text.replace(name, value)
    stored: dict[str, Any] = json.loads(text)
    return stored


@pytest.fixture
async def upgraded(
    hass: HomeAssistant, hass_storage: dict[str, Any], stored: dict[str, Any]
) -> MockConfigEntry:
    """Provide the entry of 1.0.0, set up by the present version."""
    for key in ("core.entity_registry", "core.device_registry"):
        hass_storage[key] = stored[key]
    entry = MockConfigEntry(domain=DOMAIN, **stored["entry"])
    entry.add_to_hass(hass)
    dr.async_setup(hass)
    for registry in (ar, cr, fr, lr, dr, er, ir):
        await registry.async_load(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    return entry


def entities_of(stored: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Yield entity id, unique id and who disabled it, of each stored entity."""
    for entity in stored["core.entity_registry"]["data"]["entities"]:
        yield entity["entity_id"], entity["unique_id"], entity["disabled_by"]


async def test_entities_are_the_same(
    hass: HomeAssistant, upgraded: MockConfigEntry, stored: dict[str, Any]
) -> None:
    """Each stored entity exists, with the same ID, name, and reason for being disabled."""
    registry = er.async_get(hass)
    now = {
        (entity.entity_id, entity.unique_id, entity.disabled_by)
        for entity in er.async_entries_for_config_entry(registry, upgraded.entry_id)
    }
    assert set(entities_of(stored)) <= now
    assert len(now) >= 38
    for entity_id, _, disabled_by in now:
        if disabled_by is None:
            assert "restored" not in _attributes(hass, entity_id), entity_id
    assert state_of(hass, "binary_sensor.office_phone") == "on"
    assert _attributes(hass, "binary_sensor.office_phone")["friendly_name"] == (
        "Office phone"
    )
    assert hass.states.get("sensor.sales_status_code") is None


async def test_devices_are_the_same(
    hass: HomeAssistant, upgraded: MockConfigEntry, stored: dict[str, Any]
) -> None:
    """No device is lost or duplicated."""
    registry = dr.async_get(hass)
    devices = dr.async_entries_for_config_entry(registry, upgraded.entry_id)
    before = {d["id"] for d in stored["core.device_registry"]["data"]["devices"]}
    assert {device.id for device in devices} == before
    assert len(before) == 1 + 5


async def test_options_are_the_same(
    hass: HomeAssistant, upgraded: MockConfigEntry
) -> None:
    """The options stay the same."""
    assert dict(upgraded.options) == {
        "scan_interval": 120,
        "grace_period": 60,
        "find_lines": True,
        "reg_ids": [201020],
    }
    assert upgraded.runtime_data.monitor.schedule.interval == 120


def _attributes(hass: HomeAssistant, entity_id: str) -> dict[str, Any]:
    """Return an entity's attributes."""
    state = hass.states.get(entity_id)
    assert state, entity_id
    return {str(name): value for name, value in state.attributes.items()}
