"""The blueprints: imported, used for an automation, and triggered."""

import asyncio
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
    mock_restore_cache,
)

from custom_components.bitrix24_sip.bitrix24.sip_codes import EXPLANATIONS
from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant, ServiceCall, State
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    label_registry as lr,
)
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict

from .conftest import MAIN, SALES, SUPPORT, SetUp, line_device

FOLDER = Path(__file__).parents[1] / "blueprints/automation/bitrix24_sip"

type Pass = Callable[[float], Awaitable[None]]


@pytest.fixture
def notified(hass: HomeAssistant) -> list[ServiceCall]:
    """Provide the notifications that were sent."""
    return async_mock_service(hass, "notify", "office")


@pytest.fixture
def minutes(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Pass:
    """Return a function that advances the time by minutes, in steps of 15 seconds."""

    async def minutes(count: float) -> None:
        for _ in range(int(count * 4)):
            freezer.tick(timedelta(seconds=15))
            async_fire_time_changed(hass)
            await settle(hass)

    return minutes


async def settle(hass: HomeAssistant) -> None:
    """Wait until everything is done, but for runs of an automation that wait."""

    def unfinished() -> list[asyncio.Future[Any]]:
        return [
            task
            for task in hass._tasks | hass._background_tasks
            if not (
                isinstance(task, asyncio.Task)
                and ("trigger" in task.get_name() or "Script" in repr(task.get_coro()))
            )
        ]

    for _ in range(2):
        while tasks := unfinished():
            await asyncio.wait(tasks)
        for _ in range(50):  # a run has nothing to wait for but the next moment
            await asyncio.sleep(0)


@pytest.fixture
async def start(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, portal: Portal, set_up: SetUp
) -> Any:
    """Return a function that creates an automation from a blueprint.

    It sets the portal up, unless the test has done so.
    """
    freezer.move_to("2026-11-23T12:00:20+00:00")
    await hass.config.async_set_time_zone("UTC")

    # The tests of all processes share one configuration folder.
    target = Path(hass.config.path(f"blueprints/automation/bitrix24_sip_{uuid4().hex}"))

    async def start(name: str, **inputs: Any) -> None:
        if not hass.config_entries.async_entries(DOMAIN):
            await set_up(portal)
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
    portal: Portal, start: Any, notified: list[ServiceCall], minutes: Pass
) -> None:
    """Told once when it is down for long enough, and once when it is back."""
    await start("line_down", minutes=3)
    await minutes(5)
    assert notified == []
    portal.lines[MAIN].drop(403, "Forbidden")
    await minutes(2)
    assert notified == []
    await minutes(10)
    assert titles(notified) == ["Main line is down"]
    assert notified[0].data["message"] == (
        "Main line is down: the provider refuses the login (403 Forbidden). "
        "Check login and password of the line in Bitrix24. "
        "Main line is the default line for outgoing calls."
    )
    portal.lines[MAIN].recover()
    await minutes(5)
    assert titles(notified) == ["Main line is down", "Main line is back"]
    assert notified[1].data["message"] == (
        "Main line is registered again. It was down for 12 min."
    )


async def test_several_lines(
    portal: Portal, start: Any, notified: list[ServiceCall], minutes: Pass
) -> None:
    """However many lines an outage takes, it is one message when it begins and ends."""
    await start("line_down", minutes=2)
    portal.add_line(201010, "Warehouse")
    await minutes(11)
    for line in portal.lines.values():
        line.drop(503, "Service Unavailable")
    portal.lines[MAIN].recover()
    await minutes(4)
    portal.lines[MAIN].drop(503, "Service Unavailable")
    await minutes(10)
    assert titles(notified) == ["Sales, Support and Warehouse are down"]
    assert notified[0].data["message"] == (
        "Sales, Support and Warehouse are down: the provider is overloaded or down "
        "(503 Service Unavailable). Wait some minutes, then ask the provider."
    )
    for line in portal.lines.values():
        line.recover()
    await minutes(5)
    assert titles(notified)[1:] == ["4 lines are back"]
    assert notified[1].data["message"] == (
        "Sales, Support, Warehouse and Main line are registered again. "
        "The outage lasted for 14 min."
    )


