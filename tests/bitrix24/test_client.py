"""The client over HTTP: requests, faults, and the secrecy of the webhook."""

import asyncio
from collections.abc import Callable
import json
import logging
from pathlib import Path
import random
import ssl
import time
import traceback
from typing import Any

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest
import trustme

from custom_components.bitrix24_sip.bitrix24 import (
    Bitrix24Client,
    Bitrix24Error,
    PermanentError,
    SipRegistration,
    Telephony,
    TransientError,
    Webhook,
    client as client_module,
)
from custom_components.bitrix24_sip.bitrix24.client import RETRY_PAUSES
from custom_components.bitrix24_sip.bitrix24.errors import (
    ConnectionFailed,
    InsecureConnection,
    InvalidWebhook,
    MissingPermission,
    OperatingTimeExceeded,
    PortalMoved,
    RegistrationNotFound,
    RequestTimeout,
    ServerFault,
    Throttled,
    UnexpectedAnswer,
    UnknownError,
)
from dev.outcomes import MATRIX
from dev.portal import Portal
from dev.portal.faults import (
    FAULTS,
    Body,
    Cut,
    Endless,
    ErrorReply,
    Fault,
    Hang,
    Hold,
    Huge,
    Redirect,
    Result,
    Slow,
)
from tests.conftest import MAIN, SALES, SUPPORT, until

from .conftest import call

STATUS = "voximplant.sip.status"


async def test_request_format(
    client: Bitrix24Client, session: aiohttp.ClientSession, portal: Portal
) -> None:
    """Requests are JSON by POST, with a User-Agent, and without the portal's cookies."""
    await call(Bitrix24Client(session, client.webhook), "profile")
    assert portal.requests.pop().headers["User-Agent"] == "bitrix24-sip"
    await call(client, "profile")
    await call(client, "profile")
    for request in portal.requests:
        assert request.verb == "POST"
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Accept"] == "application/json"
        assert request.headers["User-Agent"] == "test/1.0"
        assert "Cookie" not in request.headers


async def test_call_with_parameters(client: Bitrix24Client, portal: Portal) -> None:
    """Parameters are sent in the body."""
    result = await call(client, STATUS, {"REG_ID": MAIN})
    assert result["REG_ID"] == MAIN


async def test_batch(client: Bitrix24Client, portal: Portal) -> None:
    """A batch is one request; parameters are sent within the commands."""
    answer = await client.batch(
        {
            "one": f"{STATUS}?REG_ID={MAIN}",
            "none": f"{STATUS}?REG_ID=4%20%26%205%3D%3F",
            "time": "server.time",
        }
    )
    assert answer.results.keys() == {"one", "time"}
    assert isinstance(answer.errors["none"], RegistrationNotFound)
    assert len(portal.requests) == 1
    assert portal.requests[0].commands[1] == ("none", STATUS, {"REG_ID": "4 & 5=?"})


async def test_one_request_at_a_time(telephony: Telephony, portal: Portal) -> None:
    """Requests to one portal never run in parallel."""
    portal.command_delay = 0.01
    await asyncio.gather(
        *(telephony.ask_now([MAIN, SALES]) for _ in range(5)),
        telephony.validate_webhook(),
        telephony.poll([MAIN], with_connector=True),
    )
    assert len(portal.requests) == 7
    assert portal.max_concurrent == 1


@pytest.mark.parametrize(
    ("lines", "requests"), [(1, 1), (50, 1), (51, 2), (100, 2), (500, 10)]
)
async def test_requests_of_a_poll(
    telephony: Telephony, portal: Portal, lines: int, requests: int
) -> None:
    """One request carries up to 50 lines; more lines need more requests."""
    reg_ids = [300000 + at for at in range(lines)]
    for reg_id in reg_ids:
        portal.add_line(reg_id)
    answers = await telephony.ask_now(reg_ids)
    assert all(isinstance(answers[r], SipRegistration) for r in reg_ids)
    assert len(portal.requests) == requests
    assert portal.commands(STATUS) == lines


