"""A client of the simulated portal, without Home Assistant."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import orjson
import pytest

from custom_components.bitrix24_sip.bitrix24 import Bitrix24Client, Telephony, Webhook
from custom_components.bitrix24_sip.bitrix24.client import REQUEST_SECONDS
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
        session, webhook, user_agent="test/1.0", json_loads=orjson.loads
    )


async def call(
    client: Bitrix24Client,
    method: str,
    params: dict[str, Any] | None = None,
    *,
    seconds: float = REQUEST_SECONDS,
) -> Any:
    """Return the result of one method, without a batch around it.

    The portal's documentation and recorded replies are mostly of single methods.
    """
    answer, _ = await client._request(method, params or {}, 1, seconds)
    return answer["result"]


@pytest.fixture
def telephony(client: Bitrix24Client) -> Telephony:
    """Provide the portal's telephony."""
    return Telephony(client)


@pytest.fixture(autouse=True)
def custom_integrations() -> None:
    """Override the fixture of the other tests: Home Assistant is not needed here."""
