"""Calls of the portal's REST API over the caller's aiohttp session."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from http import HTTPStatus
import json
import math
import random
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from .errors import (
    Bitrix24Error,
    ConnectionFailed,
    HttpsRequired,
    InsecureConnection,
    OperatingTimeExceeded,
    PortalMoved,
    RequestTimeout,
    ServerFault,
    Throttled,
    UnexpectedAnswer,
    error_of,
)
from .webhook import Webhook

MAX_COMMANDS = 50  # of one batch, as documented
PORTAL_CUT = 60.0  # seconds after which the portal aborts a request, as documented
REQUEST_SECONDS = PORTAL_CUT + 5.0
CONNECT_SECONDS = 10.0
# Answers are far smaller than this; reading stops at this size.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
# Shortest and longest pause before each of the retries, in seconds.
RETRY_PAUSES: tuple[tuple[float, float], ...] = ((0.5, 1.0), (1.5, 3.0))
LONGEST_RETRY_AFTER = 3600.0
OPERATING_WINDOW = 600.0  # seconds over which the portal sums operating time


@dataclass(frozen=True, slots=True)
class OperatingTime:
    """Server time that a method used in the last 10 minutes, as the portal reports it.

    seconds: used; per_call: what a call adds, from the latest ones; resets_at: when the
    oldest minute leaves the sum, on this machine's monotonic clock, so that the
    portal's clock may be wrong.
    """

    seconds: float
    per_call: float
    resets_at: float

    def resets_in(self) -> float:
        """Return the seconds until the oldest minute leaves the sum."""
        return max(0.0, self.resets_at - monotonic())


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answers of the commands of one batch, by the caller's keys.

    Every key of the batch is in exactly one of `results` and `errors`. seconds: the
    duration of the request itself, without retries and without waiting for other
    requests.
    """

    results: dict[str, Any]
    errors: dict[str, Bitrix24Error]
    seconds: float


@dataclass(slots=True)
class Statistics:
    """Counters of this client."""

    requests: int = 0
    commands: int = 0
    retries: int = 0
    errors: Counter[str] = field(default_factory=Counter)