async def test_several_reasons(
    portal: Portal, start: Any, notified: list[ServiceCall], minutes: Pass
) -> None:
    """Lines that are down for different reasons are told without one."""
    await start("line_down", minutes=2)
    portal.lines[MAIN].drop(403, "Forbidden")
    portal.lines[SALES].drop(503, "Service Unavailable")
    await minutes(4)
    [call] = notified
    assert call.data["message"] == (
        "Main line and Sales are down: for several reasons. "
        "Main line is the default line for outgoing calls."
    )


@pytest.mark.parametrize(
    ("outgoing", "chosen", "back", "told"),
    [
        pytest.param(SALES, None, None, True, id="down"),
        pytest.param(MAIN, None, None, False, id="never down"),
        pytest.param(SALES, None, SALES, False, id="back"),
        pytest.param(SALES, SUPPORT, None, False, id="not chosen"),
    ],
)
async def test_the_default_outgoing_line(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
    outgoing: int,
    chosen: int | None,
    back: int | None,
    told: bool,
) -> None:
    """The message names it if it is one of the lines that the message is about."""
    portal.outgoing = f"reg{outgoing}"
    entry = await set_up(portal)
    device = chosen and line_device(hass, entry, chosen)
    await start(
        "line_down", minutes=2, lines={"device_id": device.id} if device else {}
    )
    portal.lines[SALES].drop()
    portal.lines[SUPPORT].drop()
    await minutes(1)
    if back:
        portal.lines[back].recover()
        portal.lines[MAIN].drop()
    await minutes(4)
    [call] = notified
    sentence = " Sales is the default line for outgoing calls."
    assert call.data["message"].endswith(sentence) is told
    assert told or "outgoing" not in call.data["message"]


async def test_short_drops_and_unknown_lines_are_not_told(
    portal: Portal, start: Any, notified: list[ServiceCall], minutes: Pass
) -> None:
    """Nobody is woken by a short drop, by a portal that is silent, or a silent line."""
    await start("line_down", minutes=5)
    portal.lines[MAIN].drop()
    await minutes(2)
    portal.lines[MAIN].recover()
    await minutes(5)
    fault = portal.fault(FAULTS["nginx_502"])
    portal.lines[SALES].unreachable = True
    await minutes(20)
    fault.clear()
    await minutes(20)
    assert notified == []


@pytest.mark.parametrize(
    ("lost_for", "registered_for", "told"),
    [
        pytest.param(1, 1, ["down", "back"], id="lost again"),
        # The automation runs in that moment, too, as it was to say that the line is down.
        pytest.param(1.5, 1, ["down", "back"], id="lost again when it would be due"),
        pytest.param(1, 20, [], id="lost again long after that"),
    ],
)
async def test_a_short_drop_and_another_one(
    portal: Portal,
    start: Any,
    notified: list[ServiceCall],
    minutes: Pass,
    lost_for: float,
    registered_for: float,
    told: list[str],
) -> None:
    """A line that is back in time is told at once if it is lost again at once."""
    await start("line_down", minutes=2)
    portal.lines[MAIN].drop()
    await minutes(lost_for)
    portal.lines[MAIN].recover()
    await minutes(registered_for)
    assert notified == []
    expected = [f"Main line is {word}" for word in told]
    portal.lines[MAIN].drop()
    await minutes(1)
    assert titles(notified) == expected[:1]
    portal.lines[MAIN].recover()
    await minutes(20)
    assert titles(notified) == expected


async def test_reminders_of_a_line_that_goes_on_and_off(
    portal: Portal, start: Any, notified: list[ServiceCall], minutes: Pass
) -> None:
    """There is none while it is registered, and the next one comes if it is not."""
    await start("line_down", minutes=2, remind_every=5)
    portal.lines[MAIN].drop()
    await minutes(4)
    portal.lines[MAIN].recover()
    await minutes(1)
    portal.lines[MAIN].drop()
    await minutes(1)
    portal.lines[MAIN].recover()
    await minutes(8)
    assert titles(notified) == ["Main line is down"]
    portal.lines[MAIN].drop()
    await minutes(6)
    assert titles(notified) == ["Main line is down", "Main line is still down"]


async def test_down_since_before_the_start(
    portal: Portal, start: Any, notified: list[ServiceCall], minutes: Pass
) -> None:
    """A line that was already down when the portal was added is not told."""
    portal.lines[MAIN].drop(503, "Service Unavailable")
    await start("line_down", minutes=1)
    await minutes(4)
    assert notified == []


