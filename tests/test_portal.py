"""The simulated portal keeps the rules of Bitrix24's REST API."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
import sys
from typing import Any

import aiohttp
import pytest

from dev.portal import DEFAULT_CODE, Portal, encode
from dev.portal.faults import ErrorReply

from .conftest import MAIN, SALES, SUPPORT

type Ask = Callable[..., Awaitable[tuple[int, Any]]]

STATUS = "voximplant.sip.status"


@pytest.fixture(autouse=True)
def custom_integrations() -> None:
    """Override the fixture of the other tests: Home Assistant is not needed here."""


@pytest.fixture
async def ask(portal: Portal) -> AsyncGenerator[Ask]:
    """Return a function that asks the portal; it returns status and body."""
    async with aiohttp.ClientSession() as session:

        async def ask(
            method: str, *, verb: str = "POST", base: str = "", **kwargs: Any
        ) -> tuple[int, Any]:
            url = (base or portal.webhook) + method
            async with session.request(
                verb, url, allow_redirects=False, **kwargs
            ) as response:
                if response.content_type != "application/json":
                    return response.status, await response.text()
                return response.status, await response.json()

        yield ask


@pytest.mark.parametrize("method", ["profile", "profile.json", "PROFILE", "profile/"])
async def test_paths(ask: Ask, method: str) -> None:
    """A suffix, a trailing slash and capitals do not matter."""
    status, body = await ask(method)
    assert status == 200
    assert body["result"]["ID"] == "1"


async def test_invalid_paths(ask: Ask, portal: Portal) -> None:
    """The root and a path without a user ID answer as an unknown method does."""
    root = f"{portal.url}/rest/"
    for path in (
        "1/" + DEFAULT_CODE + "/",
        f"{DEFAULT_CODE}/profile",
        "1/x/profile.php",
    ):
        status, body = await ask(path, base=root)
        assert (status, body["error"]) == (404, "ERROR_METHOD_NOT_FOUND"), path
    status, body = await ask("profile", base=root)
    assert (status, body["error"]) == (401, "NO_AUTH_FOUND")


@pytest.mark.parametrize(
    ("verb", "kwargs"),
    [
        ("POST", {"json": {"REG_ID": MAIN}}),
        ("POST", {"json": {"reg_id": str(MAIN)}}),
        ("POST", {"data": {"REG_ID": str(MAIN)}}),
        ("POST", {"params": {"REG_ID": str(MAIN)}}),
        ("GET", {"params": {"REG_ID": str(MAIN)}}),
    ],
)
async def test_parameters(ask: Ask, verb: str, kwargs: dict[str, Any]) -> None:
    """Parameters are accepted as JSON, form or query, with names in any case."""
    status, body = await ask(STATUS, verb=verb, **kwargs)
    assert status == 200
    assert body["result"]["REG_ID"] == MAIN


async def test_broken_json_is_no_parameters(ask: Ask) -> None:
    """The method is called without its REG_ID."""
    headers = {"Content-Type": "application/json"}
    status, body = await ask(STATUS, data="{broken", headers=headers)
    assert (status, body["error"]) == (400, "REG_ID_NOT_FOUND")


def test_encoding() -> None:
    r"""ASCII only, with PHP's escapes."""
    assert encode({"a": "Ж/<>&'\""}) == (
        rb'{"a":"\u0416\/\u003C\u003E\u0026\u0027\u0022"}'
    )


async def test_order_of_checks(ask: Ask, portal: Portal) -> None:
    """The method comes before the webhook, that before the scope, that before the plan."""
    portal.plan = portal.permitted = False
    portal.scopes.clear()
    dead = f"{portal.url}/rest/1/wrongwrongwrong0/"
    assert (await ask("nonsense", base=dead))[0] == 404
    assert (await ask(STATUS, base=dead))[1]["error"] == "INVALID_CREDENTIALS"
    assert (await ask(STATUS))[1]["error"] == "insufficient_scope"
    portal.scopes.add("telephony")
    assert (await ask(STATUS)) == (
        401,
        {
            "error": "ACCESS_DENIED",
            "error_description": "REST is available only by subscription.",
        },
    )
    portal.plan = True
    assert (await ask(STATUS)) == (
        403,
        {"error": "ACCESS_DENIED", "error_description": "Access denied!"},
    )
    portal.deleted = True
    assert (await ask("nonsense"))[1]["error"] == "PORTAL_DELETED"


async def test_old_statuses(ask: Ask, portal: Portal) -> None:
    """The older documentation has other statuses for the same errors."""
    portal.status_flavour = "olddocs"
    portal.scopes.clear()
    assert (await ask(STATUS))[0] == 403
    assert (await ask("profile", base=f"{portal.url}/rest/1/wrong/"))[0] == 403
    portal.deleted = True
    assert (await ask("profile"))[0] == 500


