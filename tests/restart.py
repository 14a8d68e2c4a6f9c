"""A restart of Home Assistant: what it stores when it stops, a second one begins with."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from pytest_homeassistant_custom_component.common import async_test_home_assistant

from homeassistant.bootstrap import async_load_base_functionality
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.restore_state import async_get
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.util.async_ import get_scheduled_timer_handles


async def stop(hass: HomeAssistant) -> None:
    """Stop Home Assistant, which stores its entries, registries and states."""
    # The test's instance stores these only when it is told to.
    async_get(hass).async_setup_dump()
    hass.config_entries._async_schedule_save()
    await hass.async_stop()
    # With the process, the timers would end that nobody has cancelled.
    for timer in get_scheduled_timer_handles(hass.loop):
        timer.cancel()
    # It would keep the next instance from using the same event loop.
    with suppress(AttributeError):
        delattr(hass.loop, "_shutdown_run_callback_threadsafe")


@asynccontextmanager
async def begin_again(config_dir: str) -> AsyncGenerator[HomeAssistant]:
    """Provide a Home Assistant that has read what is stored, and is yet to be started."""
    async with async_test_home_assistant(
        load_registries=False,
        config_dir=config_dir,
        initial_state=CoreState.not_running,
    ) as hass:
        del hass.data[DATA_CUSTOM_COMPONENTS]  # so that it looks for them
        assert await async_load_base_functionality(hass)
        yield hass
        await stop(hass)
