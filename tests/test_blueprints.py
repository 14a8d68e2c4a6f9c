"""The blueprints: imported, used for an automation, and triggered."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
import shutil
from typing import Any
from uuid import uuid4

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    async_mock_service,
)

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

from .conftest import MAIN, SALES, SUPPORT, SetUp

FOLDER = Path(__file__).parents[1] / "blueprints/automation/bitrix24_sip"

type Pass = Callable[[int], Awaitable[None]]


@pytest.fixture
def notified(hass: HomeAssistant) -> list[ServiceCall]:
    """Provide the notifications that were sent."""
    return async_mock_service(hass, "notify", "office")


@pytest.fixture
def minutes(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Pass:
    """Return a function that advances the time by minutes, in steps of 15 seconds."""

    async def minutes(count: int) -> None:
        for _ in range(count * 4):
            freezer.tick(timedelta(seconds=15))
            async_fire_time_changed(hass)
            await hass.async_block_till_done(wait_background_tasks=True)

    return minutes


@pytest.fixture
async def start(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Any:
    """Return a function that creates an automation from a blueprint."""
    freezer.move_to("2026-11-23T12:00:20+00:00")
    await hass.config.async_set_time_zone("UTC")

    # The tests of all processes share one configuration folder.
    target = Path(hass.config.path(f"blueprints/automation/bitrix24_sip_{uuid4().hex}"))

    async def start(name: str, **inputs: Any) -> None:
        await hass.async_add_executor_job(
            lambda: shutil.copytree(FOLDER, target, dirs_exist_ok=True)
        )
        notify = {
            "action": "notify.office",
            "data": {"title": "{{ title }}", "message": "{{ message }}"},
        }
        use = {
            "path": f"{target.name}/{name}.yaml",
            "input": {"notify": [notify], **inputs},
        }
        assert await async_setup_component(
            hass, "automation", {"automation": {"use_blueprint": use}}
        )
        await hass.async_block_till_done()
        assert len(hass.states.async_entity_ids("automation")) == 1

    yield start
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "all"}, blocking=True
    )
    shutil.rmtree(target)


def titles(notified: list[ServiceCall]) -> list[str]:
    """Return the titles of the notifications."""
    return [call.data["title"] for call in notified]


async def test_down_and_back(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """It notifies once when the line is down for long enough, and once when it is back."""
    await set_up(portal)
    await start("line_down", minutes=3)
    await minutes(5)
    assert notified == []
    portal.lines[MAIN].drop(403, "Forbidden")
    await minutes(2)
    assert notified == []
    await minutes(10)
    assert titles(notified) == ["Main line is down"]
    message = notified[0].data["message"]
    assert message.endswith("min: 403 Forbidden.")
    assert "for 3 min" in message
    portal.lines[MAIN].recover()
    await minutes(5)
    assert titles(notified) == ["Main line is down", "Main line is back"]
    assert "It was down for 12 min." in notified[1].data["message"]


async def test_no_notification_for_short_drops_and_unknown_lines(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """Short drops and unavailable lines send no notification."""
    await set_up(portal)
    await start("line_down", minutes=5)
    portal.lines[MAIN].drop()
    await minutes(3)
    portal.lines[MAIN].recover()
    await minutes(5)
    fault = portal.fault(FAULTS["nginx_502"])
    portal.lines[SALES].unreachable = True
    await minutes(20)
    fault.clear()
    await minutes(20)
    assert notified == []


async def test_several_lines_and_lines_added_later(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """The notification names the line, also one that was added later."""
    await set_up(portal)
    await start("line_down", minutes=2)
    portal.add_line(201010, "Warehouse").drop()
    portal.lines[SALES].drop()
    await minutes(16)
    assert sorted(titles(notified)) == ["Sales is down", "Warehouse is down"]


async def test_down_since_before_the_start(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """It notifies of a line that was down before the start, with its reason."""
    portal.lines[MAIN].drop(503, "Service Unavailable")
    await set_up(portal)
    await start("line_down", minutes=1)
    await minutes(4)
    assert titles(notified) == ["Main line is down"]
    assert notified[0].data["message"].endswith("min: 503 Service Unavailable.")


async def test_chosen_lines_only(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """If lines are chosen, it notifies of those only."""
    await set_up(portal)
    await start("line_down", minutes=1, lines=["event.sales_registration_change"])
    portal.lines[MAIN].drop()
    portal.lines[SALES].drop()
    await minutes(6)
    assert titles(notified) == ["Sales is down"]


async def test_quiet_hours(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """It notifies after the quiet hours of lines that are still down."""
    await set_up(portal)
    await start("line_down", minutes=1, quiet_from="11:00:00", quiet_to="12:20:00")
    portal.lines[MAIN].drop()
    portal.lines[SALES].drop()
    await minutes(5)
    portal.lines[SALES].recover()
    await minutes(10)
    assert notified == []
    await minutes(10)
    assert titles(notified) == ["Main line is down"]


async def test_quiet_hours_over_midnight(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """It notifies at once outside of quiet hours that span midnight."""
    await set_up(portal)
    await start("line_down", minutes=1, quiet_from="22:00:00", quiet_to="06:00:00")
    portal.lines[MAIN].drop()
    await minutes(5)
    assert titles(notified) == ["Main line is down"]


@pytest.mark.parametrize(
    ("paid_until", "messages"),
    [
        ("2026-12-05T12:00:00+00:00", []),
        ("2026-12-01T12:00:00+00:00", ["ends on 2026-12-01"]),
        ("2026-11-20T12:00:00+00:00", ["ended on 2026-11-20"]),
    ],
)
async def test_connector_ends(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
    paid_until: str,
    messages: list[str],
) -> None:
    """It notifies the chosen number of days before the end, and not earlier."""
    portal.connector.paid_until = paid_until
    entry = await set_up(portal)
    registry = er.async_get(hass)
    sensor = registry.async_get_entity_id(
        "sensor", DOMAIN, f"{entry.entry_id}_connector_paid_until"
    )
    await start("connector_ends", paid_until=sensor, days=10, at="12:05:00")
    await minutes(10)
    assert len(notified) == len(messages)
    for call, message in zip(notified, messages, strict=True):
        assert call.data["title"] == "The SIP Connector ends"
        assert f"of {portal.host} {message}" in call.data["message"]


async def test_daily_summary(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
    freezer: FrozenDateTimeFactory,
) -> None:
    """It notifies once a day, with the names of lines that are down or unavailable."""
    await set_up(portal)
    await start("daily_summary", at="12:01:00")
    await minutes(1)
    portal.lines[MAIN].drop()
    portal.lines[SALES].unreachable = True
    await minutes(5)
    freezer.move_to("2026-11-24T12:00:30+00:00")
    await minutes(1)
    assert [(call.data["title"], call.data["message"]) for call in notified] == [
        ("3 of 3 lines are registered", "All is well."),
        ("1 of 3 lines are registered", "Down: Main line. Not known: Sales."),
    ]


async def test_monthly_report(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
    freezer: FrozenDateTimeFactory,
) -> None:
    """It reports on the previous month, on the chosen day of the month only."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-10-31T22:30:00+00:00")
    portal.lines.pop(SUPPORT)
    entry = await set_up(portal)
    table = {
        "action": "notify.office",
        "data": {"title": "{{ title }}", "message": "{{ message }}\n{{ table }}"},
    }
    await start(
        "monthly_report", portal=entry.entry_id, day=2, at="08:00:00", notify=[table]
    )
    await minutes(40)
    portal.lines[MAIN].drop(403, "Forbidden")
    await minutes(60)
    portal.lines[MAIN].recover()
    await minutes(1)
    freezer.move_to("2026-12-01T06:59:50+00:00")
    await minutes(1)
    assert notified == []
    freezer.move_to("2026-12-02T06:59:50+00:00")
    await minutes(1)
    [call] = notified
    assert call.data["title"] == "SIP lines in 2026-11"
    # The first hour and a half of it were recorded.
    assert call.data["message"].splitlines() == [
        "Main line: uptime 15.49 %, outages 1, downtime 60 min, longest 60 min, known 0.2 %",
        "Sales: uptime 100.00 %, outages 0, downtime 0 min, longest 0 min, known 0.2 %",
        "| Line | Uptime | Outages | Downtime | Longest | Known |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| Main line | 15.49 % | 1 | 60 min | 60 min | 0.2 % |",
        "| Sales | 100.00 % | 0 | 0 min | 0 min | 0.2 % |",
    ]
