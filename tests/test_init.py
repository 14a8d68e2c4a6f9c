"""Set-up, polls, lines that come and go, and what is left when it ends."""

from datetime import timedelta
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
from syrupy.assertion import SnapshotAssertion

from custom_components.bitrix24_sip import PLATFORMS
from custom_components.bitrix24_sip.const import DOMAIN
from custom_components.bitrix24_sip.coordinator import Turn
from dev.portal import Portal
from dev.portal.faults import FAULTS, ErrorReply, Result
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component

from .conftest import (
    MAIN,
    SALES,
    SUPPORT,
    Poll,
    SetUp,
    make_entry,
    portal_entity,
    state_of,
)

STATUS = "voximplant.sip.status"
LINES = "voximplant.line.get"
REGISTRATION = "binary_sensor.main_line_registration"


def line_device(
    hass: HomeAssistant, entry: MockConfigEntry, reg_id: int
) -> dr.DeviceEntry | None:
    """Return a line's device."""
    return dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, f"{entry.entry_id}_{reg_id}"), entry.entry_id
    )


async def set_up_with_lines(
    portal: Portal, set_up: SetUp, lines: int
) -> MockConfigEntry:
    """Set a portal up with so many lines, from "Line 1" with the REG_ID 1 on."""
    portal.lines.clear()
    for reg_id in range(1, lines + 1):
        portal.add_line(reg_id, f"Line {reg_id}")
    return await set_up(portal)