@pytest.mark.parametrize(
    "slug",
    ["cut", "truncated", "nginx_502", "nginx_503", "internal_error", "query_limit"],
)
async def test_a_short_fault_is_retried(
    client: Bitrix24Client, portal: Portal, slug: str
) -> None:
    """A fault that may end within a second is retried twice within the same poll."""
    portal.fault(FAULTS[slug], times=2)
    assert (await call(client, "profile"))["ID"] == "1"
    assert len(portal.requests) == 3
    assert client.statistics.retries == 2
    assert client.statistics.requests == 3
    assert client.statistics.commands == 3
    assert client.statistics.errors.total() == 2


@pytest.mark.parametrize("slug", ["cut", "nginx_503", "query_limit"])
async def test_retries_are_bounded(
    client: Bitrix24Client, portal: Portal, slug: str
) -> None:
    """The error is raised after three attempts."""
    portal.fault(FAULTS[slug])
    with pytest.raises(TransientError):
        await call(client, "profile")
    assert len(portal.requests) == 3


@pytest.mark.parametrize(
    "slug",
    [
        "invalid_credentials",
        "missing_permission",
        "html_200",
        "json_list",
        "nginx_504",
        "operation_time",
        "retry_after",
        "maintenance",
        "redirect_other_host",
    ],
)
async def test_no_retry_for_other_errors(
    client: Bitrix24Client, portal: Portal, slug: str
) -> None:
    """Errors that do not end within seconds are not retried."""
    portal.fault(FAULTS[slug])
    with pytest.raises(Bitrix24Error):
        await call(client, "profile")
    assert len(portal.requests) == 1


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not sleep; provide the seconds of each sleep."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


@pytest.mark.parametrize(("bound", "pauses"), [(min, [0.5, 1.5]), (max, [1.0, 3.0])])
async def test_pauses_before_retries(
    client: Bitrix24Client,
    portal: Portal,
    monkeypatch: pytest.MonkeyPatch,
    slept: list[float],
    bound: Callable[..., float],
    pauses: list[float],
) -> None:
    """They have a random length, so that clients do not return all at once."""
    monkeypatch.setattr(client_module, "RETRY_PAUSES", RETRY_PAUSES)
    monkeypatch.setattr(random, "uniform", bound)
    portal.fault(FAULTS["nginx_503"])
    with pytest.raises(ServerFault):
        await call(client, "profile")
    assert slept == pauses


async def test_retries_stay_within_the_time(
    client: Bitrix24Client,
    portal: Portal,
    monkeypatch: pytest.MonkeyPatch,
    freezer: FrozenDateTimeFactory,
    slept: list[float],
) -> None:
    """There is no retry when its pause would leave nothing of the poll's time."""
    monkeypatch.setattr(client_module, "RETRY_PAUSES", ((30.0, 30.0),))
    portal.fault(Cut())
    with pytest.raises(ConnectionFailed):
        await call(client, "profile", seconds=30)
    assert not slept
    assert len(portal.requests) == 1


@pytest.mark.parametrize("fault", [Hang(), Endless(), Slow(30)])
async def test_time_limit(
    client: Bitrix24Client, portal: Portal, fault: Hang | Endless | Slow
) -> None:
    """The time limit holds for a missing answer, and for a body that never ends."""
    portal.fault(fault)
    with pytest.raises(RequestTimeout):
        await call(client, "profile", seconds=0.3)
    assert len(portal.requests) == 1
    portal.clear_faults()
    assert await call(client, "profile")


@pytest.mark.parametrize(
    ("seconds", "passed", "answered"),
    [
        (600.0, 64.5, True),
        (600.0, 65.5, False),
        (30.0, 25.0, True),
        (30.0, 30.5, False),
    ],
)
async def test_time_of_a_request(
    client: Bitrix24Client,
    portal: Portal,
    advance: Callable[[float], None],
    seconds: float,
    passed: float,
    answered: bool,
) -> None:
    """The portal aborts a request after 60 seconds; it is given a little more."""
    released = asyncio.Event()
    portal.fault(Hold(released))
    request = asyncio.create_task(client.batch({"a": "profile"}, seconds=seconds))
    await until(lambda: bool(portal.requests))
    advance(passed)
    released.set()
    if answered:
        assert (await request).results
    else:
        with pytest.raises(RequestTimeout):
            await request