async def test_time_blocks(ask: Ask, portal: Portal) -> None:
    """Whole seconds and operating time in the cloud, neither on older servers."""
    block = (await ask(STATUS, json={"REG_ID": MAIN}))[1]["time"]
    assert isinstance(block["start"], int)
    assert block["operating"] == 0.15
    assert block["operating_reset_at"] % 60 == 0
    portal.time_flavour = "legacy"
    block = (await ask("profile"))[1]["time"]
    assert isinstance(block["start"], float)
    assert "operating" not in block


async def test_batch_as_maps_and_lists(ask: Ask, portal: Portal) -> None:
    """Keys 0, 1, 2 without a gap become a list, an empty map too."""
    _, body = await ask("batch", json={"cmd": ["server.time", "scope"]})
    assert isinstance(body["result"]["result"], list)
    assert body["result"]["result_error"] == []
    _, body = await ask("batch", json={"cmd": [f"{STATUS}?REG_ID=9", "scope"]})
    assert list(body["result"]["result"]) == ["1"]
    assert isinstance(body["result"]["result_error"], list)
    _, body = await ask("batch", json={})
    assert set(map(str, body["result"].values())) == {"[]"}


async def test_batch_limits(ask: Ask) -> None:
    """Fifty commands run; further ones, and a batch within a batch, are refused."""
    cmd = {f"c{at:02}": "server.time" for at in range(1, 53)}
    status, body = await ask("batch", json={"cmd": cmd | {"c01": "batch?cmd[a]=scope"}})
    assert status == 200
    codes = {k: e["error"] for k, e in body["result"]["result_error"].items()}
    assert codes == {
        "c01": "ERROR_BATCH_METHOD_NOT_ALLOWED",
        "c51": "ERROR_BATCH_LENGTH_EXCEEDED",
        "c52": "ERROR_BATCH_LENGTH_EXCEEDED",
    }


@pytest.mark.parametrize(("halt", "ran"), [(0, 1), (1, 0), ("false", 0), ("0", 1)])
async def test_batch_halt(ask: Ask, halt: object, ran: int) -> None:
    """The value is cast as in PHP: the string "false" is true."""
    cmd = {"bad": "nonsense", "number": 7, "good": "server.time"}
    _, body = await ask("batch", json={"halt": halt, "cmd": cmd})
    assert len(body["result"]["result"]) == ran
    assert list(body["result"]["result_error"]) == ["bad"]


async def test_batch_scope_has_no_text(ask: Ask, portal: Portal) -> None:
    """Inside a batch a missing scope has an empty description, and status 200."""
    portal.scopes.clear()
    status, body = await ask("batch", json={"cmd": {"a": "voximplant.line.get"}})
    assert status == 200
    assert body["result"]["result_error"]["a"] == {
        "error": "insufficient_scope",
        "error_description": "",
    }


async def test_lines_of_all_owners(ask: Ask, portal: Portal) -> None:
    """line.get has all lines, sip.get not those of applications; sip.status has them."""
    portal.lines[SALES].owner = "app"
    portal.lines[SUPPORT].title = "A & <B>"
    portal.office_lines[7] = "Office"
    portal.numbers["74951230000"] = "+7"
    _, body = await ask("voximplant.line.get")
    assert body["result"] == {
        f"reg{MAIN}": "Main line",
        f"reg{SALES}": "Sales",
        f"reg{SUPPORT}": "A &amp; &lt;B&gt;",
        "sip7": "Office",
        "74951230000": "+7",
    }
    _, body = await ask("voximplant.sip.get", json={"FILTER": {"type": "cloud"}})
    assert [line["REG_ID"] for line in body["result"]] == [str(MAIN), str(SUPPORT)]
    assert body["total"] == 2
    assert "SECRET-MARKER" in body["result"][0]["PASSWORD"]
    _, body = await ask("voximplant.sip.get", json={"FILTER": {"TYPE": "none"}})
    assert body["result"] == []
    assert "total" not in body
    assert (await ask(STATUS, json={"REG_ID": SALES}))[0] == 200


async def test_outgoing_line_and_links(ask: Ask, portal: Portal) -> None:
    """The outgoing line needs the permission to manage numbers; the links do not."""
    status, body = await ask("voximplant.line.outgoing.get")
    assert (status, body["result"]) == (200, f"reg{MAIN}")
    portal.outgoing = "sip7"
    assert (await ask("voximplant.line.outgoing.get"))[1]["result"] == "sip7"
    portal.permitted = False
    assert (await ask("voximplant.line.outgoing.get"))[0] == 403
    status, body = await ask("voximplant.url.get")
    assert status == 200
    assert body["result"]["lines"] == f"{portal.url}/telephony/lines.php"