@pytest.mark.parametrize("platform", [str(platform) for platform in PLATFORMS])
async def test_entities(
    hass: HomeAssistant,
    portal: Portal,
    platform: str,
    snapshot: SnapshotAssertion,
    freezer: FrozenDateTimeFactory,
) -> None:
    """What a person sees of each line and of the portal."""
    freezer.move_to("2026-11-01T12:00:00+00:00")
    portal.lines[SALES].drop()
    portal.lines[SUPPORT].set("in_progress", None, None)
    entry = MockConfigEntry(
        domain=DOMAIN,
        entry_id="01JTESTENTRY",
        title="acme.bitrix24.com",
        data=make_entry(portal).data,
    )
    entry.add_to_hass(hass)
    registry = er.async_get(hass)
    registry.async_get_or_create(  # so that it is enabled, as a person would
        "sensor", DOMAIN, "01JTESTENTRY_operating_time", config_entry=entry
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    entities = er.async_entries_for_config_entry(registry, entry.entry_id)
    seen = []
    for entity in sorted(entities, key=lambda entity: entity.entity_id):
        if entity.domain == platform:
            state = hass.states.get(entity.entity_id)
            assert state
            seen.append(
                {
                    "entity_id": entity.entity_id,
                    "unique_id": entity.unique_id,
                    "category": str(entity.entity_category),
                    "state": state.state,
                    "attributes": {str(k): v for k, v in state.attributes.items()},
                }
            )
    assert seen == snapshot


async def test_devices(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """A service device for the portal, and one below it for each line."""
    devices = dr.async_get(hass)
    [top] = [
        device
        for device in dr.async_entries_for_config_entry(devices, entry.entry_id)
        if device.via_device_id is None
    ]
    assert top.name == portal.host
    assert top.configuration_url == f"{portal.url}/telephony/"
    line = line_device(hass, entry, MAIN)
    assert line
    assert line.name == "Main line"
    assert line.via_device_id == top.id
    assert line.serial_number == str(MAIN)
    assert {top.entry_type, line.entry_type} == {dr.DeviceEntryType.SERVICE}


async def test_devices_as_seen(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, snapshot: SnapshotAssertion
) -> None:
    """What a person sees of the portal's device and of the lines'."""
    portal.fault(
        Result({f"reg{MAIN}": "Main line", f"reg{SALES}": ""}),
        method=LINES,
    )
    entry = await set_up(portal)
    hidden = {portal.host: "acme.bitrix24.com", entry.entry_id: "ENTRY"}
    seen = []
    devices = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        text = repr(
            {
                "name": device.name,
                "identifiers": sorted(device.identifiers),
                "manufacturer": device.manufacturer,
                "model": device.model,
                "serial_number": device.serial_number,
                "entry_type": str(device.entry_type),
                "configuration_url": device.configuration_url,
                "below_the_portal": device.via_device_id is not None,
            }
        )
        for value, name in hidden.items():
            text = text.replace(value, name)
        seen.append(text)
    assert sorted(seen) == snapshot


async def test_passwords_are_never_asked_for(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The method that answers SIP passwords is not used."""
    await poll(20)
    asked = {name for request in portal.requests for _, name, _ in request.commands}
    assert asked == {STATUS, LINES, CONNECTOR}


async def test_unique_ids_hold_nothing_that_can_be_renamed(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """Entry id, REG_ID and key make an entity what it is."""
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert entities
    for entity in entities:
        assert entity.unique_id.startswith(f"{entry.entry_id}_")
        rest = entity.unique_id.removeprefix(f"{entry.entry_id}_")
        assert rest.removeprefix(f"{MAIN}_").replace("_", "").isalnum()
        assert portal.host not in entity.unique_id


async def test_untitled_line(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """A line whose title is empty is named by its REG_ID."""
    portal.fault(Result({f"reg{MAIN}": ""}), method=LINES)
    await set_up(portal)
    assert state_of(hass, f"binary_sensor.sip_line_{MAIN}_registration") == "on"


async def test_change_of_state(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """Each of the four statuses, and what it means for the line and the portal."""
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, "sensor.main_line_status") == "success"
    assert portal_entity(hass, entry, "lines") == "off"
    assert portal_entity(hass, entry, "registered_lines") == "3"
    portal.lines[MAIN].drop(403, "Forbidden")
    await poll()
    assert state_of(hass, REGISTRATION) == "off"
    assert state_of(hass, "sensor.main_line_status") == "error"
    assert state_of(hass, "sensor.main_line_status_code") == "403"
    assert state_of(hass, "sensor.main_line_error_message") == "Forbidden"
    assert portal_entity(hass, entry, "lines") == "on"
    assert portal_entity(hass, entry, "registered_lines") == "2"
    assert portal_entity(hass, entry, "failed_lines") == "1"
    portal.lines[MAIN].recover()
    await poll()
    assert state_of(hass, REGISTRATION) == "on"
    for status in ("in_progress", "wait"):
        portal.lines[MAIN].set(status)
        await poll()
        assert state_of(hass, "sensor.main_line_status") == status
        assert state_of(hass, REGISTRATION) == "on"
    await poll()
    assert state_of(hass, REGISTRATION) == "off"


async def test_status_of_the_future(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """A word that is not documented is not known, and never counts as registered."""
    portal.lines[MAIN].set("resting", 299)
    await poll()
    assert state_of(hass, "sensor.main_line_status") == STATE_UNKNOWN
    assert state_of(hass, "sensor.main_line_status_code") == "299"
    await poll(2)
    assert state_of(hass, REGISTRATION) == "off"


async def test_in_progress_at_the_start(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """A restart during a registration raises no alarm before the grace time is over."""
    portal.lines[MAIN].set("in_progress")
    await set_up(portal)
    assert state_of(hass, REGISTRATION) == STATE_UNKNOWN
    await wait(121)
    assert state_of(hass, REGISTRATION) == "off"


async def test_grace_time_ends_between_polls(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """The end of the grace time shows when it comes, not when the next poll comes."""
    await set_up(portal, scan_interval=600, grace_period=60)
    portal.lines[MAIN].unreachable = True
    await wait(601)
    assert state_of(hass, REGISTRATION) == "on"
    requests = len(portal.requests)
    await wait(30)
    assert state_of(hass, REGISTRATION) == "on"
    await wait(31)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert state_of(hass, "sensor.main_line_status") == STATE_UNAVAILABLE
    assert state_of(hass, "binary_sensor.sales_registration") == "on"
    assert len(portal.requests) == requests
    portal.lines[MAIN].unreachable = False
    await wait(600)
    assert state_of(hass, REGISTRATION) == "on"


async def test_portal_down_and_line_down_are_two_things(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The portal's sensor tells a failed poll at once; the lines are bridged."""
    fault = portal.fault(FAULTS["nginx_502"])
    await poll()
    assert portal_entity(hass, entry, "portal") == "off"
    assert state_of(hass, REGISTRATION) == "on"
    await poll(2)
    assert portal_entity(hass, entry, "portal") == "off"
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert portal_entity(hass, entry, "lines") == STATE_UNAVAILABLE
    assert portal_entity(hass, entry, "registered_lines") == STATE_UNAVAILABLE
    fault.clear()
    await poll()
    assert portal_entity(hass, entry, "portal") == "on"
    assert state_of(hass, REGISTRATION) == "on"


async def test_one_warning_and_one_info(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An outage is told when it begins and when it ends, not once a poll."""
    caplog.clear()
    fault = portal.fault(FAULTS["nginx_502"])
    await poll(5)
    fault.clear()
    await poll(2)
    told = [
        (r.levelno, r.getMessage())
        for r in caplog.records
        if r.name.startswith("custom_components") and r.levelno >= logging.INFO
    ]
    assert told == [
        (
            logging.WARNING,
            (
                f"{portal.host}: polling fails: the portal has an internal problem "
                "(HTTP 502)"
            ),
        ),
        (logging.INFO, f"Fetching {portal.host} data recovered"),
    ]


async def test_one_warning_and_one_info_for_a_line(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So is a line for which the portal has no status."""
    caplog.clear()
    portal.lines[SALES].unreachable = True
    await poll(4)
    portal.lines[SALES].unreachable = False
    await poll(2)
    told = [
        (r.levelno, r.getMessage())
        for r in caplog.records
        if r.name.startswith("custom_components") and r.levelno >= logging.INFO
    ]
    assert told == [
        (
            logging.WARNING,
            (
                f"{portal.host}: no status for {SALES}: the portal has no status for "
                "this registration (REG_ID_NOT_FOUND)"
            ),
        ),
        (logging.INFO, f"{portal.host}: status known again for {SALES}"),
    ]


async def test_new_lines_come(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A line that is added on the portal is there within ten minutes, with its state."""
    portal.add_line(201010, "Warehouse").drop()
    await wait(601)
    assert state_of(hass, "binary_sensor.warehouse_registration") == "off"


async def test_lines_are_renamed(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A new title renames the device; the entities stay what they are."""
    portal.lines[MAIN].title = "Head office"
    await wait(601)
    device = line_device(hass, entry, MAIN)
    assert device
    assert device.name == "Head office"
    assert state_of(hass, REGISTRATION) == "on"


async def test_vanished_lines_go(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll, poll: Poll
) -> None:
    """A line goes when the portal's list lacks it twice, with all that is of it."""
    portal.remove_line(SALES)
    await wait(601)
    assert line_device(hass, entry, SALES)
    await poll()
    assert line_device(hass, entry, SALES) is None
    assert hass.states.get("binary_sensor.sales_registration") is None
    assert portal_entity(hass, entry, "registered_lines") == "2"
    portal.add_line(SALES, "Sales")
    await wait(601)
    assert state_of(hass, "binary_sensor.sales_registration") == "on"


async def test_a_line_that_is_back_in_time_stays(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll, poll: Poll
) -> None:
    """Lacking once, a line is looked for again; being there once clears that."""
    for _ in range(3):
        portal.lines[SALES].listed = False
        await wait(601)
        portal.lines[SALES].listed = True
        await poll()
    assert line_device(hass, entry, SALES)


@pytest.mark.parametrize(
    "fault", [Result(None), Result("x"), ErrorReply("ERROR_CORE", "", 500)]
)
async def test_a_list_that_cannot_be_read_removes_nothing(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    fault: ErrorReply | Result,
) -> None:
    """Only a list that was read tells that a line is gone."""
    portal.fault(fault, method=LINES)
    for _ in range(3):
        await wait(601)
    assert line_device(hass, entry, SALES)
    assert state_of(hass, REGISTRATION) == "on"


async def test_not_found_alone_removes_nothing(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The portal says so for every failure of the telephony provider."""
    for line in portal.lines.values():
        line.unreachable = True
    for _ in range(3):
        await wait(601)
    assert line_device(hass, entry, SALES)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert portal_entity(hass, entry, "portal") == "on"
    assert portal_entity(hass, entry, "lines") == STATE_UNAVAILABLE


async def test_lines_that_went_while_away(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """After a restart a line that is gone goes by the same rule."""
    await hass.config_entries.async_unload(entry.entry_id)
    portal.remove_line(SALES)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert line_device(hass, entry, SALES)
    await poll()
    assert line_device(hass, entry, SALES) is None


async def test_a_late_list_at_the_start(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """After a restart the lines are there even if the list is not."""
    await hass.config_entries.async_unload(entry.entry_id)
    portal.fault(ErrorReply("ERROR_CORE", "", 500), method=LINES)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, REGISTRATION) == "on"


async def test_typed_lines(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll, poll: Poll
) -> None:
    """REG_IDs typed in are monitored beside those found, and stay when not listed."""
    portal.add_line(201020, "Hidden").listed = False
    entry = await set_up(portal, reg_ids=[201020])
    assert state_of(hass, "binary_sensor.sip_line_201020_registration") == "on"
    portal.remove_line(201020)
    await wait(601)
    await poll(3)
    assert line_device(hass, entry, 201020)


async def test_only_typed_lines(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """Without finding lines, only those typed in are left, with the portal's titles."""
    hass.config_entries.async_update_entry(
        entry, options={"find_lines": False, "reg_ids": [SALES]}
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert line_device(hass, entry, MAIN) is None
    assert state_of(hass, "binary_sensor.sales_registration") == "on"
    assert hass.states.get(REGISTRATION) is None


async def test_disabled_lines_are_not_polled(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """A line whose entities are all disabled costs nothing, even at the next start."""
    registry = er.async_get(hass)
    device = line_device(hass, entry, SALES)
    assert device
    for entity in er.async_entries_for_device(registry, device.id):
        registry.async_update_entity(
            entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.requests.clear()
    await poll()
    assert asked(portal) == [MAIN, SUPPORT]
    assert portal_entity(hass, entry, "registered_lines") == "2"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.requests.clear()
    await poll()
    assert asked(portal) == [MAIN, SUPPORT]


def asked(portal: Portal) -> list[int]:
    """Return the REG_IDs that the portal was asked for."""
    return [
        int(params["REG_ID"])
        for request in portal.requests
        for _, method, params in request.commands
        if method == STATUS
    ]


async def test_all_lines_disabled(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """Whether the portal answers is still known when no line is polled."""
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        if not entity.unique_id.startswith(f"{entry.entry_id}_2"):
            continue
        registry.async_update_entity(
            entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.requests.clear()
    await poll()
    assert asked(portal) == []
    assert len(portal.requests) == 1
    assert portal_entity(hass, entry, "portal") == "on"


async def test_a_poll_is_one_request(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, poll: Poll
) -> None:
    """One poll of 50 lines is one HTTP request, and nothing runs in parallel."""
    for at in range(47):
        portal.add_line(300000 + at, f"Line {at}")
    await set_up(portal)
    portal.requests.clear()
    await poll()
    [request] = portal.requests
    assert request.method == "batch"
    assert len(request.commands) == 50
    assert portal.max_concurrent == 1


async def test_what_is_asked_when(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """In an hour: the statuses 60 times, the list every 10 minutes, the connector once."""
    before = {m: portal.commands(m) for m in (STATUS, LINES, CONNECTOR)}
    requests = len(portal.requests)
    await poll(59)
    assert portal.commands(STATUS) - before[STATUS] == 59 * 3
    assert portal.commands(LINES) - before[LINES] == 5
    assert portal.commands(CONNECTOR) - before[CONNECTOR] == 1
    assert len(portal.requests) - requests == 59


@pytest.mark.parametrize(
    ("lines", "requests", "seconds"),
    [
        pytest.param(1, 60, 60 * 0.15, id="one"),
        pytest.param(10, 60, 60 * 10 * 0.15, id="ten"),
        # For the list, six times, and the connector, once, there is no room in the batch.
        pytest.param(50, 67, 60 * 50 * 0.15, id="fifty"),
    ],
)
async def test_what_an_hour_costs(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    poll: Poll,
    lines: int,
    requests: int,
    seconds: float,
) -> None:
    """An hour of requests and of the portal's server time, when nothing happens."""
    await set_up_with_lines(portal, set_up, lines)
    before = len(portal.requests), portal.commands(STATUS)
    await poll(60)
    assert len(portal.requests) - before[0] == requests
    used = (portal.commands(STATUS) - before[1]) * portal.operating_cost[STATUS]
    assert used == pytest.approx(seconds)


async def test_many_lines_stay_within_the_limit(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """300 lines, asked every minute, would be over the limit: they are asked less often."""
    entry = await set_up_with_lines(portal, set_up, 300)
    most = 0.0
    for _ in range(60):
        await wait(61)
        most = max(most, portal.operating(STATUS))
        assert portal_entity(hass, entry, "portal") == "on"
    assert 210 < most <= 0.75 * 420
    assert state_of(hass, "binary_sensor.line_300_registration") == "on"


CONNECTOR = "voximplant.sip.connector.status"


async def test_connector_does_not_matter(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """Without an answer for the connector the lines are known all the same."""
    portal.connector.fails = True
    entry = await set_up(portal)
    assert state_of(hass, REGISTRATION) == "on"
    assert portal_entity(hass, entry, "connector_paid") == STATE_UNAVAILABLE
    assert portal_entity(hass, entry, "free_minutes") == STATE_UNAVAILABLE
    portal.connector.fails = False
    await wait(601)
    assert portal_entity(hass, entry, "connector_paid") == "on"
    assert portal_entity(hass, entry, "free_minutes") == "0"


async def test_nothing_changed_nothing_written(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """A poll in which nothing changed writes no state at all."""
    written: list[Event[Any]] = []

    @callback
    def write_down(event: Event[Any]) -> None:
        written.append(event)

    hass.bus.async_listen("state_changed", write_down)
    hass.bus.async_listen(
        "state_reported", write_down, event_filter=callback(lambda _: True)
    )
    await poll(3)
    assert written == []
    portal.lines[MAIN].drop()
    await poll()
    assert {event.data["entity_id"] for event in written} >= {REGISTRATION}
    assert not any("sales" in event.data["entity_id"] for event in written)


async def test_a_line_is_shown_whatever_another_listener_does(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A listener that fails is logged, and keeps nothing from the others."""

    @callback
    def fail() -> None:
        raise RuntimeError("no")

    coordinator = entry.runtime_data
    remove = [
        coordinator.async_add_listener(fail, (Turn.LINE_STATUS_CODE, reg_id))
        for reg_id in (MAIN, 7)
    ]
    portal.lines[MAIN].drop()
    portal.lines[SALES].drop()
    await poll()
    assert caplog.text.count(f"Unexpected error updating line {MAIN}") == 1
    for name in ("main_line", "sales"):
        assert state_of(hass, f"binary_sensor.{name}_registration") == "off"
    for remove_one in remove:
        remove_one()
    caplog.clear()
    portal.lines[MAIN].recover()
    await poll()
    assert "Unexpected" not in caplog.text
    assert state_of(hass, REGISTRATION) == "on"


async def test_recovery_is_seen_soon(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> None:
    """While a line is down, that line alone is asked for every 15 seconds."""
    portal.lines[MAIN].drop()
    await poll()
    portal.requests.clear()
    await wait(16)
    assert asked(portal) == [MAIN]
    portal.lines[MAIN].recover()
    await wait(16)
    assert state_of(hass, REGISTRATION) == "on"
    portal.requests.clear()
    await wait(16)
    assert asked(portal) == []
    await wait(16)
    assert sorted(asked(portal)) == [MAIN, SALES, SUPPORT]


async def test_recovery_is_not_awaited_at_any_cost(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A line that stays down costs at most a fifth more than the usual polls."""
    portal.lines[MAIN].drop()
    asked_usually = 60 * 3
    more = []
    for _ in range(2):
        before = portal.commands(STATUS)
        for _ in range(3600 // 15):
            await wait(15)
        more.append((portal.commands(STATUS) - before) / asked_usually)
    assert 1.1 < more[0] <= 1.2 + 3 / asked_usually
    assert more[1] == 1.0, "after the first half hour the usual polls are enough"


async def test_a_line_that_is_long_down_takes_nothing_from_others(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A number that nobody uses any more may fail for ever: others are still awaited."""
    portal.lines[MAIN].drop()
    for _ in range(2 * 3600 // 15):
        await wait(15)
    portal.lines[SALES].drop()
    while state_of(hass, "binary_sensor.sales_registration") == "on":
        await wait(15)
    portal.requests.clear()
    await wait(15)
    assert asked(portal) == [SALES]


async def test_a_line_that_fails_again_is_awaited_again(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> None:
    """Each failure has its own half hour."""
    portal.lines[MAIN].drop()
    await poll(45)
    portal.lines[MAIN].recover()
    await poll()
    assert state_of(hass, REGISTRATION) == "on"
    portal.lines[MAIN].drop()
    await poll()
    portal.requests.clear()
    await wait(16)
    assert asked(portal) == [MAIN]


async def test_a_line_that_nobody_watches_is_not_awaited(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> None:
    """Whose entities are all disabled while it is down is not asked for again."""
    portal.lines[MAIN].drop()
    await poll()
    registry = er.async_get(hass)
    device = line_device(hass, entry, MAIN)
    assert device
    for entity in er.async_entries_for_device(registry, device.id):
        registry.async_update_entity(
            entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )
    await hass.async_block_till_done(wait_background_tasks=True)
    portal.requests.clear()
    await wait(16)
    assert sorted(asked(portal)) == [SALES, SUPPORT]


async def test_lines_that_fail_together_are_back_together(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, poll: Poll, wait: Poll
) -> None:
    """Some of them are asked soon, in turn; when one is back, the others at once."""
    await set_up_with_lines(portal, set_up, 10)
    for line in portal.lines.values():
        line.drop()
    await poll()
    assert state_of(hass, "binary_sensor.line_10_registration") == "off"
    turns = []
    for _ in range(3):
        portal.requests.clear()
        await wait(15)
        turns.append(asked(portal))
    assert all(1 <= len(turn) <= 4 for turn in turns)
    assert not set(turns[0]) & set(turns[1])
    await wait(15)  # the usual poll
    for line in list(portal.lines.values())[1:]:
        line.recover()
    portal.requests.clear()
    await wait(15)
    assert len(portal.requests) == 2
    assert sorted(asked(portal)) == list(range(1, 11)), "and none of them twice"
    for reg_id in range(1, 11):
        shown = state_of(hass, f"binary_sensor.line_{reg_id}_registration")
        assert shown == ("off" if reg_id == 1 else "on")


async def test_lines_that_fail_together_cost_no_more(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """All of the lines down and back, again and again: an hour's bound holds."""
    await set_up_with_lines(portal, set_up, 10)
    before = portal.commands(STATUS)
    for minute in range(60):
        for line in portal.lines.values():
            line.drop() if minute % 4 < 2 else line.recover()
        for _ in range(4):
            await wait(15)
    assert 600 * 1.15 < portal.commands(STATUS) - before <= 600 * 1.2 + 10


async def test_a_refresh_on_request_asks_for_all(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """Whoever asks for an update gets one of all lines."""
    assert await async_setup_component(hass, "homeassistant", {})
    portal.lines[MAIN].drop()
    await poll()
    portal.requests.clear()
    await hass.services.async_call(
        "homeassistant", "update_entity", {"entity_id": REGISTRATION}, blocking=True
    )
    assert sorted(asked(portal)) == [MAIN, SALES, SUPPORT]


async def test_polls_slow_down(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> None:
    """Near the limit of operating time polls are rarer, before the portal refuses."""
    portal.operating_limit = 420.0
    portal.operating_cost[STATUS] = 30.0  # with a poll a minute, twice the limit
    portal.requests.clear()
    used = 0.0
    for _ in range(240):
        await wait(15)
        used = max(used, portal.operating(STATUS))
    assert not entry.runtime_data.telephony.client.statistics.errors
    assert 250 < used < 420
    assert len(asked(portal)) > 3 * 15


@pytest.mark.parametrize(
    ("slug", "seconds"),
    [
        ("query_limit", 60),
        ("operation_time", 60),
        ("retry_after", 300),
        ("maintenance", 600),
        ("missing_scope", 900),
        ("missing_permission", 900),
        ("plan_webhook", 3600),
        ("unknown_method", 3600),
        ("nginx_504", 15),
        ("html_200", 60),
    ],
)
async def test_when_it_asks_again(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    wait: Poll,
    slug: str,
    seconds: int,
) -> None:
    """After a fault: soon, at the usual interval, as the portal says, or slowly."""
    fault = portal.fault(FAULTS[slug])
    await poll()
    fault.clear()
    requests = len(portal.requests)
    await wait(seconds - 2)
    assert len(portal.requests) == requests
    await wait(4)
    assert len(portal.requests) > requests
    assert portal_entity(hass, entry, "portal") == "on"
    assert state_of(hass, REGISTRATION) == "on"


async def test_common_limit_inside_a_batch(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The limit of operating time strikes single commands; the poll waits all the same."""
    portal.operating_cost[STATUS] = 200.0
    await poll()
    portal.operating_limit = 100.0
    entry.runtime_data.telephony.client.operating.clear()
    await entry.runtime_data.async_refresh()
    assert portal_entity(hass, entry, "portal") == "off"
    assert entry.runtime_data.last_exception.retry_after == 60


async def test_a_failed_command_fails_its_line(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The other lines are up to date."""
    portal.fault(ErrorReply("ERROR_CORE", "", 500), method=STATUS, reg_id=MAIN)
    portal.lines[SALES].drop()
    await poll()
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, "binary_sensor.sales_registration") == "off"
    await poll(2)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert state_of(hass, "binary_sensor.support_registration") == "on"


async def test_a_portal_that_is_down_at_the_start(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """Set-up waits and tries again by itself."""
    fault = portal.fault(FAULTS["nginx_503"])
    entry = await set_up(portal)
    assert entry.state.value == "setup_retry"
    assert entry.reason
    assert entry.reason.startswith(f"{portal.host} has an internal problem (HTTP 503)")
    fault.clear()
    await wait(10)
    assert entry.state is ConfigEntryState.LOADED
    assert state_of(hass, REGISTRATION) == "on"


async def test_a_dead_webhook_at_the_start(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """Set-up asks for a new one."""
    portal.revoke()
    entry = await set_up(portal)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == SOURCE_REAUTH


async def test_a_webhook_that_dies(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll, wait: Poll
) -> None:
    """The lines are not known at once; polling stops, and a new webhook is asked for."""
    portal.revoke()
    await poll()
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert portal_entity(hass, entry, "connector_paid") == STATE_UNAVAILABLE
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == SOURCE_REAUTH
    requests = len(portal.requests)
    await wait(3601)
    assert len(portal.requests) == requests


async def test_a_fault_that_becomes_lasting(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """What somebody has to mend shows at once, even during an outage."""
    fault = portal.fault(FAULTS["nginx_502"])
    await poll()
    assert state_of(hass, REGISTRATION) == "on"
    fault.clear()
    portal.deleted = True
    await poll()
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE


async def test_unload_and_reload(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """Unloaded, it asks nothing; loaded again, all is as it was."""
    before = hass.states.async_entity_ids()
    assert await hass.config_entries.async_unload(entry.entry_id)
    requests = len(portal.requests)
    await poll(3)
    assert len(portal.requests) == requests
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.states.async_entity_ids() == before
    assert state_of(hass, REGISTRATION) == "on"


async def test_unload_during_a_grace_time(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """The look at the end of a grace time ends with the entry."""
    portal.fault(FAULTS["nginx_502"])
    await poll()
    assert await hass.config_entries.async_unload(entry.entry_id)
    await poll(3)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE


async def test_remove(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """Removed, it leaves nothing behind."""
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert not er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert hass.states.get(REGISTRATION) is None


async def test_several_portals(
    hass: HomeAssistant, portal: Portal, other_portal: Portal, set_up: SetUp, poll: Poll
) -> None:
    """Two portals with the same REG_ID stand side by side."""
    first, second = await set_up(portal), await set_up(other_portal)
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, "binary_sensor.reception_registration") == "on"
    other_portal.lines[MAIN].drop()
    await poll()
    assert state_of(hass, REGISTRATION) == "on"
    assert state_of(hass, "binary_sensor.reception_registration") == "off"
    await hass.config_entries.async_remove(second.entry_id)
    await poll()
    assert first.state is ConfigEntryState.LOADED
    assert state_of(hass, REGISTRATION) == "on"


async def test_delete_a_device_by_hand(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
    wait: Poll,
) -> None:
    """A line's device can be deleted where the portal no longer has the line."""
    assert await async_setup_component(hass, "config", {})
    client = await hass_ws_client(hass)
    gone = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, f"{entry.entry_id}_299999")},
    )
    for device, deletable in (
        (line_device(hass, entry, MAIN), False),
        (dr.async_get(hass).async_get(entry.runtime_data.portal_device_id), False),
        (gone, True),
    ):
        assert device
        await client.send_json_auto_id(
            {
                "type": "config/device_registry/remove_config_entry",
                "config_entry_id": entry.entry_id,
                "device_id": device.id,
            }
        )
        assert (await client.receive_json())["success"] is deletable


async def test_no_entities_of_a_device_elsewhere(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """A device of the entry that is no line's is left alone at the start."""
    entry = make_entry(portal)
    entry.add_to_hass(hass)
    other = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={("other", "201001")}
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert dr.async_get(hass).async_get(other.id)


async def test_a_device_deleted_behind_its_back(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll, poll: Poll
) -> None:
    """A line that is gone goes even if its device went before."""
    device = line_device(hass, entry, SALES)
    assert device
    dr.async_get(hass).async_remove_device(device.id)
    portal.remove_line(SALES)
    await wait(601)
    await poll()
    assert SALES not in entry.runtime_data.data.lines


async def test_self_hosted_portal(
    hass: HomeAssistant, set_up: SetUp, poll: Poll, socket_enabled: None
) -> None:
    """A portal with an older REST API behind a path: it reports no operating time."""
    async with Portal(
        time_flavour="legacy", status_flavour="olddocs", prefix="/portal"
    ) as portal:
        portal.add_line(MAIN, "Main line")
        entry = await set_up(portal)
        assert entry.runtime_data.data.operating_time is None
        portal.lines[MAIN].drop()
        await poll()
        assert state_of(hass, REGISTRATION) == "off"
        portal.scopes.clear()
        await poll()
        assert entry.runtime_data.last_exception.translation_key == "missing_scope"


async def test_a_lost_batch_is_sorted_out_soon(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll, poll: Poll
) -> None:
    """The lines of a lost batch are asked one by one 15 seconds later."""
    for at in range(57):
        portal.add_line(300000 + at, f"Line {at}")
    entry = await set_up(portal)
    portal.fault(FAULTS["nginx_504"], times=1)
    await poll()
    assert portal_entity(hass, entry, "portal") == "on"
    assert portal_entity(hass, entry, "registered_lines") == "60"
    portal.requests.clear()
    await wait(16)
    assert len(portal.requests) == 1 + 50
    portal.requests.clear()
    await poll()
    assert len(portal.requests) == 2


async def test_newer_minor_version(
    hass: HomeAssistant, portal: Portal, freezer: FrozenDateTimeFactory
) -> None:
    """After a downgrade within version 1 the entry is good as it is."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        version=1,
        minor_version=9,
        data=dict(make_entry(portal).data),
        title="acme",
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)


async def test_newer_entry(hass: HomeAssistant, portal: Portal) -> None:
    """An entry of a newer version is refused, and stays as it is."""
    entry = MockConfigEntry(
        domain=DOMAIN, version=2, data=dict(make_entry(portal).data), title="acme"
    )
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert not portal.requests


async def test_timestamps(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A time without a zone is UTC, whatever the zone of Home Assistant and its clock."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    portal.lines[MAIN].last_updated = "2026-10-25 01:30:00"
    await poll()
    assert (
        state_of(hass, "sensor.main_line_last_updated") == "2026-10-25T01:30:00+00:00"
    )
    freezer.tick(timedelta(days=400))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (
        state_of(hass, "sensor.main_line_last_updated") == "2026-10-25T01:30:00+00:00"
    )