async def test_no_time_left(
    client: Bitrix24Client, portal: Portal, freezer: FrozenDateTimeFactory
) -> None:
    """A request without any time is not sent."""
    with pytest.raises(RequestTimeout):
        await call(client, "profile", seconds=0)
    assert not portal.requests
    assert client.statistics.requests == 0


class StuckConnector(aiohttp.TCPConnector):
    """A connector that gives up after the time that it was given, without waiting."""

    seconds: float | None = None

    async def connect(
        self, req: aiohttp.ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout
    ) -> Any:
        """Do not connect."""
        self.seconds = timeout.sock_connect
        raise TimeoutError


async def test_connection_timeout(socket_enabled: None) -> None:
    """A connection that takes too long is an error, and is retried."""
    connector = StuckConnector()
    async with aiohttp.ClientSession(connector=connector) as session:
        client = Bitrix24Client(
            session, Webhook.parse("http://127.0.0.1:9/rest/1/abcdefghij012345/")
        )
        with pytest.raises(ConnectionFailed):
            await call(client, "profile")
    assert connector.seconds == 10
    assert client.statistics.requests == 3


class StrictResolver(aiohttp.ThreadedResolver):
    """A resolver that raises what Python does if it cannot encode a name."""

    async def resolve(self, *_: Any, **__: Any) -> Any:
        """Find no address."""
        raise UnicodeEncodeError("idna", "a" * 64, 0, 64, "label too long")


