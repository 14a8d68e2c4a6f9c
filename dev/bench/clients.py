"""One poll by this client, and by the alternatives."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
import os
from pathlib import Path
import ssl
import tempfile
import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import trustme

from custom_components.bitrix24_sip.bitrix24 import (
    Bitrix24Client,
    SipRegistration,
    Telephony,
    Webhook,
)

from .measure import peak_memory, processor_seconds
from .portal_process import FIRST_REG_ID, Portals

METHOD = "voximplant.sip.status"
LIMIT = 50  # commands of a batch
SIZES = (1, 10, 50, 500)  # lines
# The number of polls per sample: a single one may be too short to be measured.
POLLS_OF_A_SAMPLE = {1: 20, 10: 10, 50: 4, 500: 1}
DELAY_MS = 150.0


class Variant(ABC):
    """A client that polls all lines of a portal."""

    secure = False

    def __init__(
        self, session: aiohttp.ClientSession, webhook: str, reg_ids: Sequence[int]
    ) -> None:
        """Set the session, the portal's webhook, and the lines."""
        self.session, self.webhook, self.reg_ids = session, webhook, reg_ids
        self.prepare()

    def prepare(self) -> None:  # noqa: B027
        """Create what lasts from poll to poll; most clients need nothing."""

    @abstractmethod
    async def poll(self) -> int:
        """Poll, and return the number of lines with an answer."""

    def chunks(self) -> list[Sequence[int]]:
        """Return the lines in chunks of the size of a batch."""
        return [
            self.reg_ids[at : at + LIMIT] for at in range(0, len(self.reg_ids), LIMIT)
        ]


class Ours(Variant):
    """The project's client, including parsing into dataclasses."""

    def prepare(self) -> None:
        """Make the client."""
        client = Bitrix24Client(
            self.session, Webhook.parse(self.webhook), json_loads=orjson.loads
        )
        self._telephony = Telephony(client)

    async def poll(self) -> int:
        """Poll as the integration does."""
        # 500 lines at 150 ms a command take longer than a minute.
        answers = await self._telephony.poll(self.reg_ids, seconds=300)
        return sum(
            isinstance(answer, SipRegistration)
            for answer in answers.registrations.values()
        )


class Floor(Variant):
    """The lower bound: the same batches over aiohttp and orjson, and nothing else."""

    async def poll(self) -> int:
        """Send one batch after the other."""
        answered = 0
        for chunk in self.chunks():
            body = {
                "halt": 0,
                "cmd": {f"s{reg_id}": f"{METHOD}?REG_ID={reg_id}" for reg_id in chunk},
            }
            async with self.session.post(
                f"{self.webhook}batch",
                data=orjson.dumps(body),
                headers={"Content-Type": "application/json"},
            ) as response:
                answer = orjson.loads(await response.read())
            answered += len(answer["result"]["result"])
        return answered


class Single(Variant):
    """One request per REG_ID, one after the other: the obvious way."""

    async def poll(self) -> int:
        """Send a request for each line."""
        answered = 0
        for reg_id in self.reg_ids:
            async with self.session.post(
                f"{self.webhook}{METHOD}", json={"REG_ID": reg_id}
            ) as response:
                answered += "result" in await response.json()
        return answered


class FastBatch(Variant):
    """`fast_bitrix24`: `call_batch`, as often as there are batches."""

    def prepare(self) -> None:
        """Create the client, on a session of ours, which saves a connection per poll."""
        from fast_bitrix24 import BitrixAsync  # noqa: PLC0415

        self._bitrix = BitrixAsync(self.webhook, verbose=False, client=self.session)

    async def poll(self) -> int:
        """Ask."""
        answered = 0
        for chunk in self.chunks():
            answers = await self._bitrix.call_batch(
                {
                    "halt": 0,
                    "cmd": {
                        f"s{reg_id}": f"{METHOD}?REG_ID={reg_id}" for reg_id in chunk
                    },
                }
            )
            answered += len(answers)
        return answered


class FastList(FastBatch):
    """`fast_bitrix24`: `call` with a list, which makes batches by itself."""

    async def poll(self) -> int:
        """Ask."""
        items = [{"REG_ID": reg_id} for reg_id in self.reg_ids]
        return len(await self._bitrix.call(METHOD, items))


class Sdk(Variant):
    """`b24pysdk`: its batches. It supports https only, and blocks while it waits."""

    secure = True

    def prepare(self) -> None:
        """Make the token."""
        from b24pysdk import BitrixWebhook  # noqa: PLC0415

        parts = urlsplit(self.webhook)
        self._token = BitrixWebhook(
            domain=parts.netloc, webhook_token=parts.path.removeprefix("/rest/")[:-1]
        )

    async def poll(self) -> int:
        """Ask."""
        methods = {f"s{r}": (METHOD, {"REG_ID": r}) for r in self.reg_ids}
        answer = self._token.call_batches(methods=methods, timeout=120)
        return len(answer["result"]["result"])


class OursSecure(Ours):
    """The project's client over https, for comparison with `b24pysdk`."""

    secure = True


class FloorSecure(Floor):
    """The floor over https."""

    secure = True


