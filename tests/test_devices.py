"""The devices of the portal and of its lines: added, renamed and removed."""

from collections.abc import Awaitable, Callable

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import ErrorReply, Result
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from .conftest import (
    MAIN,
    SALES,
    Poll,
    SetUp,
    line_device,
    make_entry,
    portal_entity,
    state_of,
)

LINES = "voximplant.line.get"
REGISTRATION = "binary_sensor.main_line_registration"


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


async def test_device_attributes(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, snapshot: SnapshotAssertion
) -> None:
    """The attributes of the portal's device and of the lines' devices."""
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


async def test_untitled_line(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """A line whose title is empty is named by its REG_ID."""
    portal.fault(Result({f"reg{MAIN}": ""}), method=LINES)
    await set_up(portal)
    assert state_of(hass, f"binary_sensor.sip_line_{MAIN}_registration") == "on"


async def test_new_line(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A line that is added on the portal appears within ten minutes, with its state."""
    portal.add_line(201010, "Warehouse").drop()
    await wait(601)
    assert state_of(hass, "binary_sensor.warehouse_registration") == "off"


async def test_renamed_line(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A new title renames the device; the entity IDs stay."""
    portal.lines[MAIN].title = "Head office"
    await wait(601)
    device = line_device(hass, entry, MAIN)
    assert device
    assert device.name == "Head office"
    assert state_of(hass, REGISTRATION) == "on"


async def test_lines_with_the_same_title(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll
) -> None:
    """Their names include the REG_ID; a name that the user gave is kept."""
    for reg_id in (MAIN, SALES):
        portal.lines[reg_id].title = "Отдел продаж"
    entry = await set_up(portal)
    main, sales = (line_device(hass, entry, reg_id) for reg_id in (MAIN, SALES))
    assert main
    assert sales
    assert (main.name, sales.name) == (
        f"Отдел продаж ({MAIN})",
        f"Отдел продаж ({SALES})",
    )
    for reg_id in (MAIN, SALES):
        entity_id = f"binary_sensor.otdel_prodazh_{reg_id}_registration"
        assert state_of(hass, entity_id) == "on"
    dr.async_get(hass).async_update_device(main.id, name_by_user="Reception")
    portal.lines[SALES].title = "Склад"
    await wait(601)
    main, sales = (line_device(hass, entry, reg_id) for reg_id in (MAIN, SALES))
    assert main
    assert sales
    assert (main.name, main.name_by_user) == ("Отдел продаж", "Reception")
    assert sales.name == "Склад"


async def test_a_removed_line_returns(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A line that was removed returns with its state."""
    portal.remove_line(SALES)
    for _ in range(4):
        await wait(601)
    assert line_device(hass, entry, SALES) is None
    portal.add_line(SALES, "Sales")
    await wait(601)
    assert state_of(hass, "binary_sensor.sales_registration") == "on"


async def test_an_absent_line_returns(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll, poll: Poll
) -> None:
    """A line that is listed again in time is not removed."""
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
    """Only a list that could be parsed can remove a line."""
    portal.fault(fault, method=LINES)
    for _ in range(3):
        await wait(601)
    assert line_device(hass, entry, SALES)
    assert state_of(hass, REGISTRATION) == "on"


async def test_not_found_alone_removes_nothing(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The portal gives this error for every failure of the telephony provider."""
    for line in portal.lines.values():
        line.unreachable = True
    for _ in range(3):
        await wait(601)
    assert line_device(hass, entry, SALES)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert portal_entity(hass, entry, "portal") == "on"
    assert portal_entity(hass, entry, "lines") == STATE_UNAVAILABLE


async def test_lines_removed_during_a_restart(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """The same rule removes a line that was deleted while Home Assistant did not run."""
    await hass.config_entries.async_unload(entry.entry_id)
    portal.remove_line(SALES)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    for _ in range(2):
        await wait(601)
        assert line_device(hass, entry, SALES)
    await wait(601)
    assert line_device(hass, entry, SALES) is None


async def test_manual_lines(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, wait: Poll, poll: Poll
) -> None:
    """Manually added REG_IDs are monitored beside those found, also if not listed."""
    portal.add_line(201020, "Hidden").listed = False
    entry = await set_up(portal, reg_ids=[201020])
    assert state_of(hass, "binary_sensor.sip_line_201020_registration") == "on"
    portal.remove_line(201020)
    await wait(601)
    await poll(3)
    assert line_device(hass, entry, 201020)


async def test_only_manual_lines(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """Without finding lines, only manually added ones remain, with their titles."""
    hass.config_entries.async_update_entry(
        entry, options={"find_lines": False, "reg_ids": [SALES]}
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert line_device(hass, entry, MAIN) is None
    assert state_of(hass, "binary_sensor.sales_registration") == "on"
    assert hass.states.get(REGISTRATION) is None


async def test_delete_a_device(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    delete_device: Callable[[MockConfigEntry, dr.DeviceEntry], Awaitable[bool]],
) -> None:
    """The device of a line that no longer exists can be deleted.

    Not a line that the portal lists, or that was added manually; not the portal; and not
    a device of another integration or entry that merely looks like a line's.
    """
    portal.add_line(201020, "Hidden").listed = False
    entry = await set_up(portal, reg_ids=[201020])
    devices = dr.async_get(hass)

    def device(domain: str, identifier: str) -> dr.DeviceEntry:
        return devices.async_get_or_create(
            config_entry_id=entry.entry_id, identifiers={(domain, identifier)}
        )

    for reg_id in (MAIN, 201020):
        listed = line_device(hass, entry, reg_id)
        assert listed
        assert not await delete_device(entry, listed)
    top = devices.async_get(entry.runtime_data.portal_device_id)
    assert isinstance(top, dr.DeviceEntry)
    assert not await delete_device(entry, top)
    for domain, identifier in (
        ("other", f"{entry.entry_id}_299998"),
        (DOMAIN, "01OTHERENTRY_299998"),
        (DOMAIN, f"{entry.entry_id}_sales"),
    ):
        assert not await delete_device(entry, device(domain, identifier))
    assert await delete_device(entry, device(DOMAIN, f"{entry.entry_id}_299999"))


async def test_no_entities_of_a_device_elsewhere(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """Setup ignores a device of the entry that is not that of a line."""
    entry = make_entry(portal)
    entry.add_to_hass(hass)
    other = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={("other", "201001")}
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert dr.async_get(hass).async_get(other.id)


async def test_a_device_that_was_deleted_before(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, wait: Poll
) -> None:
    """A line is removed even if its device was deleted before."""
    device = line_device(hass, entry, SALES)
    assert device
    dr.async_get(hass).async_remove_device(device.id)
    portal.remove_line(SALES)
    for _ in range(4):
        await wait(601)
    assert SALES not in entry.runtime_data.data.lines