@pytest.mark.parametrize("kind", ["entity", "device", "area", "label", "portal"])
async def test_chosen_lines_only(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
    kind: str,
) -> None:
    """Where lines are chosen, in whatever way, the others are left out."""
    entry = await set_up(portal)
    registry = dr.async_get(hass)
    device = line_device(hass, entry, SALES)
    assert device
    area = ar.async_get(hass).async_create("Office")
    label = lr.async_get(hass).async_create("Important")
    registry.async_update_device(device.id, area_id=area.id, labels={label.label_id})
    incident = er.async_get(hass).async_get_entity_id(
        "event", DOMAIN, f"{entry.entry_id}_incident"
    )
    target = {
        "entity": {"entity_id": ["binary_sensor.sales_registration"]},
        "device": {"device_id": device.id},
        "area": {"area_id": [area.id]},
        "label": {"label_id": [label.label_id]},
        "portal": {"entity_id": [incident]},
    }[kind]
    await start("line_down", minutes=1, lines=target)
    portal.lines[MAIN].drop()
    await minutes(4)
    all_lines = kind == "portal"
    assert titles(notified) == ["Main line is down"] * all_lines
    portal.lines[SALES].drop()
    await minutes(4)
    portal.lines[MAIN].recover()
    portal.lines[SALES].recover()
    await minutes(4)
    assert titles(notified) == (
        ["Main line is down", "Main line and Sales are back"]
        if all_lines
        else ["Sales is down", "Sales is back"]
    )


async def test_quiet_hours(
    portal: Portal, start: Any, notified: list[ServiceCall], minutes: Pass
) -> None:
    """What is still down when the quiet hours end is told then."""
    await start(
        "line_down",
        minutes=1,
        quiet_from="11:00:00",
        quiet_to="12:20:00",
        remind_every=3,
    )
    portal.lines[MAIN].drop()
    await minutes(15)
    assert notified == []
    await minutes(6)
    assert titles(notified) == ["Main line is down"]


async def test_quiet_hours_that_are_over_before_it_is_told(
    portal: Portal, start: Any, notified: list[ServiceCall], minutes: Pass
) -> None:
    """What is back before the quiet hours end is not told at all."""
    await start("line_down", minutes=1, quiet_from="11:00:00", quiet_to="12:20:00")
    portal.lines[SALES].drop()
    await minutes(5)
    portal.lines[SALES].recover()
    await minutes(20)
    assert notified == []


@pytest.mark.parametrize(
    ("quiet_from", "quiet_to", "is_told"),
    [("22:00:00", "06:00:00", True), ("22:00:00", "12:30:00", False)],
)
async def test_quiet_hours_over_midnight(
    portal: Portal,
    start: Any,
    notified: list[ServiceCall],
    minutes: Pass,
    quiet_from: str,
    quiet_to: str,
    *,
    is_told: bool,
) -> None:
    """Quiet hours may span midnight."""
    await start("line_down", minutes=1, quiet_from=quiet_from, quiet_to=quiet_to)
    portal.lines[MAIN].drop()
    await minutes(5)
    assert titles(notified) == ["Main line is down"] * is_told


def press(hass: HomeAssistant, call: ServiceCall, title: str) -> None:
    """Press a button of a notification, as the Home Assistant app reports it."""
    (action,) = (
        action["action"]
        for action in call.data["data"]["actions"]
        if action["title"] == title
    )
    hass.bus.async_fire("mobile_app_notification_action", {"action": action})


WITH_BUTTONS = {
    "action": "notify.office",
    "data": {
        "title": "{{ title }}",
        "message": "{{ message }}",
        "data": "{{ data }}",
    },
}


