"""The triggers, as automations use them.

Each situation is played with one automation for each behavior, with and without a time
that the change has to last.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
import sys
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    get_system_health_info,
)

from custom_components.bitrix24_sip.const import DOMAIN
from custom_components.bitrix24_sip.targets import LINE, async_targeted
from custom_components.bitrix24_sip.trigger import async_get_triggers
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.helpers.condition import CONDITIONS
from homeassistant.helpers.trigger import TRIGGERS, async_get_all_descriptions
from homeassistant.setup import async_setup_component
from homeassistant.util import slugify

from .conftest import (
    MAIN,
    SALES,
    Poll,
    SetUp,
    check_descriptions,
    line_device,
    make_entry,
    state_of,
)
from .office import BEHAVIORS, LASTS, WAREHOUSE, Office, Portals, automation


@pytest.fixture
async def office(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> AsyncGenerator[Office]:
    """Provide an office with a portal of three lines."""
    lr.async_get(hass).async_create("Watched")
    async with AsyncExitStack() as stack:
        office = Office(hass, portal, entry, freezer, stack)
        yield office
        await office.for_each_entry(office.hass.config_entries.async_unload)


async def one_after_the_other(office: Office) -> None:
    """Change two of them, and one that is not labelled."""
    await office.change("A")
    await office.change("C")
    await office.change("B")


async def at_once(office: Office) -> None:
    """Change both in one poll."""
    await office.change("A", "B")


async def twice(office: Office) -> None:
    """Change one, back, and again."""
    await office.change("A")
    await office.undo("A")
    await office.change("A")


async def silent_meanwhile(office: Office) -> None:
    """Change a line while the portal is silent, and another one after that."""
    await office.silence()
    assert state_of(office.hass, office.watched.entity_id("A")) == STATE_UNAVAILABLE
    await office.change("A")
    await office.speak()
    await office.change("B")


async def silent_after(office: Office) -> None:
    """Silence the portal after a line changed; then nothing else has changed."""
    await office.change("A")
    await office.silence()
    await office.speak()
    await office.change("B")


async def silent_while_it_lasts(office: Office) -> None:
    """Silence the portal while a change has to last: it is told when it is known again."""
    office.hass.config_entries.async_update_entry(
        office.entry, options={"grace_period": 30}
    )
    await office.reload()
    office.set("A")
    await office.poll(1)
    await office.silence()
    assert office.told
    assert not any(name.endswith(str(LASTS)) for name in office.told)
    await office.speak()


async def unknown_meanwhile(office: Office) -> None:
    """Have a line be unavailable, then unknown, then what the trigger is about."""
    await office.silence()
    office.portal.lines[MAIN].set("in_progress")
    office.portal.clear_faults()
    await office.poll(1)
    assert state_of(office.hass, office.watched.entity_id("A")) == STATE_UNKNOWN
    if office.trigger == "registration_restored":
        office.portal.lines[MAIN].recover()
    await office.poll(5)


async def bridged(office: Office) -> None:
    """Have a line be in doubt for less than the grace period."""
    line = office.portal.lines[MAIN]
    status = line.status
    line.set("in_progress")
    await office.poll(1)
    line.set(status)
    await office.poll()


async def reloads(office: Office) -> None:
    """Reload the integration before and after a change."""
    await office.reload()
    await office.change("A")
    await office.reload()
    await office.change("B")


async def unloaded_meanwhile(office: Office) -> None:
    """Change one between an unload and the set-up."""
    entries = office.hass.config_entries
    await office.for_each_entry(entries.async_unload, "A")
    await office.for_each_entry(entries.async_setup)
    await office.poll()
    await office.change("B")


async def disabled_entries(office: Office) -> None:
    """Change one while the entries are disabled: what it was before is forgotten."""
    disable = office.hass.config_entries.async_set_disabled_by
    await office.for_each_entry(
        partial(disable, disabled_by=ConfigEntryDisabler.USER), "A"
    )
    await office.for_each_entry(partial(disable, disabled_by=None))
    await office.poll()
    await office.change("B")


async def disabled_entity(office: Office) -> None:
    """Change one while its entity is disabled: what it was before is forgotten."""
    office.disable("A", er.RegistryEntryDisabler.USER)
    await office.change("A")
    office.disable("A", None)
    await office.reload()
    await office.change("B")


async def automations_reload(office: Office) -> None:
    """Reload the automations before and after a change."""
    await office.reload_automations()
    await office.change("A")
    await office.reload_automations()
    await office.poll()
    await office.change("B")


async def restarts(office: Office) -> None:
    """Restart before and after a change, and change another one."""
    await office.restart()
    await office.change("A")
    await office.restart()
    await office.change("B")


async def changes_while_restarting(office: Office) -> None:
    """Change one during a restart: nobody knows what it was before."""
    await office.restart("A")
    await office.change("B")


async def label_later(office: Office) -> None:
    """Label one that is what the trigger is about already, then change it."""
    await office.change("C")
    office.label("C")
    await office.poll()
    await office.undo("C")
    await office.change("C")


async def label_while_bridged(office: Office) -> None:
    """Label a portal that does not answer, before that counts; then it answers."""
    await office.change("C")
    office.watched.set("C", lost=True)
    await office.wait(61)
    office.label("C")
    await office.poll()
    await office.change("C")


async def line_added_later(office: Office) -> None:
    """Add a line that is what the trigger is about already, then change it."""
    await office.watched.add("D", lost=office.fires_if_lost)
    office.label("D")
    state = state_of(office.hass, office.watched.entity_id("D"))
    assert (state == STATE_OFF) is office.fires_if_lost
    await office.poll()
    await office.undo("D")
    await office.change("D")


async def portal_added_later(office: Office) -> None:
    """Add a portal, which has a device once it has answered, then change it."""
    await office.watched.add("D", lost=office.fires_if_lost)
    await office.poll()
    if office.fires_if_lost:
        await office.undo("D")
    office.label("D")
    await office.undo("D")
    await office.change("D")


async def removed_and_added(office: Office) -> None:
    """Remove a line that changed from the portal, and add it again as it was."""
    await office.change("A")
    line = office.portal.lines[MAIN]
    office.portal.remove_line(MAIN)
    for _ in range(5):
        await office.wait(600)
    assert line_device(office.hass, office.entry, MAIN) is None
    office.portal.lines[MAIN] = line
    await office.wait(600)
    office.label("A")
    await office.poll()
    await office.undo("A")
    await office.change("A")


async def renamed_before(office: Office) -> None:
    """Give an entity another ID, then change it."""
    office.rename("A", "front_desk")
    await office.poll(2)
    await office.change("A")
    for told in office.told.values():
        assert [item["entity_id"] for item in told] == ["binary_sensor.front_desk"]


async def renamed_after(office: Office) -> None:
    """Give an entity another ID while its change has to last."""
    office.set("A")
    await office.poll(1)
    office.rename("A", "front_desk")
    await office.poll(2)
    await office.change("B")


type Play = Callable[[Office], Awaitable[None]]

# What is told with the behaviors each (which a trigger of a portal has only), first, all.
SITUATIONS: dict[Play, tuple[str, str, str]] = {
    one_after_the_other: ("AB", "A", "B"),
    at_once: ("AB", "A", "B"),
    twice: ("AA", "AA", ""),
    reloads: ("AB", "A", "B"),
    unloaded_meanwhile: ("AB", "A", "B"),
    disabled_entries: ("B", "", "B"),
    disabled_entity: ("B", "", "B"),
    automations_reload: ("AB", "A", "B"),
    restarts: ("AB", "A", "B"),
    changes_while_restarting: ("B", "", "B"),
    label_later: ("C", "C", ""),
    renamed_before: ("A", "A", ""),
    renamed_after: ("AB", "A", "B"),
}
OF_LINES: dict[Play, tuple[str, str, str]] = SITUATIONS | {
    silent_meanwhile: ("AB", "A", "B"),
    silent_after: ("AB", "A", "B"),
    silent_while_it_lasts: ("A", "A", ""),
    unknown_meanwhile: ("A", "A", ""),
    bridged: ("", "", ""),
    line_added_later: ("D", "D", ""),
    removed_and_added: ("AA", "AA", ""),
}
OF_PORTALS: dict[Play, tuple[str, str, str]] = SITUATIONS | {
    portal_added_later: ("D", "", "")
}
# A portal that does not answer when it is set up has no state, and its first one is no
# change.
UNREACHABLE = OF_PORTALS | {unloaded_meanwhile: ("B", "", "")}
REACHABLE = OF_PORTALS | {
    label_while_bridged: ("C", "", ""),
    disabled_entries: ("", "", ""),
    restarts: ("", "", ""),
    changes_while_restarting: ("", "", ""),
}
MATRIX = {
    "registration_lost": OF_LINES,
    "registration_restored": OF_LINES,
    "portal_unreachable": UNREACHABLE,
    "portal_reachable": REACHABLE,
}


@pytest.mark.parametrize(
    ("trigger", "play"),
    [(trigger, play) for trigger, plays in MATRIX.items() for play in plays],
    ids=lambda value: value.__name__ if callable(value) else value,
)
async def test_situations(office: Office, trigger: str, play: Play) -> None:
    """Each settled change is told once, with and without a time to last."""
    await office.watch(trigger)
    await office.automate_each_way({"label_id": "watched"})
    await office.poll()
    await play(office)
    expected = dict(zip(BEHAVIORS, MATRIX[trigger][play], strict=True))
    names = [item["alias"] for item in office.config]
    assert {name: office.names_told(name) for name in names} == {
        name: expected[name.split()[0]] for name in names
    }


@pytest.mark.parametrize("trigger", MATRIX)
async def test_fresh_start(
    hass: HomeAssistant,
    portal: Portal,
    freezer: FrozenDateTimeFactory,
    trigger: str,
) -> None:
    """An automation that is there before the integration is told what changes later."""
    office = Office(
        hass, portal, make_entry(portal), freezer, AsyncExitStack(), trigger
    )
    entity_id = "binary_sensor.main_line_registration"
    if trigger.startswith("portal"):
        office.watched = Portals(office)
        entity_id = f"binary_sensor.{slugify(portal.host)}_portal"
    await office.automate_each_way({"entity_id": entity_id})
    office.set("A")
    office.entry.add_to_hass(hass)
    await hass.config_entries.async_setup(office.entry.entry_id)
    await office.poll()
    await office.undo("A")
    assert office.told == {}
    await office.change("A")
    assert [len(told) for told in office.told.values()] == [1] * len(office.config)
    assert office.watched.entity_id("A") == entity_id


async def test_details(
    hass: HomeAssistant, office: Office, portal: Portal, poll: Poll, wait: Poll
) -> None:
    """An automation finds line, portal and reason, and how long the line was down."""
    device = office.watched.device("A")
    dr.async_get(hass).async_update_device(device.id, name_by_user="Front desk")
    entity_id = office.watched.entity_id("A")
    target = {"entity_id": entity_id}
    await office.automate(
        automation("lost", "registration_lost", target),
        automation("restored", "registration_restored", target),
    )
    portal.lines[MAIN].drop(403, "Forbidden")
    await poll()
    line = {
        "entity_id": entity_id,
        "line": "Front desk",
        "portal": office.entry.title,
        "reg_id": MAIN,
    }
    assert office.told == {
        "lost": [
            line
            | {"name": "lost", "from": "on", "to": "off", "downtime": None}
            | {"code": 403, "message": "Forbidden", "cause": "forbidden"}
        ]
    }
    portal.fault(FAULTS["nginx_502"])
    await poll(4)
    assert state_of(hass, entity_id) == STATE_UNAVAILABLE
    portal.clear_faults()
    portal.lines[MAIN].recover()
    await poll()
    assert office.told["restored"] == [
        line
        | {"name": "restored", "from": "off", "to": "on", "downtime": 5 * 61}
        | {"code": 200, "message": "", "cause": None}
    ]
    assert len(office.told["lost"]) == 1


async def test_downtime_over_a_restart(
    hass: HomeAssistant, office: Office, portal: Portal, poll: Poll
) -> None:
    """It is that of the line's event, which outlasts a restart, and None without it."""
    portal.lines[MAIN].drop()
    portal.lines[SALES].drop()
    await poll()
    office.trigger = "registration_restored"
    target = {
        "entity_id": [office.watched.entity_id("A"), office.watched.entity_id("B")]
    }
    await office.automate(
        automation("restored", office.trigger, target),
        automation("later", office.trigger, target, **{"for": {"seconds": LASTS}}),
    )
    event = hass.states.get("event.main_line_registration_change")
    assert event
    lost_at = event.last_changed
    er.async_get(hass).async_update_entity(
        "event.sales_registration_change", disabled_by=er.RegistryEntryDisabler.USER
    )
    await office.restart()
    assert office.told == {}
    await office.change("A", "B")
    (told, later) = (
        {item["reg_id"]: item["downtime"] for item in office.told[name]}
        for name in ("restored", "later")
    )
    registration = office.hass.states.get(office.watched.entity_id("A"))
    assert registration
    seconds = (registration.last_changed - lost_at).total_seconds()
    assert told == later == {MAIN: round(seconds), SALES: None}
    # The next one is the trigger's own again.
    await office.undo("A")
    await office.change("A")
    assert office.told["restored"][-1]["downtime"] == 4 * 61


