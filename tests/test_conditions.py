"""The conditions, as automations use them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.bitrix24_sip.condition import async_get_conditions
from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    label_registry as lr,
)
from homeassistant.helpers.condition import async_get_all_descriptions
from homeassistant.setup import async_setup_component

from .conftest import MAIN, SALES, SUPPORT, Poll, check_descriptions, line_device

# Which automations run: by condition, behavior and time that it has been so.
NAMES = [
    f"{condition} {behavior} {minutes}"
    for condition in ("is_registered", "is_not_registered")
    for behavior in ("any", "all")
    for minutes in (0, 5)
]

type Hold = Callable[[], Awaitable[set[str]]]


@pytest.fixture
async def hold(hass: HomeAssistant, entry: MockConfigEntry) -> Hold:
    """Return a function that returns which conditions hold for two labelled lines."""
    lr.async_get(hass).async_create("Watched")
    for reg_id in (MAIN, SALES):
        device = line_device(hass, entry, reg_id)
        assert device
        dr.async_get(hass).async_update_device(device.id, labels={"watched"})
    return await holding(hass, {"label_id": "watched"})


async def holding(hass: HomeAssistant, target: dict[str, Any]) -> Hold:
    """Make automations that run if a condition holds."""
    automations = []
    for name in NAMES:
        condition, behavior, minutes = name.split()
        options: dict[str, Any] = {"behavior": behavior}
        if minutes != "0":
            options["for"] = {"minutes": int(minutes)}
        automations.append(
            {
                "alias": name,
                "triggers": {"trigger": "event", "event_type": "now"},
                "conditions": {
                    "condition": f"{DOMAIN}.{condition}",
                    "target": target,
                    "options": options,
                },
                "actions": {"event": "held", "event_data": {"name": name}},
            }
        )
    assert await async_setup_component(hass, "automation", {"automation": automations})
    await hass.async_block_till_done()
    held = async_capture_events(hass, "held")

    async def hold() -> set[str]:
        held.clear()
        hass.bus.async_fire("now")
        await hass.async_block_till_done()
        return {event.data["name"] for event in held}

    return hold


def names(condition: str, *ways: str) -> set[str]:
    """Return names of automations."""
    return {f"{condition} {way}" for way in ways}


async def test_registered_and_not(
    hold: Hold, portal: Portal, poll: Poll, wait: Poll
) -> None:
    """A condition holds if it is known to: for any line or all of them, for long."""
    assert await hold() == names("is_registered", "any 0", "all 0")
    await wait(301)
    both = names("is_registered", "any 0", "all 0", "any 5", "all 5")
    assert await hold() == both
    portal.lines[MAIN].drop()
    await poll()
    one = names("is_registered", "any 0", "any 5")
    assert await hold() == one | names("is_not_registered", "any 0")
    await poll(5)
    assert await hold() == one | names("is_not_registered", "any 0", "any 5")
    portal.lines[SALES].drop()
    await poll()
    down = names("is_not_registered", "any 0", "any 5", "all 0")
    assert await hold() == down
    await poll(5)
    assert await hold() == down | names("is_not_registered", "all 5")


async def test_what_is_not_known_is_neither(
    hold: Hold, portal: Portal, poll: Poll
) -> None:
    """A line that is not known is not counted as registered, and not as lost."""
    portal.remove_line(MAIN)  # no status for it, and not long enough gone to be removed
    await poll(6)
    assert await hold() == names("is_registered", "any 0", "any 5")
    portal.fault(FAULTS["nginx_502"])
    await poll(6)
    assert await hold() == set()


@pytest.mark.parametrize("target", ["binary_sensor.gone", "sensor.main_line_status"])
async def test_nothing_holds_for_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, target: str
) -> None:
    """Where a target has no line, nothing is known to be so."""
    hold = await holding(hass, {"entity_id": target})
    assert await hold() == set()


async def test_what_a_target_means_later(
    hass: HomeAssistant, entry: MockConfigEntry, hold: Hold, portal: Portal, poll: Poll
) -> None:
    """A renamed line and one that is labelled later count, a disabled one does not."""
    entities, support = er.async_get(hass), line_device(hass, entry, SUPPORT)
    assert support
    entities.async_update_entity(
        "binary_sensor.main_line_registration", new_entity_id="binary_sensor.desk"
    )
    portal.lines[MAIN].drop()
    portal.lines[SUPPORT].drop()
    await poll()
    one = names("is_registered", "any 0") | names("is_not_registered", "any 0")
    assert await hold() == one
    portal.lines[SALES].drop()
    await poll()
    portal.lines[SUPPORT].recover()
    await poll()
    none = names("is_not_registered", "any 0", "all 0")
    assert await hold() == none
    dr.async_get(hass).async_update_device(support.id, labels={"watched"})
    assert await hold() == one
    assert await hass.config_entries.async_reload(entry.entry_id)
    await poll()
    assert await hold() == one
    entities.async_update_entity(
        "binary_sensor.support_registration", disabled_by=er.RegistryEntryDisabler.USER
    )
    assert await hold() == none


async def test_descriptions(hass: HomeAssistant, hold: Hold) -> None:
    """The editor has a description, texts and an icon for each, and no more."""
    descriptions = await async_get_all_descriptions(hass)
    check_descriptions("conditions", descriptions, await async_get_conditions(hass))
