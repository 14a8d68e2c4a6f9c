"""A client of a portal over a session of Home Assistant's."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp

from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_create_clientsession
from homeassistant.loader import async_get_integration
from homeassistant.util.json import json_loads

from .bitrix24 import Bitrix24Client, Telephony, Webhook
from .const import DOMAIN


async def async_create_client(
    hass: HomeAssistant, webhook: Webhook, verify_ssl: bool
) -> Bitrix24Client:
    """Return a client for a config entry that is being set up; it ends with the entry."""
    return await _async_client(hass, webhook, _session(hass, verify_ssl))


@asynccontextmanager
async def async_open_telephony(
    hass: HomeAssistant, webhook: Webhook, verify_ssl: bool
) -> AsyncGenerator[Telephony]:
    """Provide the telephony of a portal for as long as a step of a flow needs it."""
    session = _session(hass, verify_ssl, auto_cleanup=False)
    try:
        yield Telephony(await _async_client(hass, webhook, session))
    finally:
        session.detach()


def _session(
    hass: HomeAssistant, verify_ssl: bool, *, auto_cleanup: bool = True
) -> aiohttp.ClientSession:
    """Return a session that keeps no cookies: a portal sets them even on a webhook."""
    return async_create_clientsession(
        hass, verify_ssl, auto_cleanup, cookie_jar=aiohttp.DummyCookieJar()
    )


async def _async_client(
    hass: HomeAssistant, webhook: Webhook, session: aiohttp.ClientSession
) -> Bitrix24Client:
    integration = await async_get_integration(hass, DOMAIN)
    user_agent = f"HomeAssistant-Bitrix24SIP/{integration.version}"
    # The session writes JSON by Home Assistant's own means; answers are read with a
    # limit of their size, so their reader is handed in.
    return Bitrix24Client(
        session, webhook, user_agent=user_agent, json_loads=json_loads
    )