@pytest.mark.parametrize(
    ("trigger", "told"),
    [("registration_lost", {"each 0", "first 0"}), ("portal_unreachable", set())],
)
async def test_an_automation_that_is_turned_off(
    hass: HomeAssistant, office: Office, trigger: str, told: set[str]
) -> None:
    """It is not told of a change that had to last, even if it is turned on again."""
    await office.watch(trigger)
    await office.automate_each_way({"label_id": "watched"})
    office.set("A")
    await office.poll(1)
    for action in ("turn_off", "turn_on"):
        await hass.services.async_call(
            "automation", action, {"entity_id": "all"}, blocking=True
        )
    await office.poll()
    assert office.told.keys() == told


async def test_an_error_in_the_details_keeps_no_alarm_back(
    hass: HomeAssistant, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the automation runs without the details."""
    target = {"entity_id": office.watched.entity_id("A")}
    await office.automate(automation("lost", "registration_lost", target))
    with patch(
        "custom_components.bitrix24_sip.settled_trigger.reg_id_of",
        side_effect=RuntimeError,
    ):
        await office.change("A")
    ((told,),) = office.told.values()
    assert told["to"] == "off"
    assert told["line"] is None
    assert "unexpected error reading a trigger's details" in caplog.text


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        pytest.param("line", [MAIN], id="a line's device"),
        pytest.param("entity", [MAIN], id="an entity"),
        pytest.param("label of an entity", [MAIN], id="a label of an entity"),
        pytest.param("area", [MAIN, SALES], id="an area"),
        pytest.param("floor", [MAIN, SALES], id="a floor"),
        pytest.param("portal", [MAIN, SALES, WAREHOUSE], id="a portal's device"),
        pytest.param("sensor", [MAIN, SALES, WAREHOUSE], id="a portal's sensor"),
        pytest.param("other", [], id="what is not of this integration"),
    ],
)
async def test_targets(
    hass: HomeAssistant, office: Office, portal: Portal, target: str, lines: list[int]
) -> None:
    """A target means this integration's lines in it, and no other sensor."""
    devices, entities = dr.async_get(hass), er.async_get(hass)
    areas, floors = ar.async_get(hass), fr.async_get(hass)
    floor = floors.async_create("Ground floor")
    area = areas.async_create("Office", floor_id=floor.floor_id)
    main, of_portal = office.watched.device("A"), Portals(office).device("A")
    # The portal's own device is in the area, too, and has no line of its own.
    for device in (main, office.watched.device("B"), of_portal):
        devices.async_update_device(device.id, area_id=area.id)
    other = entities.async_get_or_create(
        *("binary_sensor", "ping", "1"), original_device_class="connectivity"
    )
    entities.async_update_entity(other.entity_id, area_id=area.id)
    entities.async_update_entity(office.watched.entity_id("A"), labels={"main"})
    targets: dict[str, dict[str, Any]] = {
        "line": {"device_id": main.id},
        "entity": {"entity_id": office.watched.entity_id("A")},
        "label of an entity": {"label_id": "main"},
        "area": {"area_id": area.id},
        "floor": {"floor_id": floor.floor_id},
        "portal": {"device_id": of_portal.id},
        "sensor": {"entity_id": Portals(office).entity_id("A")},
        "other": {
            "device_id": "gone",
            "entity_id": [
                other.entity_id,
                "binary_sensor.gone",
                "sensor.main_line_status",
            ],
        },
    }
    await office.automate(automation("lost", "registration_lost", targets[target]))
    entities.async_update_entity(
        office.watched.entity_id("C"), disabled_by=er.RegistryEntryDisabler.USER
    )
    portal.add_line(WAREHOUSE, "Warehouse")
    await office.wait(600)
    assert hass.states.get(office.watched.entity_id("D"))
    hass.states.async_set(other.entity_id, STATE_ON)
    await hass.async_block_till_done()
    hass.states.async_set(other.entity_id, STATE_OFF)
    await office.change("A", "B", "C", "D")
    assert [told["reg_id"] for told in office.told.get("lost", [])] == lines


async def test_an_exclusion(hass: HomeAssistant, office: Office) -> None:
    """A target of Home Assistant 2026.11 can exclude lines, also of a portal's device."""
    office.label("A", "B")
    device = Portals(office).device("A")
    target = {"device_id": [device.id], "exclude": {"label_id": ["watched"]}}
    assert async_targeted(hass, target, set(), LINE) == {office.watched.entity_id("C")}


async def automate_portal(office: Office, **options: Any) -> None:
    """Make an automation for each trigger of a portal."""
    target = {"device_id": Portals(office).device("A").id}
    await office.automate(
        *(
            automation(f"portal_{name}", f"portal_{name}", target, **options)
            for name in ("unreachable", "reachable")
        )
    )


@pytest.mark.parametrize(
    ("options", "minutes"), [({}, 3), ({"for": {"minutes": 5}}, 6)], ids=["", "for"]
)
async def test_a_portal(
    hass: HomeAssistant,
    office: Office,
    portal: Portal,
    poll: Poll,
    options: dict[str, Any],
    minutes: int,
) -> None:
    """It is unreachable when the grace period, or a longer time, is over; and back."""
    await automate_portal(office, **options)
    portal.fault(FAULTS["nginx_502"])
    for _ in range(minutes):
        assert office.told == {}
        await poll()
    (told,) = office.told["portal_unreachable"]
    assert told["portal"] == office.entry.title
    assert told["cause"] == "server_error"
    assert f"An internal error occurred on {portal.host}" in told["message"]
    assert told["code"] == "HTTP 502"
    assert (told["from"], told["to"]) == ("on", "off")
    assert [told[key] for key in ("line", "reg_id", "downtime")] == [None] * 3
    portal.clear_faults()
    await poll(8)
    (told,) = office.told["portal_reachable"]
    assert told["portal"] == office.entry.title
    assert told["message"] is None
    assert told["downtime"] == minutes * 61
    await poll(8)
    assert len(office.told["portal_unreachable"]) == 1


async def test_a_portal_that_hiccups(
    office: Office, portal: Portal, poll: Poll
) -> None:
    """What the grace period bridges is not told, and neither is its end."""
    await automate_portal(office)
    for _ in range(3):
        portal.fault(FAULTS["nginx_502"])
        await poll(1)
        portal.clear_faults()
        await poll(3)
    assert office.told == {}


async def test_a_portal_with_a_permanent_error(
    office: Office, portal: Portal, poll: Poll
) -> None:
    """It is told at once: it does not go away by itself."""
    await automate_portal(office)
    portal.revoke()
    await poll()
    (told,) = office.told["portal_unreachable"]
    assert told["cause"] == "invalid_webhook"
    assert portal.code not in str(told)


@pytest.mark.parametrize(
    ("trigger", "config"),
    [
        ("registration_lost", {"options": {"behavior": "any_of"}}),
        ("registration_lost", {"options": {"code": 403}}),
        ("portal_unreachable", {"options": {"behavior": "each"}}),
        ("line_lost", {}),
    ],
)
async def test_what_is_refused(
    hass: HomeAssistant, office: Office, trigger: str, config: dict[str, Any]
) -> None:
    """A configuration that is wrong never triggers, and is told to the user."""
    wrong = automation("wrong", trigger, {"entity_id": office.watched.entity_id("A")})
    wrong["triggers"] |= config
    await async_setup_component(hass, "automation", {"automation": wrong})
    await hass.async_block_till_done()
    assert state_of(hass, "automation.wrong") == STATE_UNAVAILABLE


async def test_descriptions(hass: HomeAssistant, office: Office) -> None:
    """The editor has a description, texts and an icon for each trigger, and no more."""
    await office.automate_each_way({"label_id": "watched"})
    descriptions = await async_get_all_descriptions(hass)
    check_descriptions("triggers", descriptions, await async_get_triggers(hass))


@pytest.mark.parametrize(
    ("platform", "module"),
    [("trigger", "settled_trigger"), ("condition", "line_condition")],
)
async def test_where_the_interface_has_moved(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    module: str,
) -> None:
    """All else works as before, and the log says what does not."""
    package = "custom_components.bitrix24_sip"
    monkeypatch.delitem(sys.modules, f"{package}.{platform}", raising=False)
    monkeypatch.setitem(sys.modules, f"{package}.{module}", None)
    assert await async_setup_component(hass, "system_health", {})
    entry = await set_up(portal)
    assert entry.state is ConfigEntryState.LOADED
    assert await get_system_health_info(hass, DOMAIN)
    known = {"trigger": hass.data[TRIGGERS], "condition": hass.data[CONDITIONS]}
    works = {name for name, keys in known.items() if DOMAIN in keys.values()}
    assert works == {"trigger", "condition"} - {platform}
    said = [r.message for r in caplog.records if r.levelname == "ERROR"]
    assert said == [f"The {platform}s do not work with this version of Home Assistant"]
