"""What automations read at the moment at which they are triggered.

Home Assistant runs an automation's first steps while it writes the state that triggered
it. So what a message about a change reads must have been written before.
"""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

from .conftest import MAIN, SALES, Poll

DETAILS = {
    "status": "sensor.main_line_status",
    "problem": "sensor.main_line_problem",
    "code": "sensor.main_line_status_code",
    "message": "sensor.main_line_error_message",
}
# These are disabled by default.
pytestmark = pytest.mark.usefixtures("entity_registry_enabled_by_default")
REGISTRATION = "binary_sensor.main_line_registration"
OTHER_REGISTRATION = "binary_sensor.sales_registration"
EVENT = "event.main_line_registration_change"


async def automate(hass: HomeAssistant, trigger: str, *read: str) -> list[Any]:
    """Create an automation that reads entities when another changes; return its events."""
    automation = {
        "triggers": {"trigger": "state", "entity_id": trigger},
        "actions": {
            "event": "read",
            "event_data": {
                "read": [f"{{{{ states('{entity}') }}}}" for entity in read]
            },
        },
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    return async_capture_events(hass, "read")


@pytest.mark.parametrize(
    "trigger", [REGISTRATION, EVENT, DETAILS["status"], DETAILS["problem"]]
)
@pytest.mark.parametrize("renamed", [False, True])
async def test_the_reason_is_written_first(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    trigger: str,
    renamed: bool,
) -> None:
    """The reason is up to date in every trigger, also if its entity was renamed."""
    read = [DETAILS[key] for key in ("problem", "code", "message")]
    if renamed:
        registry = er.async_get(hass)
        for entity in read:
            registry.async_update_entity(entity, new_entity_id=f"{entity}_2")
        await hass.async_block_till_done()
        read = [f"{entity}_2" for entity in read]
        trigger = f"{trigger}_2" if trigger == DETAILS["problem"] else trigger
    events = await automate(hass, trigger, *read)
    portal.lines[MAIN].drop(403, "Forbidden")
    await poll()
    down = ["forbidden", 403, "Forbidden"]
    assert [event.data["read"] for event in events] == [down]
    portal.lines[MAIN].recover()
    await poll()
    assert [event.data["read"] for event in events[1:]] == [["none", 200, ""]]


def portal_entity_id(
    hass: HomeAssistant, entry: MockConfigEntry, platform: str, key: str
) -> str:
    """Return the ID of an entity of the portal."""
    entity_id = er.async_get(hass).async_get_entity_id(
        platform, DOMAIN, f"{entry.entry_id}_{key}"
    )
    assert entity_id
    return entity_id


async def test_the_event_fires_last(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, poll: Poll
) -> None:
    """An automation of the event reads current states of all lines and the portal."""
    read = (
        DETAILS["status"],
        REGISTRATION,
        OTHER_REGISTRATION,
        portal_entity_id(hass, entry, "sensor", "failed_lines"),
        portal_entity_id(hass, entry, "binary_sensor", "lines"),
    )
    events = await automate(hass, EVENT, *read)
    portal.lines[MAIN].drop()
    portal.lines[SALES].drop()
    await poll()
    assert [event.data["read"] for event in events] == [
        ["error", "off", "off", 2, "on"]
    ]


@pytest.mark.parametrize(
    ("platform", "key"),
    [
        ("sensor", "registered_lines"),
        ("sensor", "failed_lines"),
        ("binary_sensor", "lines"),
    ],
)
async def test_the_portal_is_written_after_its_lines(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    platform: str,
    key: str,
) -> None:
    """An automation of the portal's sensors reads current states of its lines."""
    read = (REGISTRATION, OTHER_REGISTRATION, DETAILS["message"])
    events = await automate(hass, portal_entity_id(hass, entry, platform, key), *read)
    portal.lines[MAIN].drop(403, "Forbidden")
    portal.lines[SALES].drop()
    await poll()
    assert [event.data["read"] for event in events] == [["off", "off", "Forbidden"]]


@pytest.mark.parametrize(
    "trigger", [REGISTRATION, DETAILS["status"], DETAILS["problem"]]
)
async def test_a_line_that_is_down_during_setup(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    trigger: str,
) -> None:
    """The reason is also up to date for automations that a reload triggers."""
    portal.lines[MAIN].drop(403, "Forbidden")
    await poll()
    assert await hass.config_entries.async_unload(entry.entry_id)
    read = (DETAILS[key] for key in ("problem", "code", "message"))
    events = await automate(hass, trigger, *read)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    down = ["forbidden", 403, "Forbidden"]
    assert [event.data["read"] for event in events] == [down]
