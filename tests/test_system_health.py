"""The section of the system information page."""

from pytest_homeassistant_custom_component.common import get_system_health_info

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .conftest import MAIN, Poll, SetUp


async def test_figures(
    hass: HomeAssistant, portal: Portal, other_portal: Portal, set_up: SetUp, poll: Poll
) -> None:
    """The figures are portals, lines, and the operating time that is left."""
    assert await async_setup_component(hass, "system_health", {})
    portal.lines[MAIN].drop()
    await set_up(portal)
    await set_up(other_portal)
    other_portal.fault(FAULTS["nginx_502"])
    await poll()
    assert await get_system_health_info(hass, DOMAIN) == {
        "portals": 2,
        "portals_reachable": 1,
        "lines_monitored": 4,
        "lines_failing": 1,
        "operating_time_left": "419 s",
    }


async def test_without_a_portal(hass: HomeAssistant) -> None:
    """The page works when no portal is set up."""
    assert await async_setup_component(hass, "system_health", {})
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()
    assert (await get_system_health_info(hass, DOMAIN))["portals"] == 0