VARIANTS: dict[str, type[Variant]] = {
    "ours": Ours,
    "floor": Floor,
    "fast_batch": FastBatch,
    "fast_list": FastList,
    "single": Single,
    "ours_https": OursSecure,
    "floor_https": FloorSecure,
    "sdk_https": Sdk,
}


@asynccontextmanager
async def variants(
    lines: int, folder: Path, delay_ms: float = 0.0, *, counting: bool = False
) -> AsyncGenerator[tuple[dict[str, Variant], dict[str, Portals]]]:
    """Provide all variants for a number of lines, and the portals "plain" and "secure"."""
    authority, certificate = folder / "authority.pem", folder / "server.pem"
    reg_ids = range(FIRST_REG_ID, FIRST_REG_ID + lines)
    async with AsyncExitStack() as stack:
        portals = {
            "plain": Portals(lines=lines, delay_ms=delay_ms, counting=counting),
            "secure": Portals(
                lines=lines,
                delay_ms=delay_ms,
                counting=counting,
                certificate=str(certificate),
            ),
        }
        for portal in portals.values():
            await stack.enter_async_context(portal)
        made = {}
        for name, variant in VARIANTS.items():
            session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(
                        ssl=ssl.create_default_context(cafile=authority)
                    ),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    # As in Home Assistant's own sessions.
                    json_serialize=lambda body: orjson.dumps(body).decode(),
                )
            )
            portal = portals["secure" if variant.secure else "plain"]
            made[name] = variant(session, portal.webhooks[0], reg_ids)
        yield made, portals


def make_certificate(folder: Path) -> None:
    """Create a certificate for loopback, which the `requests` package trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    server = authority.issue_cert("127.0.0.1")
    server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    os.environ["REQUESTS_CA_BUNDLE"] = str(folder / "authority.pem")


def _act(variant: Variant) -> Callable[[], Awaitable[object]]:
    """Return a poll that fails unless every line has an answer."""

    async def act() -> None:
        answered = await variant.poll()
        assert answered == len(variant.reg_ids), type(variant).__name__

    return act


async def _processor(
    lines: int, folder: Path, repetitions: int
) -> dict[str, list[float]]:
    """Measure all variants in turn, so that other load on the machine affects all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    async with variants(lines, folder) as (made, _):
        for repetition in range(repetitions + 1):
            for name, variant in made.items():
                # The state that a client keeps must not grow meanwhile.
                variant.prepare()
                act = _act(variant)
                await act()
                used = await processor_seconds(act, POLLS_OF_A_SAMPLE[lines])
                if repetition:  # the first poll differs: connections, caches
                    seconds[name].append(used)
    return seconds


async def _counts(lines: int, folder: Path) -> dict[str, dict[str, int]]:
    """Count requests and bytes of the second poll, on an existing connection."""
    counts = {}
    async with variants(lines, folder, counting=True) as (made, portals):
        for name, variant in made.items():
            portal = portals["secure" if variant.secure else "plain"]
            await _act(variant)()
            before = await portal.do("counts")
            await _act(variant)()
            after = await portal.do("counts")
            counts[name] = {key: after[key] - before[key] for key in after}
    return counts


async def _memory(lines: int, folder: Path) -> dict[str, int]:
    async with variants(lines, folder) as (made, _):
        return {name: await peak_memory(_act(v)) for name, v in made.items()}


async def _wall(
    lines: int, folder: Path, delay_ms: float, repetitions: int
) -> dict[str, list[float]]:
    """Measure how long polls take. With a delay all run in parallel, on their own portals.

    The variant that blocks runs in a thread.
    """
    seconds: dict[str, list[float]] = {}

    async def measure(name: str, variant: Variant) -> None:
        for _ in range(repetitions):
            variant.prepare()
            began = time.perf_counter()
            if isinstance(variant, Sdk):
                await asyncio.to_thread(asyncio.run, variant.poll())
            else:
                await _act(variant)()
            seconds.setdefault(name, []).append(time.perf_counter() - began)

    async with variants(lines, folder, delay_ms) as (made, _):
        if delay_ms:
            await asyncio.gather(*(measure(n, v) for n, v in made.items()))
        else:
            for name, variant in made.items():
                await _act(variant)()
                await measure(name, variant)
    return seconds


async def measure_clients(*, quick: bool) -> dict[str, Any]:
    """Return all figures, by number of lines."""
    sizes = SIZES[:2] if quick else SIZES
    repetitions = 3 if quick else 25
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_certificate(folder)
        figures: dict[str, Any] = {"repetitions": repetitions}
        for lines in sizes:
            figures[str(lines)] = {
                "processor": await _processor(lines, folder, repetitions),
                "counts": await _counts(lines, folder),
                "memory": await _memory(lines, folder),
                "wall": await _wall(lines, folder, 0.0, 1 if quick else 20),
            }
        slow = await asyncio.gather(
            *(_wall(lines, folder, DELAY_MS, 1) for lines in sizes)
        )
        for lines, seconds in zip(sizes, slow, strict=True):
            figures[str(lines)]["wall_delayed"] = seconds
    return figures
