"""The action that asks the portal for registrations now."""

from dataclasses import asdict
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.bitrix24_sip.const import CONF_REG_IDS, DOMAIN
from custom_components.bitrix24_sip.services import GET_REGISTRATION_STATUS
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr

from .conftest import MAIN, SALES, SUPPORT, Poll, SetUp, asked, line_device


async def ask(hass: HomeAssistant, entry_id: str, **data: Any) -> Any:
    """Call the action; return what it answers per REG_ID."""
    answer = await hass.services.async_call(
        DOMAIN,
        GET_REGISTRATION_STATUS,
        {ATTR_CONFIG_ENTRY_ID: entry_id, **data},
        blocking=True,
        return_response=True,
    )
    assert answer
    return answer["registrations"]


async def test_all_lines(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """Without REG_IDs the action returns the present status of all monitored lines."""
    portal.lines[SALES].drop(503, "Service Unavailable")
    portal.lines[SALES].last_updated = "2026-09-10 00:26:40"
    portal.lines[SUPPORT].unreachable = True
    assert await ask(hass, entry.entry_id) == {
        str(MAIN): {
            "title": "Main line",
            "registered": True,
            "status": "success",
            "status_code": 200,
            "error_message": "",
            "last_updated": "2026-09-10T00:26:40+00:00",
        },
        str(SALES): {
            "title": "Sales",
            "registered": False,
            "status": "error",
            "status_code": 503,
            "error_message": "Service Unavailable",
            "last_updated": "2026-09-10T00:26:40+00:00",
        },
        str(SUPPORT): {
            "title": "Support",
            "error": "registration_not_found",
            "message": f"{portal.host} has no status for REG_ID {SUPPORT}. Check the number. "
            "If it is correct, the telephony provider does not answer at the moment. "
            "Try again later",
        },
    }


async def test_some_lines(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """Any REG_ID can be requested, also one that is not monitored."""
    portal.lines[MAIN].last_updated = None
    portal.add_line(201077)
    device = line_device(hass, entry, MAIN)
    assert device
    dr.async_get(hass).async_update_device(device.id, name_by_user="Front desk")
    registrations = await ask(hass, entry.entry_id, reg_ids=[str(MAIN), 201077])
    assert registrations.keys() == {str(MAIN), "201077"}
    assert registrations[str(MAIN)]["last_updated"] is None
    assert registrations[str(MAIN)]["title"] == "Front desk"
    assert registrations["201077"]["title"] is None


@pytest.mark.parametrize("reg_ids", [[], [0], [-1], ["x"], ["1.5"], [1] * 51])
async def test_bad_reg_ids(
    hass: HomeAssistant, entry: MockConfigEntry, portal: Portal, reg_ids: list[Any]
) -> None:
    """An invalid REG_ID is refused without a request to the portal."""
    requests = len(portal.requests)
    with pytest.raises(vol.Invalid):
        await ask(hass, entry.entry_id, **{CONF_REG_IDS: reg_ids})
    assert len(portal.requests) == requests


async def test_unknown_entry(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """An unknown portal, and one that is not loaded, are errors of the user."""
    with pytest.raises(ServiceValidationError):
        await ask(hass, "nonsense")
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError):
        await ask(hass, entry.entry_id)


@pytest.mark.parametrize(
    ("slug", "reason"),
    [
        ("missing_scope", "missing_scope"),
        ("nginx_502", "server_error"),
        ("invalid_credentials", "invalid_webhook"),
        ("query_limit", "throttled"),
    ],
)
async def test_portal_fails(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    slug: str,
    reason: str,
) -> None:
    """An error of the portal raises an exception with a translated message."""
    portal.fault(FAULTS[slug])
    with pytest.raises(HomeAssistantError) as caught:
        await ask(hass, entry.entry_id)
    assert caught.value.translation_key == reason
    assert portal.host in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_hanging_line_is_requested(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The action always asks the portal, and does not change the planned polls."""
    planner = entry.runtime_data.monitor.telephony.planner
    planner.lost([MAIN], 1, 30.0)
    planner.lost(
        [MAIN], 1, 30.0
    )  # it also hung on its own, and is not polled for a minute
    statistics = asdict(entry.runtime_data.monitor.telephony.client.statistics)
    portal.requests.clear()
    assert (await ask(hass, entry.entry_id, reg_ids=[MAIN]))[str(MAIN)]["registered"]
    assert asked(portal) == [MAIN]
    assert asdict(entry.runtime_data.monitor.telephony.client.statistics) == statistics
    portal.requests.clear()
    await wait(31)
    assert asked(portal) == [SALES, SUPPORT]


async def test_the_name_of_a_manual_line(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """A line without a title on the portal has the name of its device."""
    portal.add_line(201020, "Hidden").listed = False
    entry = await set_up(portal, reg_ids=[201020])
    registrations = await ask(hass, entry.entry_id, reg_ids=[201020])
    assert registrations["201020"]["title"] == "SIP line 201020"
