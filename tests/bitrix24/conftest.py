"""A client of the simulated portal, without Home Assistant."""

from collections.abc import AsyncGenerator

import aiohttp
import orjson
import pytest

from custom_components.bitrix24_sip.bitrix24 import Bitrix24Client, Telephony, Webhook
from dev.portal import Portal


@pytest.fixture
async def session(socket_enabled: None) -> AsyncGenerator[aiohttp.ClientSession]:
    """Provide a session that keeps no cookies."""
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


@pytest.fixture
def client(session: aiohttp.ClientSession, portal: Portal) -> Bitrix24Client:
    """Provide a client of the portal. It reads JSON as it does in Home Assistant."""
    webhook = Webhook.parse(portal.webhook)
    return Bitrix24Client(
        session,
        webhook,
        user_agent="test/1.0",
        json_loads=orjson.loads,
        json_dumps=orjson.dumps,
    )


@pytest.fixture
def telephony(client: Bitrix24Client) -> Telephony:
    """Provide the portal's telephony."""
    return Telephony(client)


@pytest.fixture(autouse=True)
def custom_integrations() -> None:
    """Do without Home Assistant, which the tests beside this folder start."""