async def test_a_host_that_cannot_be_looked_up(socket_enabled: None) -> None:
    """An impossible name is reported like an unknown one."""
    connector = aiohttp.TCPConnector(resolver=StrictResolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        client = Bitrix24Client(
            session, Webhook.parse(f"https://{'a.' * 200}com/rest/1/abcdefghij0/")
        )
        with pytest.raises(ConnectionFailed):
            await call(client, "profile")


async def test_connection_refused(
    session: aiohttp.ClientSession, free_port: int
) -> None:
    """A refused connection is reported as such."""
    client = Bitrix24Client(
        session, Webhook.parse(f"http://127.0.0.1:{free_port}/rest/1/abcdefghij0/")
    )
    with pytest.raises(ConnectionFailed):
        await call(client, "profile")


async def test_size_limit(client: Bitrix24Client, portal: Portal) -> None:
    """Reading stops at the size limit: 500 MB of JSON cost neither time nor memory."""
    portal.fault(Huge(500 * 1024 * 1024))
    with pytest.raises(UnexpectedAnswer):
        await call(client, "profile")


async def test_the_largest_answer(client: Bitrix24Client, portal: Portal) -> None:
    """Answers of up to 4 MiB are read."""
    text = "x" * (4 * 1024 * 1024 - len('{"result": ""}'))
    portal.fault(Body(f'{{"result": "{text}"}}'), times=1)
    assert await call(client, "profile") == text
    portal.fault(Body(f'{{"result": "{text}x"}}'))
    with pytest.raises(UnexpectedAnswer):
        await call(client, "profile")


@pytest.mark.parametrize(
    ("status", "redirected"),
    [(299, False), (300, True), (399, True), (400, False)],
)
async def test_which_answers_are_redirects(
    client: Bitrix24Client, portal: Portal, status: int, redirected: bool
) -> None:
    """A status outside of 300 to 399 is none, whatever the headers."""
    headers = {"Location": "https://acme-new.bitrix24.test/"}
    portal.fault(Body('{"result": "a"}', status, headers=headers))
    if redirected:
        with pytest.raises(UnexpectedAnswer):
            await call(client, "profile")
    else:
        assert await call(client, "profile") == "a"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(
    client: Bitrix24Client, portal: Portal, other_portal: Portal, status: int
) -> None:
    """The secret is never sent to another host."""
    portal.fault(Redirect(f"{other_portal.url}{{path}}", status))
    with pytest.raises(Bitrix24Error):
        await call(client, "profile")
    assert not other_portal.requests


@pytest.mark.parametrize(
    ("slug", "new_host"),
    [
        ("redirect_other_host", "acme-new.bitrix24.test"),
        ("redirect_other_port", "acme-new.bitrix24.test:8443"),
    ],
)
async def test_redirect_to_a_new_host(
    client: Bitrix24Client, portal: Portal, slug: str, new_host: str
) -> None:
    """The new host is named with its port, where the redirect has one."""
    portal.fault(FAULTS[slug])
    with pytest.raises(PortalMoved) as caught:
        await call(client, "profile")
    assert caught.value.new_host == new_host


async def test_redirect_without_a_host(client: Bitrix24Client, portal: Portal) -> None:
    """A redirect to another path of the same portal names no new host."""
    portal.fault(Redirect("{path}"))
    with pytest.raises(UnexpectedAnswer):
        await call(client, "profile")


async def test_redirect_that_repeats_the_secret(
    client: Bitrix24Client, portal: Portal
) -> None:
    """A host that contains the secret is not reported as the portal's new name."""
    portal.fault(Redirect(f"https://{portal.code}.example.com{{path}}"))
    with pytest.raises(UnexpectedAnswer):
        await call(client, "profile")


@pytest.mark.parametrize("kind", ["text/plain", "text/html; charset=cp1251", "x"])
async def test_content_type_does_not_matter(
    client: Bitrix24Client, portal: Portal, kind: str
) -> None:
    """The body is parsed as JSON, whatever content type a proxy sets."""
    portal.fault(Body('{"result": "\u0434\u0430"}', content_type=kind))
    assert await call(client, "profile") == "да"


@pytest.mark.parametrize(
    "parts",
    [
        {"result": {"a": 1}, "result_error": {"a": {"error": "X"}}},
        {"result": {"a": 1}, "result_error": {"a": "nonsense"}},
        {"result": [], "result_error": []},
        {"result": "nonsense", "result_error": None, "result_time": 7},
    ],
)
async def test_batch_with_malformed_parts(
    client: Bitrix24Client, portal: Portal, parts: dict[str, object]
) -> None:
    """A command without a clear success counts as failed."""
    portal.fault(Result(parts))
    answer = await client.batch({"a": "profile"})
    assert answer.results == {}
    assert isinstance(answer.errors["a"], TransientError)


@pytest.mark.parametrize("result", [None, [], "x", {}, {"a": 1}])
async def test_answer_that_is_no_batch(
    client: Bitrix24Client, portal: Portal, result: object
) -> None:
    """An answer without the parts of a batch is an error."""
    portal.fault(Result(result))
    with pytest.raises(UnexpectedAnswer):
        await client.batch({"a": "profile"})


async def test_operating_time_is_kept(client: Bitrix24Client, portal: Portal) -> None:
    """The client keeps the operating time that calls and batches report."""
    portal.operating_cost[STATUS] = 2.5
    await client.batch({"a": f"{STATUS}?REG_ID={MAIN}"})
    assert client.operating[STATUS].seconds == 2.5
    assert client.operating[STATUS].per_call == 0.0, "one answer does not tell"
    await client.batch({"a": f"{STATUS}?REG_ID={SALES}", "b": "profile"})
    assert client.operating[STATUS].seconds == 5.0
    assert client.operating["profile"].seconds == 0.0
    assert 530 < client.operating[STATUS].resets_in() <= 600


async def test_operating_time_of_a_call(client: Bitrix24Client, portal: Portal) -> None:
    """It is the mean of a batch, even if an old bucket expires meanwhile."""
    now = 1_789_000_000.0
    portal.clock = lambda: now
    portal.operating_cost[STATUS] = 2.5
    for _ in range(5):
        await client.batch({"a": f"{STATUS}?REG_ID={MAIN}"})
    assert client.operating[STATUS].per_call == 2.5
    now += 600
    await client.batch(dict.fromkeys("abc", f"{STATUS}?REG_ID={MAIN}"))
    assert client.operating[STATUS].seconds == 7.5
    assert client.operating[STATUS].per_call == 2.5


async def test_a_call_costs_no_less_when_the_sum_falls(
    client: Bitrix24Client, portal: Portal
) -> None:
    """The sum falls when minutes leave it, which says little of the latest call."""
    now = 1_789_000_000.0
    portal.clock = lambda: now
    portal.operating_cost[STATUS] = 2.5
    for _ in range(2):
        await client.batch({"a": f"{STATUS}?REG_ID={MAIN}"})
    now += 600
    await client.batch({"a": f"{STATUS}?REG_ID={MAIN}"})
    assert client.operating[STATUS].seconds == 2.5
    assert 2.0 < client.operating[STATUS].per_call < 2.5


async def test_the_reset_comes_nearer(client: Bitrix24Client, portal: Portal) -> None:
    """It is ten minutes after the oldest call that counts."""
    now = 1_789_000_000.0
    portal.clock = lambda: now
    await client.batch({"a": f"{STATUS}?REG_ID={MAIN}"})
    now += 300
    await client.batch({"a": f"{STATUS}?REG_ID={MAIN}"})
    assert 200 < client.operating[STATUS].resets_in() <= 300


async def test_the_reset_has_passed(
    client: Bitrix24Client, portal: Portal, freezer: FrozenDateTimeFactory
) -> None:
    """The time until the reset is never negative."""
    await client.batch({"a": f"{STATUS}?REG_ID={MAIN}"})
    freezer.tick(700)
    assert client.operating[STATUS].resets_in() == 0.0
    block = {"operating": 1, "operating_reset_at": 1, "finish": 2}
    parts = {"result": {"a": 1}, "result_time": {"a": block}}
    portal.fault(Result(parts))
    await client.batch({"a": STATUS})
    assert client.operating[STATUS].resets_in() == 0.0


@pytest.mark.parametrize(
    ("reset", "resets_in"),
    [(1.5, 0.5), (1.0, 0.0), (0.5, 0.0), (600.5, 599.5), (601.5, 600.0)],
)
async def test_a_plausible_reset(
    client: Bitrix24Client,
    portal: Portal,
    freezer: FrozenDateTimeFactory,
    reset: float,
    resets_in: float,
) -> None:
    """The portal sums ten minutes, so the reset is no further away than that."""
    block = {"operating": 0, "operating_reset_at": reset, "finish": "1"}
    portal.fault(Result({"result": {"a": 1}, "result_time": {"a": block}}))
    await client.batch({"a": STATUS})
    assert client.operating[STATUS].resets_in() == pytest.approx(resets_in, abs=1e-3)


async def test_a_wrong_clock_of_the_portal(
    client: Bitrix24Client, portal: Portal
) -> None:
    """The time until the reset is right even if the portal's clock is a year off."""
    portal.clock = lambda: time.time() + 31_536_000
    await client.batch({"a": f"{STATUS}?REG_ID={MAIN}"})
    assert 530 < client.operating[STATUS].resets_in() <= 600


@pytest.mark.parametrize(
    "block",
    [
        None,
        [],
        {},
        {"operating": 1},
        {"operating": 1, "operating_reset_at": 2},
        {"operating": 1, "finish": 1},
        {"operating": "x", "operating_reset_at": 2, "finish": 1},
        {"operating": float("nan"), "operating_reset_at": 2, "finish": 1},
        {"operating": float("inf"), "operating_reset_at": 2, "finish": 1},
        {"operating": [], "operating_reset_at": 10**400, "finish": 1},
        {"operating": -1, "operating_reset_at": 2, "finish": 1},
    ],
)
async def test_no_operating_time(
    client: Bitrix24Client, portal: Portal, block: object
) -> None:
    """Missing or malformed operating time counts as none, as on a self-hosted portal."""
    parts = {"result": {"a": 1}, "result_time": {"a": block}}
    portal.fault(Body(json.dumps({"result": parts})))
    await client.batch({"a": "profile"})
    assert client.operating == {}


async def test_limit_of_operating_time(client: Bitrix24Client, portal: Portal) -> None:
    """The error has no reset time, so that of the last successful answer is used."""
    portal.operating_cost[STATUS] = 500
    command = {"a": f"{STATUS}?REG_ID={MAIN}"}
    await client.batch(command)
    error = (await client.batch(command)).errors["a"]
    assert isinstance(error, OperatingTimeExceeded)
    assert error.retry_after
    assert 530 < error.retry_after <= 600
    with pytest.raises(OperatingTimeExceeded) as caught:
        await call(client, STATUS, {"REG_ID": MAIN})
    assert caught.value.retry_after


@pytest.mark.parametrize(
    ("slug", "seconds"),
    [
        ("retry_after", 300.0),
        ("maintenance", 600.0),
        ("retry_after_nonsense", None),
        ("operation_time", None),
    ],
)
async def test_retry_after(
    client: Bitrix24Client, portal: Portal, slug: str, seconds: float | None
) -> None:
    """The portal's Retry-After is used where there is one."""
    portal.fault(FAULTS[slug])
    with pytest.raises(TransientError) as caught:
        await call(client, "profile")
    assert caught.value.retry_after == seconds
    assert isinstance(caught.value, Throttled | ServerFault)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0), ("7", 7), ("3600", 3600), ("3601", 3600), ("٣", None), ("-7", None)],
)
@pytest.mark.parametrize(
    ("code", "error"),
    [("QUERY_LIMIT_EXCEEDED", Throttled), ("INTERNAL_SERVER_ERROR", ServerFault)],
)
async def test_retry_after_beside_a_code(
    client: Bitrix24Client,
    portal: Portal,
    code: str,
    error: type[Bitrix24Error],
    header: str,
    seconds: float | None,
) -> None:
    """A header has the time, an hour at most, also where the answer is the portal's."""
    headers = {"Retry-After": header}
    portal.fault(Body(json.dumps({"error": code}), 503, headers=headers))
    with pytest.raises(error) as caught:
        await call(client, "profile")
    assert caught.value.retry_after == seconds
    assert len(portal.requests) == (3 if seconds is None else 1)