async def test_reminders_until_acknowledged(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """Reminders come until somebody presses a button; the end is told in any case."""
    await start("line_down", minutes=2, remind_every=10, notify=[WITH_BUTTONS])
    portal.lines[MAIN].drop()
    await minutes(24)
    assert titles(notified) == ["Main line is down"] + ["Main line is still down"] * 2
    assert "Main line has been down for 22 min: the prov" in notified[2].data["message"]
    press(hass, notified[2], "Acknowledge")
    hass.bus.async_fire("mobile_app_notification_action", {"action": "SOMETHING_ELSE"})
    await minutes(30)
    assert len(notified) == 3
    portal.lines[MAIN].recover()
    await minutes(4)
    assert titles(notified)[3:] == ["Main line is back"]
    assert notified[3].data["data"]["tag"] == notified[0].data["data"]["tag"]
    await minutes(30)
    assert len(notified) == 4


async def test_mute(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    notified: list[ServiceCall],
    minutes: Pass,
    freezer: FrozenDateTimeFactory,
) -> None:
    """For eight hours nothing is told; what is still down then is told anew."""
    await start("line_down", minutes=2, remind_every=10, notify=[WITH_BUTTONS])
    portal.lines[MAIN].drop()
    await minutes(4)
    press(hass, notified[0], "Mute for 8 hours")
    portal.lines[SALES].drop()
    await minutes(30)
    assert len(notified) == 1
    freezer.tick(timedelta(hours=7, minutes=35))
    await minutes(3)
    assert titles(notified)[1:] == ["Main line and Sales are down"]
    await minutes(12)
    assert titles(notified)[2:] == ["Main line and Sales are still down"]


async def test_second_addressee(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """Somebody else is told once if the line stays down, and nobody takes notice."""
    boss = async_mock_service(hass, "notify", "boss")
    await start(
        "line_down",
        minutes=2,
        second_after=15,
        notify=[WITH_BUTTONS],
        notify_second=[WITH_BUTTONS | {"action": "notify.boss"}],
    )
    portal.lines[MAIN].drop()
    await minutes(14)
    assert boss == []
    await minutes(10)
    assert titles(boss) == ["Main line is still down"]
    portal.lines[MAIN].recover()
    await minutes(70)
    portal.lines[MAIN].drop()
    await minutes(5)
    press(hass, notified[-1], "Acknowledge")
    await minutes(20)
    assert len(boss) == 1


async def test_a_notification_that_fails(
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """It does not keep the reminders from coming."""
    await set_up(portal)
    missing = {"action": "notify.phone_that_was_sold", "data": {"message": "x"}}
    await start("line_down", minutes=2, remind_every=5, notify=[WITH_BUTTONS, missing])
    portal.lines[MAIN].drop()
    await minutes(14)
    assert len(notified) == 3


@pytest.mark.parametrize(
    ("stopped_after", "expected"),
    [
        (1, ["Main line is down", "Main line is still down"]),
        (4, ["Main line is still down"]),
    ],
    ids=["before it was told", "after it was told"],
)
async def test_restart(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    notified: list[ServiceCall],
    minutes: Pass,
    stopped_after: int,
    expected: list[str],
) -> None:
    """Nothing is told twice, and nothing is forgotten, when the runs end in between.

    As with a restart of Home Assistant, what waits is gone, and what is remembered is
    when the automation ran.
    """
    await start("line_down", minutes=2, remind_every=10)
    portal.lines[MAIN].drop()
    await minutes(stopped_after)
    notified.clear()
    automation = hass.states.async_entity_ids("automation")[0]
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": automation}, blocking=True
    )
    await minutes(4)
    await hass.services.async_call(
        "automation", "turn_on", {"entity_id": automation}, blocking=True
    )
    hass.bus.async_fire("automation_reloaded")
    await minutes(10)
    assert titles(notified) == expected
    portal.lines[MAIN].recover()
    await minutes(4)
    assert titles(notified) == [*expected, "Main line is back"]


async def test_start_of_home_assistant(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """What became due while Home Assistant was not running is told at its start."""
    await set_up(portal)
    portal.lines[MAIN].drop()
    await minutes(4)
    ran = dt_util.utcnow() - timedelta(minutes=3)
    automation = State(
        "automation.automation_0", "on", {"last_triggered": ran.isoformat()}
    )
    mock_restore_cache(hass, [automation])
    hass.set_state(CoreState.starting)
    await start("line_down", minutes=2)
    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await minutes(1)
    assert titles(notified) == ["Main line is down"]


async def test_back_during_a_restart(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """What ended while the automation did not run is told, once."""
    await start("line_down", minutes=2)
    portal.lines[MAIN].drop()
    await minutes(4)
    automation = hass.states.async_entity_ids("automation")[0]
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": automation}, blocking=True
    )
    portal.lines[MAIN].recover()
    await minutes(6)
    await hass.services.async_call(
        "automation", "turn_on", {"entity_id": automation}, blocking=True
    )
    for _ in range(2):
        hass.bus.async_fire("automation_reloaded")
        await minutes(1)
    assert titles(notified) == ["Main line is down", "Main line is back"]


async def test_reload_of_the_portal(
    hass: HomeAssistant,
    portal: Portal,
    start: Any,
    set_up: SetUp,
    notified: list[ServiceCall],
    minutes: Pass,
) -> None:
    """The reminders go on after the portal was loaded again."""
    entry = await set_up(portal)
    await start("line_down", minutes=2, remind_every=10)
    portal.lines[MAIN].drop()
    await minutes(4)
    await hass.config_entries.async_reload(entry.entry_id)
    await minutes(10)
    assert titles(notified) == ["Main line is down", "Main line is still down"]


@pytest.mark.parametrize(
    ("recoveries", "pairs"),
    [
        # In minutes: how long it is registered after each loss but the last one.
        pytest.param([0.5, 0.5, 0.5], 1, id="half a minute"),
        pytest.param([1, 1, 1], 1, id="1 minute"),
        pytest.param([2.5, 2.5, 2.5], 2, id="2.5 minutes"),
        pytest.param([3, 3, 3], 2, id="3 minutes"),
        pytest.param([5, 5, 5], 2, id="5 minutes"),
        pytest.param([8, 8, 8], 2, id="8 minutes"),
        pytest.param([2.5, 11, 11], 2, id="soon, then late twice"),
        pytest.param([2.5, 11, 2], 2, id="soon, late and soon"),
        pytest.param([1, 12, 12], 2, id="at once, then late twice"),
        pytest.param([1] * 9, 1, id="ten losses"),
        pytest.param([4] * 9, 2, id="ten losses within 50 minutes"),
    ],
)
async def test_a_line_that_goes_on_and_off(
    portal: Portal,
    start: Any,
    notified: list[ServiceCall],
    minutes: Pass,
    recoveries: list[float],
    pairs: int,
) -> None:
    """Its losses within half an hour are told in two pairs of messages at the most.

    That it is unstable is told once.
    """
    await start("line_down", minutes=1)
    for registered_for in [*recoveries, 45]:
        portal.lines[MAIN].drop()
        await minutes(1.5)
        portal.lines[MAIN].recover()
        await minutes(registered_for)
    again = ["Main line is down again", "Main line is back"] * (pairs - 1)
    assert titles(notified) == ["Main line is down", "Main line is back", *again]
    unstable = [
        call.data["message"].endswith(
            "It repeatedly loses its registration: Main line."
        )
        for call in notified
    ]
    assert unstable == [False] * (2 * pairs - 1) + [True]


async def test_an_hour_of_an_outage(
    portal: Portal, start: Any, notified: list[ServiceCall], minutes: Pass
) -> None:
    """Ten lines, lost one after the other and flapping: two messages."""
    portal.lines.clear()
    lines = [portal.add_line(300001 + at, f"Line {at}") for at in range(10)]
    await start("line_down", minutes=2)
    for minute in range(60):
        for at, line in enumerate(lines):
            # Lost every four minutes or so from its own time on, and back in between.
            is_down = minute >= 3 * at and (minute - at) % 7 < 5
            if is_down and line.status == "success":
                line.drop(503, "Service Unavailable")
            elif not is_down and line.status == "error":
                line.recover()
        await minutes(1)
    for line in lines:
        line.recover()
    await minutes(20)
    assert titles(notified) == ["Line 0 is down", "10 lines are back"]


def test_causes_are_explained_as_in_the_documents() -> None:
    """The blueprint has the words of the table of causes."""
    blueprint = load_yaml_dict(str(FOLDER / "line_down.yaml"))
    assert blueprint["variables"]["explanations"] == {
        cause.value: list(explanation) for cause, explanation in EXPLANATIONS.items()
    }


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
    portal: Portal,
    start: Any,
    notified: list[ServiceCall],
    minutes: Pass,
    freezer: FrozenDateTimeFactory,
) -> None:
    """It notifies once a day, with the names of lines that are down or unavailable."""
    await start("daily_summary", at="12:01:00")
    await minutes(1)
    portal.lines[MAIN].drop()
    portal.lines[SALES].unreachable = True
    await minutes(5)
    freezer.move_to("2026-11-24T12:00:30+00:00")
    await minutes(1)
    assert [(call.data["title"], call.data["message"]) for call in notified] == [
        ("3 of 3 lines are registered", "All lines are registered."),
        ("1 of 3 lines are registered", "Down: Main line. State not known: Sales."),
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
