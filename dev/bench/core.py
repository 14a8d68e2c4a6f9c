"""A real Home Assistant core in this process, without integrations."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import os
from pathlib import Path
import sys
import tempfile
from types import MappingProxyType
from typing import Any, cast

from aiohttp import ThreadedResolver

from custom_components.bitrix24_sip.const import DOMAIN
from dev.hass import make_manifest
from homeassistant import loader
from homeassistant.bootstrap import async_load_base_functionality
from homeassistant.config_entries import ConfigEntries, ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_VERIFY_SSL
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.aiohttp_client import DATA_RESOLVER
from homeassistant.helpers.recorder import async_initialize_recorder, get_instance
from homeassistant.setup import async_setup_component

DATABASE = "history.db"
OURS, USUAL = DOMAIN, "usual_sip"


@asynccontextmanager
async def home_assistant(*, recorder: bool = False) -> AsyncGenerator[HomeAssistant]:
    """Provide a Home Assistant that runs, with this project's custom integrations.

    recorder: with history, in the file `DATABASE` of its configuration.
    """
    # `custom_components` is a namespace: it may have parts in several places.
    here = os.path.dirname(__file__)  # noqa: PTH120
    if here not in sys.path:
        sys.path.append(here)
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        hass.config.skip_pip = True
        hass.config_entries = ConfigEntries(hass, {})
        loader.async_setup(hass)
        custom = await loader.async_get_custom_components(hass)
        custom[USUAL] = _usual_pattern(hass)
        await async_load_base_functionality(hass)
        hass.set_state(CoreState.running)
        # The default resolver would listen for mDNS names, which loopback does not need.
        hass.data[DATA_RESOLVER] = ThreadedResolver()  # type: ignore[misc]
        if recorder:
            async_initialize_recorder(hass)
            config = {"db_url": f"sqlite:///{hass.config.path(DATABASE)}"}
            assert await async_setup_component(hass, "recorder", {"recorder": config})
            await get_instance(hass).async_db_ready
        # Work that is the same for every integration is not measured.
        for platform in ("binary_sensor", "event", "sensor"):
            assert await async_setup_component(hass, platform, {})
        try:
            yield hass
        finally:
            await hass.async_stop(force=True)


def _usual_pattern(hass: HomeAssistant) -> loader.Integration:
    """Return the integration that ours is compared with."""
    package = f"custom_components.{USUAL}"
    path = Path(__file__).parent / "custom_components" / USUAL
    manifest = cast("loader.Manifest", make_manifest(USUAL))
    files = {file.name for file in path.iterdir()}
    return loader.Integration(hass, package, path, manifest, files)


def make_entry(
    domain: str, webhook: str, *, polls: bool = False, **options: Any
) -> ConfigEntry:
    """Return a config entry for a portal. polls: by itself, instead of on request only."""
    return ConfigEntry(
        data={"webhook": webhook, CONF_VERIFY_SSL: True},
        disabled_by=None,
        discovery_keys=MappingProxyType({}),
        domain=domain,
        minor_version=1,
        options=options,
        pref_disable_polling=not polls,
        source="user",
        subentries_data=None,
        title="127.0.0.1",
        unique_id=webhook,
        version=1,
    )


async def set_up(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Add an entry, and set it up."""
    await hass.config_entries.async_add(entry)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED, entry.reason