async def test_retry_after_of_an_exceeded_operating_time(
    client: Bitrix24Client, portal: Portal
) -> None:
    """The time in the header takes precedence over the one in the last answer."""
    await client.batch({"a": f"{STATUS}?REG_ID={MAIN}"})
    body = json.dumps({"error": "OPERATION_TIME_LIMIT"})
    portal.fault(Body(body, 429, headers={"Retry-After": "7"}))
    with pytest.raises(OperatingTimeExceeded) as caught:
        await call(client, STATUS, {"REG_ID": MAIN})
    assert caught.value.retry_after == 7


async def test_other_errors_do_not_wait_for_the_operating_time(
    client: Bitrix24Client, portal: Portal
) -> None:
    """Only an exceeded operating time has to do with its reset."""
    command = {"a": f"{STATUS}?REG_ID={MAIN}"}
    await client.batch(command)
    portal.lines[MAIN].unreachable = True
    error = (await client.batch(command)).errors["a"]
    assert isinstance(error, RegistrationNotFound)
    assert error.retry_after is None


async def test_an_error_beside_a_result(client: Bitrix24Client, portal: Portal) -> None:
    """An answer with both is an error."""
    portal.fault(Body('{"result": [], "error": "SOMETHING_NEW"}'))
    with pytest.raises(UnknownError):
        await call(client, "profile")


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ('\ufeff{"result": "a"}', "a"),
        ('{"result": "\\ud800"}', "\ud800"),
    ],
)
async def test_json_that_the_fast_parser_refuses(
    client: Bitrix24Client, portal: Portal, body: str, result: str
) -> None:
    """A byte order mark and half a surrogate pair are accepted all the same."""
    portal.fault(Body(body))
    assert await call(client, "profile") == result