class Bitrix24Client:
    """A client of one portal's REST API (version 2) with an inbound webhook.

    It sends one request at a time: the portal limits the requests of an IP address,
    which other clients share.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        webhook: Webhook,
        *,
        user_agent: str = "bitrix24-sip",
        json_loads: Callable[[bytes], Any] = json.loads,
    ) -> None:
        """Set the session, which should keep no cookies, and the webhook.

        json_loads: a faster reader of JSON, which may be stricter (ValueError).
        """
        self.webhook = webhook
        self.statistics = Statistics()
        self.operating: dict[str, OperatingTime] = {}
        self._session = session
        self._json_loads = json_loads
        self._headers = {
            "Accept": "application/json",
            "User-Agent": user_agent,
        }
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        self._one_at_a_time = asyncio.Lock()

    def separate(self) -> Bitrix24Client:
        """Return a client with statistics of its own.

        It shares the lock of this one, and the operating times.
        """
        other = copy(self)
        other.statistics = Statistics()
        return other

    async def batch(
        self, commands: Mapping[str, str], *, seconds: float = REQUEST_SECONDS
    ) -> BatchAnswer:
        """Run up to 50 commands in one request; raise Bitrix24Error if that fails.

        commands: by keys of the caller, each in the portal's format: the method, "?"
        and the encoded parameters, if any. The keys should not be numbers, which PHP
        would turn into a list. A command that fails has its error in the answer.
        seconds: the time limit, including the wait for other requests, retries and
        pauses.
        """
        body = {"halt": 0, "cmd": dict(commands)}
        answer, took = await self._request("batch", body, len(commands), seconds)
        parts = answer["result"]
        if not isinstance(parts, dict) or "result" not in parts:
            raise self._record_error(UnexpectedAnswer())
        results, failures, times = (
            _by_key(parts.get(part))
            for part in ("result", "result_error", "result_time")
        )
        self._note_operating_times(commands, times)
        if not failures and results.keys() == commands.keys():
            return BatchAnswer(results, {}, took)
        errors = {
            key: self._record_error(self._command_error(failures.get(key), command))
            for key, command in commands.items()
            if key in failures or key not in results
        }
        results = {key: results[key] for key in commands if key not in errors}
        return BatchAnswer(results, errors, took)

    def _command_error(self, failure: Any, command: str) -> Bitrix24Error:
        """Return the error of one command of a batch."""
        error = error_of(failure) if isinstance(failure, dict) else None
        if error is None:
            return UnexpectedAnswer()
        return self._with_reset(error, command.partition("?")[0])

    def _with_reset(self, error: Bitrix24Error, method: str) -> Bitrix24Error:
        """Add the reset time of the last successful answer to an error.

        The error of an exceeded operating time has none.
        """
        if (
            isinstance(error, OperatingTimeExceeded)
            and error.retry_after is None
            and (known := self.operating.get(method))
        ):
            error.retry_after = known.resets_in()
        return error

    def _record_error(self, error: Bitrix24Error) -> Bitrix24Error:
        """Count an error by its kind, and return it without the secret."""
        self.statistics.errors[error.reason] += 1
        if self.webhook.leaks_into(error.code):
            error.redact()  # an answer that repeats the secret
        return error

    async def _request(
        self, method: str, body: Mapping[str, Any], commands: int, seconds: float
    ) -> tuple[dict[str, Any], float]:
        """Send a POST request, and retry it after a fault that may end within seconds.

        Return the JSON object, which has a `result` and no error, and the seconds that
        the last attempt took.
        """
        ends = monotonic() + seconds
        async with self._turn(seconds):
            pauses = iter(RETRY_PAUSES)
            while (left := ends - monotonic()) > 0:
                self.statistics.requests += 1
                self.statistics.commands += commands
                began = monotonic()
                answer = await self._attempt(method, body, left)
                took = monotonic() - began
                if not isinstance(answer, Bitrix24Error):
                    return answer, took
                error = self._record_error(answer)
                if isinstance(error, RequestTimeout):
                    error.seconds = took
                pause = next(pauses, None)
                if pause is None or not _is_retryable(error):
                    raise error
                wait = random.uniform(*pause)
                if monotonic() + wait >= ends:
                    raise error
                self.statistics.retries += 1
                await asyncio.sleep(wait)
        raise RequestTimeout  # it was not sent

    @asynccontextmanager
    async def _turn(self, seconds: float) -> AsyncGenerator[None]:
        """Wait until no other request runs, or raise RequestTimeout."""
        try:
            async with asyncio.timeout(seconds):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            raise RequestTimeout from None
        try:
            yield
        finally:
            self._one_at_a_time.release()

    async def _attempt(
        self, method: str, body: Mapping[str, Any], seconds: float
    ) -> dict[str, Any] | Bitrix24Error:
        """Send a POST request once. Errors are returned, not raised.

        So none has aiohttp's exception as its context, whose text may contain the URL.
        """
        if self._session.closed:  # while this request waited for others
            return ConnectionFailed()
        try:
            async with (
                asyncio.timeout(min(seconds, REQUEST_SECONDS)),
                self._session.post(
                    f"{self.webhook.url}{method}",
                    json=body,
                    headers=self._headers,
                    allow_redirects=False,
                    timeout=self._timeout,
                ) as response,
            ):
                if 300 <= response.status < 400:
                    return self._redirected(response.headers.get("Location", ""))
                text = await _read(response)
                if text is None:
                    return UnexpectedAnswer()
                return self._parse_response(text, response, method)
        except aiohttp.ConnectionTimeoutError:
            return ConnectionFailed()
        except TimeoutError:
            return RequestTimeout()
        except aiohttp.ClientSSLError:
            return InsecureConnection()
        except aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, UnicodeError:
            # Some resolvers raise a UnicodeError if the host is an impossible name.
            return ConnectionFailed()
        except aiohttp.ClientError:
            return UnexpectedAnswer()

    def _parse_response(
        self, body: bytes, response: aiohttp.ClientResponse, method: str
    ) -> dict[str, Any] | Bitrix24Error:
        """Return the JSON object in an answer's body, or the error that it contains."""
        try:
            answer = self._loads(body)
        except ValueError, RecursionError:
            return self._not_json(response)
        if not isinstance(answer, dict):
            return UnexpectedAnswer()
        error = error_of(answer, response.status)
        if error is None:
            return answer if "result" in answer else UnexpectedAnswer()
        error.retry_after = _retry_after(response)
        return self._with_reset(error, method)

    def _loads(self, body: bytes) -> Any:
        """Return the JSON in a body; raise ValueError or RecursionError."""
        try:
            return self._json_loads(body)
        except ValueError:
            # A strict reader refuses a BOM and lone surrogates.
            return json.loads(body)

    def _not_json(self, response: aiohttp.ClientResponse) -> Bitrix24Error:
        """Return the error of an answer that is not JSON, mostly a web page."""
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            return Throttled(retry_after=_retry_after(response))
        if response.status == HTTPStatus.GATEWAY_TIMEOUT:
            return RequestTimeout()
        if response.status >= 500:
            fault = ServerFault(f"HTTP {response.status}")
            fault.retry_after = _retry_after(response)
            return fault
        return UnexpectedAnswer()

    def _redirected(self, location: str) -> Bitrix24Error:
        """Return the error of a redirect, which is never followed.

        A request to the other host would contain the secret. A renamed portal redirects
        from its old host to the new one, with the same path.
        """
        try:
            new, old = urlsplit(location), urlsplit(self.webhook.url)
            new_host = f"{new.hostname}:{new.port}" if new.port else new.hostname
        except ValueError:
            return UnexpectedAnswer()
        if (
            not new_host
            or not new.path.startswith(old.path)
            or self.webhook.leaks_into(new_host)
        ):
            return UnexpectedAnswer()
        if new.hostname == old.hostname:
            return HttpsRequired() if old.scheme == "http" else UnexpectedAnswer()
        return PortalMoved(new_host) if new.scheme == "https" else UnexpectedAnswer()

    def _note_operating_times(
        self, commands: Mapping[str, str], times: Mapping[str, Any]
    ) -> None:
        """Keep the operating time of each method, as the `time` blocks report it.

        It is a sum, so the first and the last block of a method are sufficient.
        """
        calls: dict[str, list[str]] = {}
        for key, command in commands.items():
            calls.setdefault(command.partition("?")[0], []).append(key)
        for method, keys in calls.items():
            self._note_operating_time(
                method, times.get(keys[0]), times.get(keys[-1]), len(keys) - 1
            )

    def _note_operating_time(
        self, method: str, first: Any, last: Any, steps: int
    ) -> None:
        """Keep the operating time of two `time` blocks, `steps` calls apart.

        The sum shrinks when minutes leave it, so a small difference says little about
        the cost of a call. The time until the reset is computed on the portal's own
        clock.
        """
        seconds = _number(last, "operating")
        reset = _number(last, "operating_reset_at")
        finish = _number(last, "finish")
        if seconds is None or reset is None or finish is None:
            return
        since, per_call = None, 0.0
        if before := self.operating.get(method):
            since, per_call = before.seconds, before.per_call * 0.95
        if steps:
            since = _number(first, "operating")
        if since is not None:
            per_call = max((seconds - since) / max(steps, 1), per_call)
        resets_in = min(reset - finish, OPERATING_WINDOW)
        self.operating[method] = OperatingTime(
            seconds, per_call, monotonic() + resets_in
        )


def _is_retryable(error: Bitrix24Error) -> bool:
    """Return whether a retry within seconds may succeed.

    Not after a time-out: the portal has already worked on the request for that long.
    """
    if isinstance(error, OperatingTimeExceeded | InsecureConnection):
        return False
    return (
        isinstance(error, ConnectionFailed | ServerFault | Throttled)
        and error.retry_after is None
    )


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Return the seconds of a `Retry-After` header, if it is plausible."""
    value = response.headers.get("Retry-After", "")
    if not (value.isascii() and value.isdigit()):
        return None
    return min(float(value), LONGEST_RETRY_AFTER)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body of an answer, None if it is too long."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return None
    return bytes(body)


def _number(block: Any, name: str) -> float | None:
    """Return a number of a `time` block, which may be a string, or None."""
    try:
        number = float(block[name])
    except TypeError, LookupError, ValueError, OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0.0 else None


def _by_key(part: Any) -> dict[str, Any]:
    """Return one part of a batch's answer as a map by key.

    PHP encodes an empty map as `[]`, and one with the keys 0, 1, 2… as a list.
    """
    if isinstance(part, dict):
        return part
    if isinstance(part, list):
        return {str(at): value for at, value in enumerate(part)}
    return {}
