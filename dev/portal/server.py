"""The simulated portal: a real web server that keeps the rules of Bitrix24's REST API.

What it does is what Bitrix24's documentation and the source of its self-hosted product
say: paths and parameters, PHP's arrays, error envelopes with their statuses, batches,
`time` blocks, the leaky bucket, and operating time. It knows neither the integration
nor Home Assistant. `portal.fault(...)` makes it fail in any way that a portal or what
lies between can fail.
"""

import argparse
import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
import html
import json
import re
import ssl
import time
from typing import Any, Final, Self
from urllib.parse import parse_qsl

from aiohttp import web

from .faults import (
    Body,
    Cut,
    Endless,
    ErrorReply,
    Fault,
    Hang,
    Hold,
    Huge,
    NotHttp,
    Redirect,
    Result,
    Rewrite,
    Slow,
    Truncated,
)

DEFAULT_CODE: Final = "q7w8e9r0t1y2u3i4"
MISSING: Final = object()  # a field that the answer lacks
MAX_COMMANDS: Final = 50
BUCKETS: Final = 10  # of a minute each: operating time is summed over them
BOOKED_FROM: Final = 0.1  # seconds; shorter calls cost no operating time
SCOPE: Final = "telephony"
_MOSCOW: Final = timezone(timedelta(hours=3))
_HTML_503: Final = (
    "<html><head><title>503 Service Temporarily Unavailable</title></head></html>"
)
_HTML_504: Final = "<html><head><title>504 Gateway Time-out</title></head></html>"

# HTTP status by error: what the server sends, and where older documentation differs.
_OLD_STATUSES: Final = {
    "INVALID_CREDENTIALS": 403,
    "insufficient_scope": 403,
    "PLAN": 403,
    "OVERLOAD_LIMIT": 503,
    "INVALID_REQUEST": 400,
    "PORTAL_DELETED": 500,
}


class PortalError(Exception):
    """An error that the portal answers."""

    def __init__(self, code: str, description: str, status: int) -> None:
        """Take what the envelope says."""
        super().__init__(code)
        self.code, self.description, self.status = code, description, status


@dataclass(slots=True)
class Line:
    """A Cloud PBX line, and what the telephony provider knows of its registration."""

    reg_id: int
    title: str = ""
    owner: str = "ui"  # "ui", "webhook" or "app"
    status: str = "success"
    code: int | None = 200
    message: str | None = ""
    last_updated: str | None = "2026-09-10 00:26:40"
    listed: bool = True
    delay: float = 0.0  # real seconds that the provider takes to answer
    unreachable: bool = False  # the provider does not answer for this line
    raw: dict[str, Any] = field(
        default_factory=dict
    )  # fields of the answer as they are
    stored_code: int | None = 0
    stored_message: str = ""

    def set(
        self, status: str, code: int | None = None, message: str | None = ""
    ) -> None:
        """Change what the provider says, and when it changed."""
        self.status, self.code, self.message = status, code, message
        self.last_updated = datetime.fromtimestamp(time.time(), UTC).strftime(
            "%Y-%m-%d %H:%M:%S"
        )

    def drop(self, code: int = 403, message: str = "Forbidden") -> None:
        """Lose the registration."""
        self.set("error", code, message)

    def recover(self) -> None:
        """Be registered again."""
        self.set("success", 200)

    @property
    def config_id(self) -> int:
        """The number of the line's settings, another one than its REG_ID."""
        return self.reg_id % 1000 + 2


