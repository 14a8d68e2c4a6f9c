"""The triggers, as automations use them.

Each situation is played with one automation for each behavior, with and without a time
that the change has to last.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import json
import sys
from typing import Any
from unittest.mock import patch

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
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, callback
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

from .conftest import (
    MAIN,
    SALES,
    SUPPORT,
    TRANSLATIONS,
    Poll,
    SetUp,
    line_device,
    state_of,
)

WAREHOUSE = 201004
BEHAVIORS = ("each", "first", "all")
LASTS = 90  # seconds, less than two polls
DETAILS = ("line", "portal", "reg_id", "code", "message", "cause", "downtime")
FIELDS = ("entity_id", *DETAILS)


def automation(
    name: str, trigger: str, target: dict[str, Any], **options: Any
) -> dict[str, Any]:
    """Return an automation that tells what it finds in `trigger`."""
    data = {field: f"{{{{ trigger.{field} }}}}" for field in FIELDS}
    data["from"] = "{{ trigger.from_state.state }}"
    data["to"] = "{{ trigger.to_state.state }}"
    return {
        "alias": name,
        "id": name,
        "mode": "queued",
        "max": 50,
        "triggers": {
            "trigger": f"{DOMAIN}.{trigger}",
            "target": target,
            "options": options,
        },
        "actions": {"event": "told", "event_data": {"name": name, **data}},
    }


@dataclass
class Office:
    """An office with automations. told: by the automation's name, what each was told."""

    hass: HomeAssistant
    portal: Portal
    entry: MockConfigEntry
    poll: Poll
    wait: Poll
    trigger: str = "registration_lost"
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    config: list[dict[str, Any]] = field(default_factory=list)

    async def automate(self, *config: dict[str, Any]) -> None:
        """Make automations."""

        @callback
        def hear(event: Any) -> None:
            self.told.setdefault(event.data["name"], []).append(dict(event.data))

        self.hass.bus.async_listen("told", hear)
        self.config = list(config)
        assert await async_setup_component(
            self.hass, "automation", {"automation": self.config}
        )
        await self.hass.async_block_till_done()
        assert len(self.hass.states.async_all("automation")) == len(config)

    async def automate_each_way(self, target: dict[str, Any]) -> None:
        """Make an automation for each behavior, with and without a time to last."""
        await self.automate(
            *(
                automation(
                    f"{behavior} {seconds}",
                    self.trigger,
                    target,
                    behavior=behavior,
                    **({"for": {"seconds": seconds}} if seconds else {}),
                )
                for behavior in BEHAVIORS
                for seconds in (0, LASTS)
            )
        )

    async def change(self, *reg_ids: int) -> None:
        """Have lines become what the trigger is about, for long enough."""
        self.set(self.trigger == "registration_lost", reg_ids)
        await self.poll(3)

    async def undo(self, *reg_ids: int) -> None:
        """Have lines become what they were."""
        self.set(self.trigger != "registration_lost", reg_ids)
        await self.poll(3)

    def set(self, lost: bool, reg_ids: tuple[int, ...]) -> None:
        """Lose or restore lines on the portal."""
        for reg_id in reg_ids:
            line = self.portal.lines[reg_id]
            line.drop(403, "Forbidden") if lost else line.recover()

    async def silence(self) -> None:
        """Have the portal give no answer until nothing is known of any line."""
        self.portal.fault(FAULTS["nginx_502"])
        await self.poll(6)

    async def speak(self) -> None:
        """Have the portal answer again."""
        self.portal.clear_faults()
        await self.poll(3)

    async def reload(self) -> None:
        """Reload the integration."""
        assert await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.poll(3)

    async def reload_automations(self) -> None:
        """Reload the automations, each of which has changed."""
        self.config = [{**item, "description": "New"} for item in self.config]
        with patch(
            "homeassistant.config.load_yaml_config_file",
            autospec=True,
            return_value={"automation": self.config},
        ):
            await self.hass.services.async_call("automation", "reload", blocking=True)
        await self.hass.async_block_till_done()

    async def restart(self, *meanwhile: int) -> None:
        """Have the integration and the automations begin anew, as after a restart.

        meanwhile: lines that become what the trigger is about before the first poll.
        """
        assert await self.hass.config_entries.async_unload(self.entry.entry_id)
        await self.reload_automations()
        self.set(self.trigger == "registration_lost", meanwhile)
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.poll(3)

    def entity_id(self, reg_id: int) -> str:
        """Return the ID of a line's binary sensor."""
        entity_id = er.async_get(self.hass).async_get_entity_id(
            "binary_sensor", DOMAIN, f"{self.entry.entry_id}_{reg_id}_registration"
        )
        assert entity_id
        return entity_id

    def label(self, *reg_ids: int) -> None:
        """Put the label on lines."""
        devices = dr.async_get(self.hass)
        for reg_id in reg_ids:
            device = line_device(self.hass, self.entry, reg_id)
            assert device
            devices.async_update_device(device.id, labels={"watched"})

    def rename(self, reg_id: int, name: str) -> None:
        """Give a line's binary sensor another ID."""
        er.async_get(self.hass).async_update_entity(
            self.entity_id(reg_id), new_entity_id=f"binary_sensor.{name}"
        )

    def lines_told(self) -> dict[str, list[int]]:
        """Return of which lines each automation was told."""
        return {
            name: [told["reg_id"] for told in self.told.get(name, [])]
            for behavior in BEHAVIORS
            for name in (f"{behavior} 0", f"{behavior} {LASTS}")
        }


