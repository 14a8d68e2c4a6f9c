"""The simulated portal: a real web server that keeps the rules of Bitrix24's REST API.

It behaves as Bitrix24's documentation and the source of its self-hosted product say:
paths and parameters, PHP's arrays, error envelopes with their statuses, batches, `time`
blocks, the leaky bucket, and operating time. It knows neither the integration nor Home
Assistant. `portal.fault(...)` makes it fail in any way in which a portal, or what lies
between, can fail.
"""

import asyncio
import ssl
from typing import Any, Self

from aiohttp import web

from . import php
from .calls import answer, parse_commands
from .fault_replies import json_response, reply
from .faults import Hold, Rewrite, Slow
from .methods import METHODS
from .state import PortalState, Request

_HTML_504 = "<html><head><title>504 Gateway Time-out</title></head></html>"


class Portal(PortalState):
    """One portal, and the server that answers for it."""

    methods = METHODS
    _runner: web.AppRunner | None = None
    _concurrent = 0

    async def __aenter__(self) -> Self:
        """Start on a free port of this machine."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def start(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Listen."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=ssl_context)
        await site.start()
        port = self._runner.addresses[0][1]
        self.secure = ssl_context is not None
        self.host = f"{host}:{port}"
        self.url = f"{'https' if self.secure else 'http'}://{self.host}"

    async def stop(self) -> None:
        """Stop at once, whatever hangs."""
        self.stopping.set()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, and count how many are under way."""
        self._concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self._concurrent)
        try:
            return await self._respond(request)
        finally:
            self._concurrent -= 1

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, unless a fault answers it."""
        body = await request.read()
        user, code, method = self._parse_path(request.path)
        params = _params(request, body)
        self._record(request, method, params, len(body))
        if self.moved_to:
            location = f"{self.moved_to}{request.path}"
            return web.Response(status=302, headers={"Location": location})
        reg_id = php.reg_id(params) if method != "batch" else None
        rewrites: list[Rewrite] = []
        for active in list(self.active_faults):
            if not active.applies(method, reg_id):
                continue
            match active.fault:
                case Rewrite():
                    rewrites.append(active.fault)
                case Slow(seconds):
                    await self.sleep(seconds)
                case Hold(released):
                    await released.wait()
                case fault:
                    return await reply(self, request, fault)
        try:
            payload, status = await asyncio.wait_for(
                answer(self, user, code, method, params), self.cut_after
            )
        except TimeoutError:
            return web.Response(status=504, text=_HTML_504, content_type="text/html")
        data = php.encode(payload)
        for rewrite in rewrites:
            data = rewrite.fn(data)
        return json_response(data, status)

    def _record(
        self, request: web.Request, method: str, params: dict[str, Any], size: int
    ) -> None:
        """Keep a request, and count its commands."""
        commands = parse_commands(method, params)
        self.requests.append(
            Request(
                method, commands, request.method, request.headers, size, self.clock()
            )
        )
        for _, name, _ in commands:
            self.command_counts[name] += 1

    def _parse_path(self, path: str) -> tuple[str, str, str]:
        """Return user, code and method of a path; "" for what it lacks."""
        rest = path.removeprefix(self.prefix)
        parts = [part for part in rest.split("/") if part]
        if not parts or parts[0] != "rest":
            return "", "", ""
        parts = parts[1:]
        if len(parts) == 2:  # a webhook without a method is routed to index.php
            parts.append("index.php")
        if len(parts) == 1:
            parts = ["", "", parts[0]]
        if len(parts) != 3:
            return "", "", ""
        name = parts[2]
        head, _, tail = name.rpartition(".")
        if tail.lower() in ("json", "xml") and head:
            name = head
        return parts[0], parts[1], name.lower()


def _params(request: web.Request, body: bytes) -> dict[str, Any]:
    """Return the parameters of a request: those of the body over those of the query."""
    params = php.parse_query(request.query_string)
    if request.method == "POST" and body:
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
        params |= php.parse_body(body, kind)
    return params
