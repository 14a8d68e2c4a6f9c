"""The actions that request the present status, and the uptime over a period."""

from dataclasses import asdict
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.bitrix24_sip.const import CONF_REG_IDS, DOMAIN
from custom_components.bitrix24_sip.services import GET_REGISTRATION_STATUS, GET_UPTIME
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.translation import async_load_integrations

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


async def test_an_error_in_another_language(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """The message of a line's error is in Home Assistant's language once that is loaded."""
    hass.config.language = "de"
    await async_load_integrations(hass, {DOMAIN})
    answer = (await ask(hass, entry.entry_id, reg_ids=[999999]))["999999"]
    assert answer["error"] == "registration_not_found"
    assert answer["message"] == (
        f"{portal.host} hat keinen Status für REG_ID 999999. Prüfe die Nummer. Wenn sie "
        "stimmt, antwortet der Telefonieanbieter gerade nicht. Versuche es später erneut"
    )
    hass.config.language = "nl"
    answer = (await ask(hass, entry.entry_id, reg_ids=[999999]))["999999"]
    assert answer["message"].startswith(
        f"{portal.host} has no status for REG_ID 999999"
    )


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


async def uptime(hass: HomeAssistant, entry_id: str, **data: Any) -> Any:
    """Call the action for the uptime; return its answer."""
    return await hass.services.async_call(
        DOMAIN,
        GET_UPTIME,
        {ATTR_CONFIG_ENTRY_ID: entry_id, **data},
        blocking=True,
        return_response=True,
    )


@pytest.fixture
async def history(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    wait: Poll,
    freezer: FrozenDateTimeFactory,
) -> MockConfigEntry:
    """Provide two hours of three lines, of which one had an outage and has another."""
    freezer.move_to("2026-10-31T22:00:00+00:00")
    await hass.config.async_set_time_zone("Europe/Berlin")
    entry = await set_up(portal)
    for minute in range(120):
        if minute in (30, 110):
            portal.lines[MAIN].drop(403, "Forbidden")
        if minute == 50:
            portal.lines[MAIN].recover()
        await wait(60)
    return entry


async def test_uptime_of_all_lines(
    hass: HomeAssistant, portal: Portal, history: MockConfigEntry
) -> None:
    """Of the last 30 days if nothing else is said, of which the most is not known."""
    answer = await uptime(hass, history.entry_id)
    assert answer["start_time"] == "2026-10-02T00:00:00+00:00"
    assert answer["end_time"] == "2026-11-01T00:00:00+00:00"
    assert answer["lines"].keys() == {str(MAIN), str(SALES), str(SUPPORT)}
    main, sales = answer["lines"][str(MAIN)], answer["lines"][str(SALES)]
    assert sales == {
        "title": "Sales",
        "start_time": "2026-10-02T00:00:00+00:00",
        "end_time": "2026-11-01T00:00:00+00:00",
        "known_time": 7200,
        "known_percent": 0.28,
        "uptime": 100,
        "downtime": 0,
        "number_of_outages": 0,
        "longest_outage": 0,
        "mean_time_between_outages": None,
        "mean_time_to_recover": None,
        "outages_listed_from": "2026-10-02T00:00:00+00:00",
        "outages": [],
    }
    assert main["known_time"] == 7200
    assert main["number_of_outages"] == 2
    assert main["mean_time_between_outages"] == (7200 - main["downtime"]) / 2
    over, going_on = main["outages"]
    assert over == {
        "began": "2026-10-31T22:31:00+00:00",
        "ended": "2026-10-31T22:51:00+00:00",
        "downtime": 1200,
        "status": "error",
        "status_code": 403,
        "error_message": "Forbidden",
        "cause": "forbidden",
    }
    assert main["longest_outage"] == main["mean_time_to_recover"] == 1200
    assert main["downtime"] == 1200 + going_on["downtime"]
    assert going_on["began"] == "2026-10-31T23:51:00+00:00"
    assert going_on["ended"] is None


async def test_uptime_of_a_period(
    hass: HomeAssistant, portal: Portal, history: MockConfigEntry
) -> None:
    """A time without a zone is local; the future does not count."""
    answer = await uptime(
        hass,
        history.entry_id,
        reg_ids=[MAIN],
        start_time="2026-10-31 23:00:00",
        end_time="2026-11-01 00:00:00",
    )
    assert answer["start_time"] == "2026-10-31T22:00:00+00:00"
    assert answer["end_time"] == "2026-10-31T23:00:00+00:00"
    [line] = answer["lines"].values()
    assert line["title"] == "Main line"
    assert line["uptime"] == 66.67
    assert line["known_percent"] == 100
    answer = await uptime(
        hass, history.entry_id, days=0.5, end_time="2099-01-01 00:00:00"
    )
    assert answer["start_time"] == "2026-10-31T12:00:00+00:00"
    assert answer["end_time"] == "2026-11-01T00:00:00+00:00"


async def test_uptime_of_a_line_that_is_not_monitored(
    hass: HomeAssistant, history: MockConfigEntry
) -> None:
    """Nothing is known of it, which is neither up nor down."""
    answer = await uptime(hass, history.entry_id, reg_ids=[201099])
    line = answer["lines"]["201099"]
    assert line["title"] is None
    assert line["uptime"] is None
    assert line["known_time"] == line["downtime"] == 0


@pytest.mark.parametrize(
    "data",
    [
        {"days": 0},
        {"days": 401},
        {"days": 3, "start_time": "2026-10-01 00:00:00"},
        {"start_time": "yesterday"},
        {"reg_ids": []},
    ],
)
async def test_bad_fields_of_the_uptime(
    hass: HomeAssistant, entry: MockConfigEntry, data: dict[str, Any]
) -> None:
    """A period is a number of days, or has a start."""
    with pytest.raises(vol.Invalid):
        await uptime(hass, entry.entry_id, **data)


async def test_period_that_is_empty(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """It is refused with a sentence that can be translated."""
    with pytest.raises(ServiceValidationError) as caught:
        await uptime(hass, entry.entry_id, start_time="2099-01-01 00:00:00")
    assert caught.value.translation_key == "empty_period"
    with pytest.raises(ServiceValidationError):
        await uptime(hass, "nonsense")