async def test_an_unknown_code_is_reported(
    client: Bitrix24Client, portal: Portal
) -> None:
    """An error code never seen before is reported with its code."""
    portal.fault(ErrorReply("SOMETHING_NEW", "Text", 401))
    with pytest.raises(Bitrix24Error, match="SOMETHING_NEW") as caught:
        await call(client, "profile")
    assert caught.value.code == "SOMETHING_NEW"
    assert not isinstance(caught.value, InvalidWebhook)


async def test_validate_webhook(telephony: Telephony, portal: Portal) -> None:
    """One request validates a webhook and returns the portal's lines."""
    assert (await telephony.validate_webhook()).keys() == {MAIN, SALES, SUPPORT}
    assert len(portal.requests) == 1
    portal.permitted = False
    with pytest.raises(MissingPermission):
        await telephony.validate_webhook()
    portal.permitted = True
    portal.fault(ErrorReply("ERROR_CORE", "", 500), method="scope")
    with pytest.raises(ServerFault):
        await telephony.validate_webhook()


async def test_certificate(
    session: aiohttp.ClientSession, tmp_path: Path, socket_enabled: None
) -> None:
    """An untrusted certificate is refused, a trusted one is accepted."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    portal = Portal()
    portal.allow_http = False
    await portal.start(ssl_context=context)
    try:
        client = Bitrix24Client(session, Webhook.parse(portal.webhook))
        with pytest.raises(InsecureConnection, match=r"^insecure_connection$"):
            await call(client, "profile")
        assert client.statistics.requests == 1, "it would be refused again"
        assert not portal.requests
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        connector = aiohttp.TCPConnector(ssl=trusting)
        async with aiohttp.ClientSession(connector=connector) as trusted:
            client = Bitrix24Client(trusted, Webhook.parse(portal.webhook))
            assert (await call(client, "profile"))["ID"] == "1"
            portal.fault(Redirect(f"{portal.url}{{path}}"))
            with pytest.raises(UnexpectedAnswer):  # it is https already
                await call(client, "profile")
    finally:
        await portal.stop()


@pytest.fixture
def assert_no_secret(
    portal: Portal, caplog: pytest.LogCaptureFixture
) -> Callable[[BaseException], None]:
    """Return a function that looks for the secret in an error and in the logs."""
    caplog.set_level(logging.DEBUG)
    webhook = Webhook.parse(portal.webhook)

    def assert_no_secret(error: BaseException) -> None:
        chain: BaseException | None = error
        while chain is not None:
            assert not webhook.leaks_into(f"{chain} {chain!r} {chain.args!r}")
            assert chain.__cause__ is None
            chain = chain.__context__
        assert not webhook.leaks_into("".join(traceback.format_exception(error)))
        assert not webhook.leaks_into(caplog.text)

    return assert_no_secret


@pytest.mark.parametrize("slug", FAULTS)
async def test_every_fault(
    client: Bitrix24Client,
    portal: Portal,
    slug: str,
    assert_no_secret: Callable[[BaseException], None],
) -> None:
    """The secret is in no error, cause, traceback or log, whatever the fault."""
    portal.fault(FAULTS[slug])
    with pytest.raises((TransientError, PermanentError)) as caught:
        await client.batch({"a": "profile"})
    assert caught.value.reason == MATRIX[slug].reason.removesuffix("_without_code")
    assert_no_secret(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        ErrorReply("q7w8e9r0t1y2u3i4", "q7w8e9r0t1y2u3i4"),
        ErrorReply("X", "see /rest/1/q7w8e9r0t1y2u3i4/"),
        Redirect("https://q7w8e9r0t1y2u3i4/rest/1/q7w8e9r0t1y2u3i4/profile"),
        Body("<html>/rest/1/q7w8e9r0t1y2u3i4/profile</html>", 502, "text/html"),
    ],
)
async def test_a_portal_that_repeats_the_secret(
    client: Bitrix24Client,
    portal: Portal,
    fault: ErrorReply | Redirect | Body,
    assert_no_secret: Callable[[BaseException], None],
) -> None:
    """Text from the portal is not repeated if it contains the secret."""
    portal.fault(fault)
    with pytest.raises(Bitrix24Error) as caught:
        await call(client, "profile")
    assert_no_secret(caught.value)


async def test_a_code_that_repeats_the_secret(
    client: Bitrix24Client, portal: Portal
) -> None:
    """It is left out; the reason still tells what is wrong."""
    portal.fault(ErrorReply("q7w8e9r0t1y2u3i4"))
    with pytest.raises(Bitrix24Error) as caught:
        await call(client, "profile")
    assert (caught.value.code, str(caught.value)) == ("", "unknown_error")


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Body("<html></html>", 500, "text/html"), "server_error (HTTP 500)"),
        (Body("<html></html>", 499, "text/html"), "not_bitrix24"),
        (ErrorReply("SOMETHING_NEW", "", 500), "server_error (SOMETHING_NEW)"),
        (ErrorReply("SOMETHING_NEW", "", 499), "unknown_error (SOMETHING_NEW)"),
    ],
)
async def test_server_errors_begin_at_500(
    client: Bitrix24Client, portal: Portal, fault: Fault, text: str
) -> None:
    """An unknown answer with a status of 500 or more is a server error."""
    portal.fault(fault)
    with pytest.raises(TransientError) as caught:
        await call(client, "profile")
    assert str(caught.value) == text