@dataclass(slots=True)
class Connector:
    """The paid option without which lines stop working."""

    paid: Any = True
    free_minutes: Any = 0
    paid_until: str | None = "2027-12-31T03:00:00+03:00"
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. commands: key, method and parameters; one for a call."""

    method: str
    commands: list[tuple[str, str, dict[str, Any]]]
    verb: str
    headers: Mapping[str, str]
    size: int
    at: float


@dataclass(slots=True)
class FaultHandle:
    """A fault that is switched on."""

    fault: Fault
    method: str | None
    reg_id: int | None
    times: int | None
    skip: int
    hits: int = 0
    on_clear: Callable[[FaultHandle], None] = lambda _: None

    def clear(self) -> None:
        """Switch it off."""
        self.on_clear(self)

    def strikes(self, method: str, reg_id: int | None) -> bool:
        """Return whether it strikes now."""
        if self.method not in (None, method):
            return False
        if self.reg_id is not None and self.reg_id != reg_id:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Portal:
    """One portal. Attributes are switches: change them at any time."""

    def __init__(
        self,
        *,
        user_id: int = 1,
        code: str = DEFAULT_CODE,
        prefix: str = "",
        time_flavour: str = "cloud2026",
        status_flavour: str = "server",
        rate: tuple[float, float] | None = None,
        operating_limit: float | None = 480.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Make a portal; `start` it to have it answer.

        rate: what the leaky bucket drains a second, and its size; clock: unix seconds.
        """
        self.user_id, self.code, self.prefix = user_id, code, prefix
        self.time_flavour, self.status_flavour = time_flavour, status_flavour
        self.rate, self.operating_limit = rate, operating_limit
        self.clock: Callable[[], float] = clock or self._now
        self.lines: dict[int, Line] = {}
        self.office_lines: dict[int, str] = {}
        self.numbers: dict[str, str] = {}
        self.connector = Connector()
        self.scopes = {SCOPE, "user_brief"}
        self.permitted = self.plan = self.owner_active = True
        self.telephony_installed = self.allow_http = True
        self.deleted = self.overloaded = self.empty_profile = False
        self.code_is_valid = True
        self.moved_to: str | None = None
        self.cut_after = 60.0
        self.command_delay = 0.0
        self.operating_cost = {
            "voximplant.sip.status": 0.15,
            "voximplant.sip.connector.status": 0.11,
        }
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.notifications: list[tuple[int, int]] = []
        self.refused = 0  # calls, for their operating time
        self.max_concurrent = 0
        self.url = self.host = ""
        self._concurrent = 0
        self._counts: dict[str, int] = defaultdict(int)
        self._buckets: dict[str, dict[int, float]] = defaultdict(dict)
        self._level, self._level_at = 0.0, 0.0
        self._faults: list[FaultHandle] = []
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        self._secure = False
        self._methods: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "profile": self._profile,
            "scope": self._scope,
            "methods": self._list_methods,
            "method.get": self._method_get,
            "server.time": self._server_time,
            "app.info": self._app_info,
            "voximplant.line.get": self._line_get,
            "voximplant.sip.get": self._sip_get,
            "voximplant.sip.status": self._sip_status,
            "voximplant.sip.connector.status": self._connector_status,
        }

    @staticmethod
    def _now() -> float:
        """Return the time of day, which a test may have frozen."""
        return time.time()

    # --- what a test does with it ---

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
        self._secure = ssl_context is not None
        self.host = f"{host}:{port}"
        self.url = f"{'https' if self._secure else 'http'}://{self.host}"

    async def stop(self) -> None:
        """Stop at once, whatever hangs."""
        self._stopping.set()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    @property
    def webhook(self) -> str:
        """The inbound webhook, with a slash at its end."""
        return f"{self.url}{self.prefix}/rest/{self.user_id}/{self.code}/"

    def add_line(
        self,
        reg_id: int,
        title: str = "",
        *,
        owner: str = "ui",
        status: str = "success",
        code: int | None = 200,
        message: str | None = "",
    ) -> Line:
        """Add a Cloud PBX line."""
        line = Line(reg_id, title, owner, status, code, message)
        self.lines[reg_id] = line
        return line

    def remove_line(self, reg_id: int) -> None:
        """Remove a line: from the list, and from the provider."""
        del self.lines[reg_id]

    def revoke(self) -> None:
        """Delete the webhook; `new_webhook` makes another."""
        self.code_is_valid = False

    def new_webhook(self) -> str:
        """Make a new webhook in place of the old one, and return it."""
        self.code = self.code[::-1] if self.code != self.code[::-1] else f"{self.code}x"
        self.code_is_valid = True
        return self.webhook

    def commands(self, method: str) -> int:
        """Return how many times a method was asked, singly and in batches."""
        return self._counts[method]

    def fault(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        reg_id: int | None = None,
        times: int | None = None,
        skip: int = 0,
    ) -> FaultHandle:
        """Switch a fault on: for every request, or for one method or line.

        An `ErrorReply` or a `Result` for a method strikes its commands in a batch, too;
        `times`: so often; `skip`: not the first so many.
        """
        handle = FaultHandle(fault, method, reg_id, times, skip)
        handle.on_clear = lambda h: (
            self._faults.remove(h) if h in self._faults else None
        )
        self._faults.append(handle)
        return handle

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._faults.clear()

    def operating(self, method: str) -> float:
        """Return the operating time of a method in the last ten minutes, in seconds."""
        now = int(self.clock() // 60)
        buckets = self._buckets[method]
        for minute in [m for m in buckets if m <= now - BUCKETS]:
            del buckets[minute]
        return sum(buckets.values())

    # --- one request ---

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, unless a fault answers it."""
        self._concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self._concurrent)
        try:
            return await self._routed(request)
        finally:
            self._concurrent -= 1

    async def _routed(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        user, code, method = self._path(request.path)
        params = self._params(request, body)
        commands = self._commands(method, params)
        self.requests.append(
            Request(
                method,
                commands,
                request.method,
                request.headers,
                len(body),
                self.clock(),
            )
        )
        for _, name, _ in commands:
            self._counts[name] += 1
        if self.moved_to:
            location = f"{self.moved_to}{request.path}"
            return web.Response(status=302, headers={"Location": location})
        reg_id = _reg_id(params) if method != "batch" else None
        rewrites: list[Rewrite] = []
        for handle in list(self._faults):
            if not handle.strikes(method, reg_id):
                continue
            if isinstance(handle.fault, Rewrite):
                rewrites.append(handle.fault)
                continue
            if isinstance(handle.fault, Slow):
                await self._sleep(handle.fault.seconds)
                continue
            if isinstance(handle.fault, Hold):
                await handle.fault.released.wait()
                continue
            return await self._faulty(request, handle.fault)
        try:
            payload, status = await asyncio.wait_for(
                self._answer(user, code, method, params), self.cut_after
            )
        except TimeoutError:
            return web.Response(status=504, text=_HTML_504, content_type="text/html")
        data = encode(payload)
        for rewrite in rewrites:
            data = rewrite.fn(data)
        return self._json(data, status)

    def _path(self, path: str) -> tuple[str, str, str]:
        """Return user, code and method of a path; "" for what it has not."""
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

    @staticmethod
    def _params(request: web.Request, body: bytes) -> dict[str, Any]:
        """Return the parameters: body over query. Broken JSON counts as none at all."""
        params: dict[str, Any] = php_query(request.query_string)
        if request.method != "POST" or not body:
            return params
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind == "application/json":
            try:
                posted = json.loads(body)
            except ValueError:
                posted = None
            if isinstance(posted, list):
                posted = {str(at): value for at, value in enumerate(posted)}
            if isinstance(posted, dict):
                params |= posted
        else:
            params |= php_query(body.decode("utf-8", "replace"))
        return params

    @staticmethod
    def _commands(
        method: str, params: dict[str, Any]
    ) -> list[tuple[str, str, dict[str, Any]]]:
        """Return key, method and parameters of what a request asks."""
        if method != "batch":
            return [("", method, params)]
        cmd = _upper(params).get("CMD")
        if isinstance(cmd, list):
            cmd = {str(at): value for at, value in enumerate(cmd)}
        if not isinstance(cmd, dict):
            return []
        commands = []
        for key, command in cmd.items():
            if isinstance(command, str):
                name, _, query = command.partition("?")
                commands.append((key, name.lower(), php_query(query)))
        return commands

    async def _answer(
        self, user: str, code: str, method: str, params: dict[str, Any]
    ) -> tuple[dict[str, Any], int]:
        """Return the body and the status of an answer."""
        began = self.clock()
        try:
            self._check_rate()
            if method == "batch":
                self._check_access(user, code, None)
                result: Any = await self._batch(params, user, code)
            else:
                self._check_access(user, code, method)
                return await self._call(method, params), 200
        except PortalError as error:
            return (
                {"error": error.code, "error_description": error.description},
                error.status,
            )
        return {"result": result, "time": self._time("batch", began)}, 200

    def _check_rate(self) -> None:
        """Let a request into the leaky bucket, or refuse it."""
        if self.rate is None:
            return
        drain, threshold = self.rate
        now = self.clock()
        self._level = max(0.0, self._level - drain * (now - self._level_at))
        self._level_at = now
        if self._level > threshold:
            raise PortalError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)
        self._level += 1

    def _check_access(self, user: str, code: str, method: str | None) -> None:
        """Make the server's checks in the server's order. method None: a batch."""
        if self.deleted:
            raise self._error("PORTAL_DELETED", "Portal was deleted", 403)
        if method is not None and not self._exists(method):
            raise self._error("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
        if not (self._secure or self.allow_http):
            raise self._error("INVALID_REQUEST", "Https required.", 401)
        if not code:
            raise self._error("NO_AUTH_FOUND", "Wrong authorization data", 401)
        if not self.code_is_valid or code != self.code or user != str(self.user_id):
            text = "Invalid request credentials"
            raise self._error("INVALID_CREDENTIALS", text, 401)
        if method is not None:
            self._check_scope(method, inside=False)
        if self.overloaded:
            text = "REST API is blocked due to overload."
            raise self._error("OVERLOAD_LIMIT", text, 401)
        if not self.plan:
            status = 403 if self.status_flavour == "olddocs" else 401
            text = "REST is available only by subscription."
            raise PortalError("ACCESS_DENIED", text, status)
        if not self.owner_active:
            raise self._error("authorization_error", "Unable to authorize user", 401)

    def _check_scope(self, method: str, *, inside: bool) -> None:
        if method.startswith("voximplant.") and SCOPE not in self.scopes:
            text = (
                ""
                if inside
                else "The request requires higher privileges than provided by the "
                "webhook token"
            )
            raise self._error("insufficient_scope", text, 401)

    def _error(self, code: str, text: str, status: int) -> PortalError:
        if self.status_flavour == "olddocs":
            status = _OLD_STATUSES.get(code, status)
        return PortalError(code, text, status)

    def _exists(self, method: str) -> bool:
        if method.startswith("voximplant.") and not self.telephony_installed:
            return False
        return method in self._methods

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run one method; return its envelope."""
        limit = self.operating_limit
        if limit is not None and self.operating(method) > limit:
            self.refused += 1
            text = "Method is blocked due to operation time limit."
            raise PortalError("OPERATION_TIME_LIMIT", text, 429)
        began = self.clock()
        if self.command_delay:
            await self._sleep(self.command_delay)
        result = await self._methods[method](params)
        extra: dict[str, Any] = {}
        if isinstance(result, _Page):
            extra, result = result.extra, result.records
        self._book(method)
        return {"result": result, **extra, "time": self._time(method, began)}

    def _book(self, method: str, real: float = 0.0) -> None:
        """Book operating time in the bucket of this minute."""
        cost = max(self.operating_cost.get(method, 0.0), real)
        if cost > BOOKED_FROM:
            minute = int(self.clock() // 60)
            bucket = self._buckets[method]
            bucket[minute] = bucket.get(minute, 0.0) + cost

    def _time(self, method: str, began: float) -> dict[str, Any]:
        """Return the `time` block of an answer, in the flavour chosen."""
        now = self.clock()
        stamp = datetime.fromtimestamp(now, _MOSCOW).isoformat(timespec="seconds")
        if self.time_flavour == "legacy":
            return {
                "start": began,
                "finish": now,
                "duration": now - began,
                "processing": 0.001157,
                "date_start": stamp,
                "date_finish": stamp,
            }
        used = self.operating(method)
        minutes = self._buckets[method]
        oldest = min(minutes) if minutes else int(now // 60)
        return {
            "start": int(began),
            "finish": now,
            "duration": now - int(began),
            "processing": 0,
            "date_start": stamp,
            "date_finish": stamp,
            "operating_reset_at": (oldest + BUCKETS) * 60,
            "operating": used or 0,
        }

    async def _batch(
        self, params: dict[str, Any], user: str, code: str
    ) -> dict[str, Any]:
        """Run the commands of a batch, one after the other."""
        upper = _upper(params)
        cmd = upper.get("CMD")
        if isinstance(cmd, list):
            cmd = {str(at): value for at, value in enumerate(cmd)}
        if not isinstance(cmd, dict):
            cmd = {}
        parts: dict[str, dict[str, Any]] = {
            part: {}
            for part in (
                "result",
                "result_error",
                "result_total",
                "result_next",
                "result_time",
            )
        }
        halt = upper.get("HALT")
        halts = bool(halt) and halt != "0"
        for at, (key, command) in enumerate(cmd.items()):
            if not isinstance(command, str):
                continue
            name, _, query = command.partition("?")
            try:
                envelope = await self._command(at, name.lower(), php_query(query))
            except PortalError as error:
                parts["result_error"][key] = {
                    "error": error.code,
                    "error_description": error.description,
                }
                if halts:
                    break
                continue
            parts["result"][key] = envelope["result"]
            parts["result_time"][key] = envelope["time"]
            for name in ("total", "next"):
                if name in envelope:
                    parts[f"result_{name}"][key] = envelope[name]
        return {name: php_array(part) for name, part in parts.items()}

    async def _command(
        self, at: int, method: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        """Run one command of a batch."""
        if at >= MAX_COMMANDS:
            raise PortalError(
                "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded", 200
            )
        if method == "batch":
            text = "Method is not allowed for batch usage"
            raise PortalError("ERROR_BATCH_METHOD_NOT_ALLOWED", text, 200)
        if not self._exists(method):
            raise PortalError("ERROR_METHOD_NOT_FOUND", "Method not found!", 200)
        self._check_scope(method, inside=True)
        result: Any = None
        struck = False
        for handle in list(self._faults):
            if handle.method is None or handle.method == "batch":
                continue
            if not handle.strikes(method, _reg_id(params)):
                continue
            fault = handle.fault
            if isinstance(fault, ErrorReply):
                raise PortalError(fault.code, fault.description, 200)
            if isinstance(fault, Result):
                struck, result = True, fault.value
            elif isinstance(fault, Slow):
                await self._sleep(fault.seconds)
            elif isinstance(fault, Hang):
                await self._sleep(3600)
        if struck:
            return {"result": result, "time": self._time(method, self.clock())}
        return await self._call(method, params)

    # --- the methods ---

    async def _profile(self, params: dict[str, Any]) -> Any:
        if self.empty_profile:
            return []
        return {
            "ID": str(self.user_id),
            "ADMIN": True,
            "NAME": "Анна",
            "LAST_NAME": "Тест",
            "PERSONAL_GENDER": "F",
            "TIME_ZONE": "Europe/Moscow",
            "TIME_ZONE_OFFSET": 10800,
        }

    async def _scope(self, params: dict[str, Any]) -> Any:
        return sorted(self.scopes)

    async def _list_methods(self, params: dict[str, Any]) -> Any:
        return sorted(m for m in self._methods if self._exists(m))

    async def _method_get(self, params: dict[str, Any]) -> Any:
        name = str(params.get("name", ""))
        exists = self._exists(name)
        missing = name.startswith("voximplant.") and SCOPE not in self.scopes
        return {"isExisting": exists, "isAvailable": exists and not missing}

    async def _server_time(self, params: dict[str, Any]) -> Any:
        now = datetime.fromtimestamp(self.clock(), _MOSCOW)
        return now.isoformat(timespec="seconds")

    async def _app_info(self, params: dict[str, Any]) -> Any:
        text = "Access denied! Application context required"
        status = 400 if self.status_flavour == "olddocs" else 403
        raise PortalError("ACCESS_DENIED", text, status)

    def _check_permission(self) -> None:
        if not self.permitted:
            raise PortalError("ACCESS_DENIED", "Access denied!", 403)

    async def _line_get(self, params: dict[str, Any]) -> Any:
        self._check_permission()
        lines = {
            f"reg{line.reg_id}": html.escape(
                line.title or f"Cloud hosted PBX (#{line.config_id})"
            ).replace("&#x27;", "&#039;")
            for line in self.lines.values()
            if line.listed
        }
        lines |= {f"sip{config}": title for config, title in self.office_lines.items()}
        return php_array(lines | self.numbers)

    async def _sip_get(self, params: dict[str, Any]) -> Any:
        self._check_permission()
        upper = _upper(params)
        wanted = _upper(upper.get("FILTER") or {})
        records: list[dict[str, Any]] = [
            {
                "TYPE": "cloud",
                "CONFIG_ID": str(line.config_id),
                "REG_ID": str(line.reg_id),
                "SERVER": "sip.provider.test",
                "LOGIN": f"100{line.config_id:04}",
                "PASSWORD": f"SECRET-MARKER-{line.reg_id}",
                "AUTH_USER": None,
                "OUTBOUND_PROXY": None,
                "DETECT_LINE_NUMBER": "N",
                "LINE_DETECT_HEADER_ORDER": "diversion;to",
                "REGISTRATION_STATUS_CODE": str(line.stored_code or 0),
                "REGISTRATION_ERROR_MESSAGE": line.stored_message,
                "TITLE": line.title,
            }
            for line in self.lines.values()
            if line.owner != "app"
        ] + [
            {
                "TYPE": "office",
                "CONFIG_ID": str(config_id),
                "SERVER": "pbx.office.test",
                "LOGIN": "office_user",
                "PASSWORD": f"SECRET-MARKER-{config_id}",
                "INCOMING_SERVER": "ip.acme.bitrixphone.test",
                "INCOMING_LOGIN": f"sip{config_id}",
                "INCOMING_PASSWORD": f"SECRET-MARKER-{config_id}-IN",
                "AUTH_USER": None,
                "OUTBOUND_PROXY": None,
                "DETECT_LINE_NUMBER": "N",
                "LINE_DETECT_HEADER_ORDER": "diversion;to",
                "REGISTRATION_STATUS_CODE": "0",
                "REGISTRATION_ERROR_MESSAGE": None,
                "TITLE": title,
            }
            for config_id, title in self.office_lines.items()
        ]
        records = [
            r
            for r in records
            if all(str(r.get(k)) == str(v) for k, v in wanted.items())
        ]
        if sort := upper.get("SORT"):
            reverse = str(upper.get("ORDER", "ASC")).upper() == "DESC"
            records.sort(key=lambda r: int(r[sort] or 0), reverse=reverse)
        if not records:
            return []
        start = int(params.get("start", 0) or 0)
        extra: dict[str, Any] = {"total": len(records)}
        if start + 50 < len(records):
            extra = {"next": start + 50, **extra}
        return _Page(records[start : start + 50], extra)

    async def _sip_status(self, params: dict[str, Any]) -> Any:
        self._check_permission()
        line = self.lines.get(_reg_id(params) or 0)
        if line is not None and line.delay:
            began = time.perf_counter()
            await self._sleep(line.delay)
            self._book("voximplant.sip.status", time.perf_counter() - began)
        if line is None or line.unreachable:
            raise PortalError("REG_ID_NOT_FOUND", "Настройки не найдены", 400)
        if line.code is not None and line.code != line.stored_code:
            line.stored_code, line.stored_message = line.code, line.message or ""
            self.notifications.append((line.reg_id, line.code))
        answer = {
            "REG_ID": line.reg_id,
            "LAST_UPDATED": line.last_updated,
            "ERROR_MESSAGE": line.message,
            "STATUS_CODE": line.code,
            "STATUS_RESULT": line.status,
        } | line.raw
        return {key: value for key, value in answer.items() if value is not MISSING}

    async def _connector_status(self, params: dict[str, Any]) -> Any:
        self._check_permission()
        if self.connector.fails:
            raise PortalError("", "", 400)
        answer = {
            "FREE_MINUTES": self.connector.free_minutes,
            "PAID": self.connector.paid,
        }
        if self.connector.paid:
            answer["PAID_DATE_END"] = self.connector.paid_until
        return answer

    # --- faults, and how an answer is written ---

    async def _sleep(self, seconds: float) -> None:
        """Sleep real seconds, unless the portal stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
            raise web.HTTPServiceUnavailable

    def _json(self, data: bytes, status: int) -> web.Response:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "origin, content-type, accept",
            "X-Content-Type-Options": "nosniff",
            "Set-Cookie": "qmb=0.; path=/",
        }
        return web.Response(body=data, status=status, headers=headers)

    async def _faulty(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Answer as a fault has it."""
        match fault:
            case ErrorReply():
                body = {"error": fault.code, "error_description": fault.description}
                return self._json(encode(body | dict(fault.extra)), fault.status)
            case Body():
                data = fault.body
                return web.Response(
                    body=data.encode() if isinstance(data, str) else data,
                    status=fault.status,
                    headers={"Content-Type": fault.content_type, **fault.headers},
                )
            case Redirect():
                location = fault.location.replace("{path}", request.path)
                return web.Response(status=fault.status, headers={"Location": location})
            case Result():
                body = {"result": fault.value, "time": self._time("", self.clock())}
                return self._json(encode(body), 200)
            case Hang():
                await self._sleep(3600)
            case Cut():
                assert request.transport
                request.transport.abort()
            case NotHttp():
                assert isinstance(request.transport, asyncio.WriteTransport)
                request.transport.write(b"SSH-2.0-OpenSSH_9.2\r\n")
                request.transport.close()
            case Truncated():
                return await self._stream(
                    request, b'{"result":{"reg201001":"\\u041e', 999
                )
            case Endless():
                return await self._endless(request)
            case Huge():
                return await self._huge(request, fault.size)
            case _:
                raise TypeError(fault)
        return web.Response(status=500)

    async def _stream(
        self, request: web.Request, data: bytes, length: int
    ) -> web.StreamResponse:
        """Send less than was promised, and hang up."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = length
        await response.prepare(request)
        await response.write(data)
        assert request.transport
        request.transport.close()
        return response

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        """Send a body that never ends, slowly."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError, web.HTTPServiceUnavailable):
            await response.write(b'{"result":"')
            while True:
                await response.write(b"x")
                await self._sleep(0.05)
        return response

    async def _huge(self, request: web.Request, size: int) -> web.StreamResponse:
        """Send so many bytes of what could be JSON."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        chunk = b"x" * 65536
        with contextlib.suppress(ConnectionError):
            await response.write(b'{"result":"')
            for _ in range(size // len(chunk)):
                await response.write(chunk)
            await response.write(b'"}')
        return response


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of a list method, with what stands beside `result`."""

    records: list[Any]
    extra: dict[str, Any]


def php_array(array: dict[str, Any]) -> Any:
    """Return a map as PHP encodes it: [] when empty, a list for the keys 0, 1 and so on."""
    if not array:
        return []
    if list(array) == [str(at) for at in range(len(array))]:
        return list(array.values())
    return array


def php_query(query: str) -> dict[str, Any]:
    """Read a query string with PHP's brackets: `FILTER[TYPE]=cloud`."""
    params: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        head, *keys = re.findall(r"[^\[\]]+", name) or [name]
        target = params
        for key in keys:
            inner = target.setdefault(head, {})
            if not isinstance(inner, dict):
                break
            target, head = inner, key
        target[head] = value
    return params


def encode(value: Any) -> bytes:
    r"""Encode as the portal does: ASCII, `\/`, and \u003C for < > & ' and quotes."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    text = text.replace("/", "\\/").replace('\\"', "\\u0022")
    for char in "<>&'":
        text = text.replace(char, f"\\u{ord(char):04X}")
    return text.encode()


def _upper(params: Any) -> dict[str, Any]:
    """Return parameters with their names in upper case."""
    if not isinstance(params, dict):
        return {}
    return {str(name).upper(): value for name, value in params.items()}


def _reg_id(params: dict[str, Any]) -> int | None:
    """Return the REG_ID of some parameters, None where there is no number."""
    text = str(_upper(params).get("REG_ID"))
    return int(text) if re.fullmatch(r"[0-9]+", text) else None


async def _serve(port: int, lines: int, delay: float, certificate: str | None) -> None:
    """Run a portal of its own until the process ends."""
    portal = Portal(operating_limit=None)
    portal.command_delay = delay
    for at in range(lines):
        portal.add_line(201001 + at, f"Line {at + 1}")
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    await portal.start(port=port, ssl_context=context)
    print(portal.webhook, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Run a portal from the command line; it prints its webhook first."""
    parser = argparse.ArgumentParser(description="A simulated Bitrix24 portal")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--lines", type=int, default=10)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="per command")
    parser.add_argument("--certificate", help="a PEM file with key and certificate")
    args = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            _serve(args.port, args.lines, args.delay_ms / 1000, args.certificate)
        )