@pytest.fixture
def office(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> Office:
    """Provide an office with two labelled lines and a third one."""
    lr.async_get(hass).async_create("Watched")
    office = Office(hass, portal, entry, poll, wait)
    office.label(MAIN, SALES)
    return office


type Play = Callable[[Office], Awaitable[None]]


async def one_after_the_other(office: Office) -> None:
    """Change two lines, and one that is not labelled."""
    await office.change(MAIN)
    await office.change(SUPPORT)
    await office.change(SALES)


async def at_once(office: Office) -> None:
    """Change both in one poll."""
    await office.change(MAIN, SALES)


async def twice(office: Office) -> None:
    """Change a line, back, and again."""
    await office.change(MAIN)
    await office.undo(MAIN)
    await office.change(MAIN)


async def silent_meanwhile(office: Office) -> None:
    """Change a line while the portal is silent, and another one after that."""
    await office.silence()
    assert state_of(office.hass, office.entity_id(MAIN)) == STATE_UNAVAILABLE
    await office.change(MAIN)
    await office.speak()
    await office.change(SALES)


async def silent_after(office: Office) -> None:
    """Silence the portal after a line changed; then nothing else has changed."""
    await office.change(MAIN)
    await office.silence()
    await office.speak()
    await office.change(SALES)


async def unknown_meanwhile(office: Office) -> None:
    """Have a line be unavailable, then unknown, then what the trigger is about."""
    await office.silence()
    office.portal.lines[MAIN].set("in_progress")
    office.portal.clear_faults()
    await office.poll()
    assert state_of(office.hass, office.entity_id(MAIN)) == STATE_UNKNOWN
    if office.trigger == "registration_restored":
        office.portal.lines[MAIN].recover()
    await office.poll(5)


async def bridged(office: Office) -> None:
    """Have a line be in doubt for less than the grace period."""
    line = office.portal.lines[MAIN]
    status = line.status
    line.set("in_progress")
    await office.poll()
    line.set(status)
    await office.poll(3)


async def reloads(office: Office) -> None:
    """Reload the integration before and after a line changes."""
    await office.reload()
    await office.change(MAIN)
    await office.reload()
    await office.change(SALES)


async def changes_while_reloading(office: Office) -> None:
    """Change a line between an unload and the set-up."""
    assert await office.hass.config_entries.async_unload(office.entry.entry_id)
    office.set(office.trigger == "registration_lost", (MAIN,))
    assert await office.hass.config_entries.async_setup(office.entry.entry_id)
    await office.poll(3)
    await office.change(SALES)


async def automations_reload(office: Office) -> None:
    """Reload the automations before and after a line changes."""
    await office.reload_automations()
    await office.change(MAIN)
    await office.reload_automations()
    await office.poll(3)
    await office.change(SALES)


async def restarts(office: Office) -> None:
    """Restart after a line changed, and change another one."""
    await office.change(MAIN)
    await office.restart()
    await office.change(SALES)


async def changes_while_restarting(office: Office) -> None:
    """Change a line during a restart: nobody knows what it was before."""
    await office.restart(MAIN)
    await office.change(SALES)


async def label_later(office: Office) -> None:
    """Label a line that is what the trigger is about already, then change it."""
    await office.change(SUPPORT)
    office.label(SUPPORT)
    await office.poll(3)
    await office.undo(SUPPORT)
    await office.change(SUPPORT)


async def line_added_later(office: Office) -> None:
    """Add a line that is what the trigger is about already, then change it."""
    lost = office.trigger == "registration_lost"
    office.portal.add_line(WAREHOUSE, "Warehouse")
    office.set(lost, (WAREHOUSE,))
    await office.wait(600)
    office.label(WAREHOUSE)
    assert (state_of(office.hass, office.entity_id(WAREHOUSE)) == STATE_OFF) is lost
    await office.poll(3)
    await office.undo(WAREHOUSE)
    await office.change(WAREHOUSE)


async def removed_and_added(office: Office) -> None:
    """Remove a line that changed from the portal, and add it again as it was."""
    await office.change(MAIN)
    line = office.portal.lines[MAIN]
    office.portal.remove_line(MAIN)
    for _ in range(5):
        await office.wait(600)
    assert line_device(office.hass, office.entry, MAIN) is None
    office.portal.lines[MAIN] = line
    await office.wait(600)
    office.label(MAIN)
    await office.poll(3)
    await office.undo(MAIN)
    await office.change(MAIN)


async def renamed_before(office: Office) -> None:
    """Give an entity another ID, then change it."""
    office.rename(MAIN, "front_desk")
    await office.poll(2)
    await office.change(MAIN)
    for told in office.told.values():
        assert [item["entity_id"] for item in told] == ["binary_sensor.front_desk"]


async def renamed_after(office: Office) -> None:
    """Give an entity another ID while its change has to last."""
    office.set(office.trigger == "registration_lost", (MAIN,))
    await office.poll()
    office.rename(MAIN, "front_desk")
    await office.poll(2)
    await office.change(SALES)


@pytest.mark.parametrize("trigger", ["registration_lost", "registration_restored"])
@pytest.mark.parametrize(
    ("play", "each", "first", "all_"),
    [
        (one_after_the_other, [MAIN, SALES], [MAIN], [SALES]),
        (at_once, [MAIN, SALES], [MAIN], [SALES]),
        (twice, [MAIN, MAIN], [MAIN, MAIN], []),
        (silent_meanwhile, [MAIN, SALES], [MAIN], [SALES]),
        (silent_after, [MAIN, SALES], [MAIN], [SALES]),
        (unknown_meanwhile, [MAIN], [MAIN], []),
        (bridged, [], [], []),
        (reloads, [MAIN, SALES], [MAIN], [SALES]),
        (changes_while_reloading, [MAIN, SALES], [MAIN], [SALES]),
        (automations_reload, [MAIN, SALES], [MAIN], [SALES]),
        (restarts, [MAIN, SALES], [MAIN], [SALES]),
        (changes_while_restarting, [SALES], [], [SALES]),
        (label_later, [SUPPORT], [SUPPORT], []),
        (line_added_later, [WAREHOUSE], [WAREHOUSE], []),
        (removed_and_added, [MAIN, MAIN], [MAIN, MAIN], []),
        (renamed_before, [MAIN], [MAIN], []),
        (renamed_after, [MAIN, SALES], [MAIN], [SALES]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
async def test_situations(
    office: Office,
    trigger: str,
    play: Play,
    each: list[int],
    first: list[int],
    all_: list[int],
) -> None:
    """Each settled change is told once, with and without a time to last."""
    office.trigger = trigger
    await office.undo(MAIN, SALES, SUPPORT)
    await office.automate_each_way({"label_id": "watched"})
    await office.poll(3)
    await play(office)
    expected = dict(zip(BEHAVIORS, (each, first, all_), strict=True))
    for name, lines in office.lines_told().items():
        assert lines == expected[name.split()[0]], name


async def test_fresh_start(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, poll: Poll, wait: Poll
) -> None:
    """An automation that is there before the integration is told what changes later."""
    entity_ids = ["binary_sensor.main_line_registration"]
    office = Office(hass, portal, MockConfigEntry(), poll, wait)
    await office.automate_each_way({"entity_id": entity_ids})
    portal.lines[MAIN].drop()
    office.entry = await set_up(portal)
    await poll(3)
    assert office.told == {}
    await office.undo(MAIN)
    assert office.told == {}
    await office.change(MAIN)
    assert all(lines == [MAIN] for lines in office.lines_told().values())


async def test_details(
    hass: HomeAssistant, office: Office, portal: Portal, poll: Poll, wait: Poll
) -> None:
    """An automation finds line, portal and reason, and how long the line was down."""
    device = line_device(hass, office.entry, MAIN)
    assert device
    devices = dr.async_get(hass)
    devices.async_update_device(device.id, name_by_user="Front desk")
    entity_id = office.entity_id(MAIN)
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
    target = {"entity_id": [office.entity_id(MAIN), office.entity_id(SALES)]}
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
    await office.change(MAIN, SALES)
    (told, later) = (
        {item["reg_id"]: item["downtime"] for item in office.told[name]}
        for name in ("restored", "later")
    )
    registration = hass.states.get(office.entity_id(MAIN))
    assert registration
    seconds = (registration.last_changed - lost_at).total_seconds()
    assert told == later == {MAIN: round(seconds), SALES: None}
    # The next one is the trigger's own again.
    await office.undo(MAIN)
    await office.change(MAIN)
    assert office.told["restored"][-1]["downtime"] == 3 * 61


async def test_an_automation_that_is_turned_off(
    hass: HomeAssistant, office: Office, poll: Poll
) -> None:
    """It is not told of a change that had to last, even if it is turned on again."""
    await office.automate_each_way({"label_id": "watched"})
    office.set(True, (MAIN,))
    await poll()
    for action in ("turn_off", "turn_on"):
        await hass.services.async_call(
            "automation", action, {"entity_id": "all"}, blocking=True
        )
        await poll(3)
    assert office.told.keys() == {"each 0", "first 0"}


async def test_an_error_in_the_details_keeps_no_alarm_back(
    hass: HomeAssistant, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the automation runs without the details."""
    target = {"entity_id": office.entity_id(MAIN)}
    await office.automate(automation("lost", "registration_lost", target))
    with patch(
        "custom_components.bitrix24_sip.settled_trigger.reg_id_of",
        side_effect=RuntimeError,
    ):
        await office.change(MAIN)
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
    for reg_id in (MAIN, SALES):
        device = line_device(hass, office.entry, reg_id)
        assert device
        devices.async_update_device(device.id, area_id=area.id)
    other = entities.async_get_or_create(
        *("binary_sensor", "ping", "1"), original_device_class="connectivity"
    )
    entities.async_update_entity(other.entity_id, area_id=area.id)
    entities.async_update_entity(office.entity_id(MAIN), labels={"main"})
    main = line_device(hass, office.entry, MAIN)
    of_portal = devices.async_get_device_by_identifier(
        (DOMAIN, office.entry.entry_id), office.entry.entry_id
    )
    portal_sensor = entities.async_get_entity_id(
        "binary_sensor", DOMAIN, f"{office.entry.entry_id}_portal"
    )
    assert main
    assert of_portal
    # The portal's own device is in the area, too, and has no line of its own.
    devices.async_update_device(of_portal.id, area_id=area.id)
    targets: dict[str, dict[str, Any]] = {
        "line": {"device_id": main.id},
        "entity": {"entity_id": office.entity_id(MAIN)},
        "label of an entity": {"label_id": "main"},
        "area": {"area_id": area.id},
        "floor": {"floor_id": floor.floor_id},
        "portal": {"device_id": of_portal.id},
        "sensor": {"entity_id": portal_sensor},
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
        office.entity_id(SUPPORT), disabled_by=er.RegistryEntryDisabler.USER
    )
    portal.add_line(WAREHOUSE, "Warehouse")
    await office.wait(600)
    assert hass.states.get(office.entity_id(WAREHOUSE))
    hass.states.async_set(other.entity_id, STATE_ON)
    await hass.async_block_till_done()
    hass.states.async_set(other.entity_id, STATE_OFF)
    await office.change(MAIN, SALES, SUPPORT, WAREHOUSE)
    assert [told["reg_id"] for told in office.told.get("lost", [])] == lines


async def test_an_exclusion(hass: HomeAssistant, office: Office) -> None:
    """A target of Home Assistant 2026.11 can exclude lines, also of a portal's device."""
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, office.entry.entry_id), office.entry.entry_id
    )
    assert device
    target = {"device_id": [device.id], "exclude": {"label_id": ["watched"]}}
    assert async_targeted(hass, target, set(), LINE) == {office.entity_id(SUPPORT)}


async def test_a_line_that_is_enabled_again(
    hass: HomeAssistant, office: Office, disable_line: Any
) -> None:
    """What happened while nobody wanted to know of it is not told."""
    await office.automate_each_way({"label_id": "watched"})
    entity_id = office.entity_id(MAIN)
    entities = er.async_get(hass)
    entities.async_update_entity(entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await office.change(MAIN)
    entities.async_update_entity(entity_id, disabled_by=None)
    await office.reload()
    assert state_of(hass, entity_id) == STATE_OFF
    assert office.told == {}


async def automate_portal(office: Office, **options: Any) -> None:
    """Make an automation for each trigger of a portal."""
    device = dr.async_get(office.hass).async_get_device_by_identifier(
        (DOMAIN, office.entry.entry_id), office.entry.entry_id
    )
    assert device
    target = {"device_id": device.id}
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


async def test_a_portal_at_a_start(office: Office, portal: Portal, poll: Poll) -> None:
    """Neither a reload nor a restart is told, whatever the portal does meanwhile."""
    await automate_portal(office)
    await office.reload()
    await office.restart()
    portal.fault(FAULTS["nginx_502"])
    await poll(4)
    assert len(office.told["portal_unreachable"]) == 1
    await office.reload_automations()
    await poll(4)
    assert len(office.told["portal_unreachable"]) == 1
    assert await office.hass.config_entries.async_unload(office.entry.entry_id)
    portal.clear_faults()
    assert await office.hass.config_entries.async_setup(office.entry.entry_id)
    await poll(3)
    assert len(office.told["portal_reachable"]) == 1


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
    wrong = automation("wrong", trigger, {"entity_id": office.entity_id(MAIN)})
    wrong["triggers"] |= config
    await async_setup_component(hass, "automation", {"automation": wrong})
    await hass.async_block_till_done()
    assert state_of(hass, "automation.wrong") == STATE_UNAVAILABLE


async def test_descriptions(hass: HomeAssistant, office: Office) -> None:
    """The editor has a description, texts and an icon for each trigger, and no more."""
    await office.automate_each_way({"label_id": "watched"})
    descriptions = await async_get_all_descriptions(hass)
    ours = {
        key.removeprefix(f"{DOMAIN}."): description
        for key, description in descriptions.items()
        if key.startswith(DOMAIN)
    }
    assert ours.keys() == (await async_get_triggers(hass)).keys()
    texts = json.loads((TRANSLATIONS / "en.json").read_text("utf-8"))["triggers"]
    icons = json.loads((TRANSLATIONS.parent / "icons.json").read_text("utf-8"))
    assert ours.keys() == texts.keys() == icons["triggers"].keys()
    for key, description in ours.items():
        assert description
        assert description["fields"].keys() == texts[key]["fields"].keys()
        assert description["target"]["entity"][0]["integration"] == DOMAIN


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