async def test_status_notifies_on_change(ask: Ask, portal: Portal) -> None:
    """A status that differs from the stored one notifies administrators, once."""
    for _ in range(2):
        await ask(STATUS, json={"REG_ID": MAIN})
    portal.lines[MAIN].drop(403)
    for _ in range(2):
        await ask(STATUS, json={"REG_ID": MAIN})
    assert portal.notifications == [(MAIN, 200), (MAIN, 403)]
    _, body = await ask("voximplant.sip.get", json={"FILTER": {"REG_ID": MAIN}})
    assert body["result"][0]["REGISTRATION_STATUS_CODE"] == "403"


async def test_leaky_bucket(ask: Ask, portal: Portal) -> None:
    """Requests over the threshold are refused; the bucket drains by two a second."""
    now = 1_800_000_000.0
    portal.clock = lambda: now
    portal.rate = (2.0, 5.0)
    statuses = [(await ask("profile"))[0] for _ in range(8)]
    assert statuses == [200] * 6 + [503] * 2
    now += 1
    statuses = [(await ask("batch", json={}))[0] for _ in range(3)]
    assert statuses == [200, 200, 503]


async def test_operating_time(ask: Ask, portal: Portal) -> None:
    """Operating time is booked by the minute, checked before a call, and expires."""
    now = 1_800_000_000.0
    portal.clock = lambda: now
    portal.operating_limit = 10.0
    portal.operating_cost[STATUS] = 6.0
    statuses = [(await ask(STATUS, json={"REG_ID": MAIN}))[0] for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert (await ask("voximplant.line.get"))[0] == 200
    _, body = await ask("batch", json={"cmd": {"a": f"{STATUS}?REG_ID={MAIN}"}})
    assert body["result"]["result_error"]["a"]["error"] == "OPERATION_TIME_LIMIT"
    now += 600
    assert (await ask(STATUS, json={"REG_ID": MAIN}))[0] == 200


async def test_cut(ask: Ask, portal: Portal) -> None:
    """A batch that takes longer than the portal allows is lost as a whole."""
    portal.cut_after = 0.2
    portal.lines[SALES].delay = 30
    cmd = {str(r): f"{STATUS}?REG_ID={r}" for r in (MAIN, SALES)}
    status, body = await ask("batch", json={"cmd": cmd})
    assert status == 504
    assert "Gateway" in body


async def test_moved(ask: Ask, portal: Portal) -> None:
    """A renamed portal redirects with its path."""
    portal.moved_to = "https://new.example.com"
    assert (await ask("profile"))[0] == 302


async def test_when_faults_apply(ask: Ask, portal: Portal) -> None:
    """A fault can apply to a method or a line, later, a number of times, and be cleared."""
    fault = portal.fault(ErrorReply("X"), method="profile", skip=1, times=2)
    statuses = [(await ask("profile"))[0] for _ in range(4)]
    assert statuses == [200, 400, 400, 200]
    assert fault.hits == 2
    fault.clear()
    portal.fault(ErrorReply("X"), method=STATUS, reg_id=SALES)
    cmd = {f"s{r}": f"{STATUS}?REG_ID={r}" for r in (MAIN, SALES)}
    _, body = await ask("batch", json={"cmd": cmd})
    assert list(body["result"]["result_error"]) == [f"s{SALES}"]
    assert (await ask(STATUS, json={"REG_ID": SALES}))[0] == 400
    portal.clear_faults()
    assert (await ask(STATUS, json={"REG_ID": SALES}))[0] == 200


async def test_counters(ask: Ask, portal: Portal) -> None:
    """The portal counts requests, commands, and simultaneous requests."""
    await ask("batch", json={"cmd": {"a": "scope", "b": "scope"}})
    await ask("scope")
    assert [request.method for request in portal.requests] == ["batch", "scope"]
    assert portal.commands("scope") == 3
    assert portal.max_concurrent == 1


async def test_command_line(ask: Ask) -> None:
    """`python -m dev.portal` starts a portal, and prints its webhook first."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dev.portal", "--lines", "2"),
        cwd=Path(__file__).parents[1],
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        webhook = (await process.stdout.readline()).decode().strip()
        _, body = await ask("voximplant.line.get", base=webhook)
    finally:
        process.terminate()
        await process.wait()
    assert body["result"] == {"reg201001": "Line 1", "reg201002": "Line 2"}
