"""The client of the simulated portal, without Home Assistant."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from custom_components.bitrix24_sip.bitrix24 import Bitrix24Client
from custom_components.bitrix24_sip.bitrix24.client import REQUEST_SECONDS


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


@pytest.fixture(autouse=True)
def custom_integrations() -> None:
    """Override the fixture of the other tests: Home Assistant is not needed here."""


@pytest.fixture
async def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stop the clock of the event loop's time limits; return how to advance it."""
    now = asyncio.get_running_loop().time()

    def advance(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    return advance
