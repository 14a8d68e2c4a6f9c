"""Diagnostics: what a maintainer needs, without private data."""

import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import DEFAULT_CODE, Portal
from dev.portal.faults import FAULTS, Result
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .conftest import MAIN, SALES, SUPPORT, Poll, SetUp, line_device


@pytest.fixture(autouse=True)
async def diagnostics(hass: HomeAssistant) -> None:
    """Set up the diagnostics of Home Assistant."""
    assert await async_setup_component(hass, "diagnostics", {})


async def test_entry(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    hass_client: ClientSessionGenerator,
) -> None:
    """Options, the last poll, counts, lines without their names, and shapes."""
    portal.lines[SALES].drop(403, "sip:+74951234567@provider.test")
    portal.numbers["74951230000"] = "+7 495 123-00-00"
    portal.lines[SUPPORT].unreachable = True
    portal.fault(Result([1]), method="voximplant.sip.connector.status")
    entry = await set_up(portal, reg_ids=[MAIN], scan_interval=120)
    portal.fault(FAULTS["nginx_502"], times=3)
    await entry.runtime_data.async_refresh()
    data: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert data["entry"]["data"]["webhook"] == "**REDACTED**"
    assert data["entry"]["options"] == {"reg_ids": 1, "scan_interval": 120}
    shown = data["portal"]
    assert shown["error"] == {"reason": "server_error", "code": "HTTP 502"}
    assert shown["statistics"] == {
        "requests": 2 + 3,
        "commands": 3 + 4 + 3 * 3,
        "retries": 2,
        "errors": {"registration_not_found": 1, "server_error": 3},
    }
    assert shown["last_poll"]["asked"] == shown["last_poll"]["failed"] == 3
    assert shown["batch"] == {"size": 50, "seconds_per_command": 0.0, "asked_apart": 0}
    assert shown["operating_time"].keys() == {
        "voximplant.sip.status",
        "voximplant.line.get",
        "voximplant.line.outgoing.get",
        "voximplant.sip.connector.status",
        "voximplant.url.get",
    }
    assert shown["raw_shapes"] == {
        "status": {
            "REG_ID": "int",
            "LAST_UPDATED": "str",
            "ERROR_MESSAGE": "str",
            "STATUS_CODE": "int",
            "STATUS_RESULT": "str",
        },
        "lines": {"#": "str", "reg#": "str"},
        "connector": ["int"],
        "outgoing": "str",
        "links": dict.fromkeys(
            ("detail_statistics", "buy_connector", "edit_config", "lines"), "str"
        ),
    }
    [main, sales, support] = data["lines"]
    assert support["registration"] is None
    assert support["error"] == {"reason": "server_error", "code": "HTTP 502"}
    assert main["connected"] is True
    assert main["listed"] is True
    assert sales["registration"]["status_code"] == 403
    assert sales["registration"]["error_message"] == "**REDACTED**"
    assert sales["failure"] == sales["registration"]
    assert main["failure"] is None
    text = json.dumps(data)
    for secret in (
        DEFAULT_CODE,
        portal.host,
        "127.0.0.1",
        "Main line",
        "Sales",
        "7495",
        str(MAIN),
        str(SALES),
    ):
        assert secret not in text


async def test_device(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    """The diagnostics of a line's device have that line only, with its error."""
    portal.lines[SALES].unreachable = True
    await entry.runtime_data.async_refresh()
    not_found = {"reason": "registration_not_found", "code": "REG_ID_NOT_FOUND"}
    devices = dr.async_get(hass)
    line = devices.async_get_device_by_identifier(
        (DOMAIN, f"{entry.entry_id}_{SALES}"), entry.entry_id
    )
    top = devices.async_get(entry.runtime_data.portal_device_id)
    gone = devices.async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, f"{entry.entry_id}_299999")},
    )
    for device, lines in ((line, [2]), (top, [1, 2, 3]), (gone, [])):
        assert isinstance(device, dr.DeviceEntry)
        data: Any = await get_diagnostics_for_device(hass, hass_client, entry, device)
        assert [line["line"] for line in data["lines"]] == lines
        assert [line["error"] for line in data["lines"]] == [
            not_found if number == 2 else None for number in lines
        ]


async def test_uptime_and_incident(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    wait: Poll,
) -> None:
    """How much is recorded, and the incident that is open, without names and REG_IDs."""
    await wait(60)
    data: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert data["uptime"] == {"lines": 3, "changes": 3, "known_seconds": 3 * 60}
    assert data["incident"] is None
    portal.lines[MAIN].drop()
    await wait(60)
    since = dt_util.utcnow().isoformat()
    portal.lines[SALES].drop()
    await wait(60)
    await wait(6)
    await wait(5)
    data = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    # The present is recorded every minute.
    assert data["uptime"] == {"lines": 3, "changes": 5, "known_seconds": 3 * 180}
    assert data["incident"] == {"lines": 2, "since": since, "acknowledged": False}
    assert "Sales" not in json.dumps(data)
    await hass.services.async_call(
        DOMAIN, "acknowledge_incident", {"entity_id": "all"}, blocking=True
    )
    data = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert data["incident"]["acknowledged"] is True
    for line in portal.lines.values():
        line.recover()
    await wait(16)
    await wait(121)
    data = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert data["incident"] is None


async def test_next_poll_after_an_error(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    wait: Poll,
) -> None:
    """The time of the next poll is correct, and all lines have failed."""
    portal.scopes = set()
    await wait(31)
    data: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert data["portal"]["next_poll_after_seconds"] == 900
    assert data["portal"]["last_poll"]["asked"] == 3
    assert data["portal"]["last_poll"]["failed"] == 3
    portal.scopes = {"telephony"}
    await wait(901)
    data = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert data["portal"]["next_poll_after_seconds"] == 30
    assert data["portal"]["last_poll"]["failed"] == 0


async def test_entry_that_is_not_loaded(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    """The diagnostics have what is stored, and say that the entry is not loaded."""
    device = line_device(hass, entry, SALES)
    assert device
    await hass.config_entries.async_unload(entry.entry_id)
    data: Any
    for data in (
        await get_diagnostics_for_config_entry(hass, hass_client, entry),
        await get_diagnostics_for_device(hass, hass_client, entry, device),
    ):
        assert data["entry"]["state"] == "not_loaded"
        assert data["entry"]["data"]["webhook"] == "**REDACTED**"
        assert data["lines"] == []
        assert "portal" not in data
