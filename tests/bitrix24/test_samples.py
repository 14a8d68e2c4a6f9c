"""Recorded and documented answers, replayed: each has the outcome in its sample."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from custom_components.bitrix24_sip.bitrix24 import (
    Bitrix24Client,
    Bitrix24Error,
    SipLine,
    SipRegistration,
    Telephony,
    TransientError,
    Webhook,
)
from custom_components.bitrix24_sip.bitrix24.errors import (
    HttpsRequired,
    InvalidWebhook,
    MissingPermission,
    MissingScope,
    OperatingTimeExceeded,
    PlanRestricted,
    PortalClosed,
    PortalMoved,
    PortalOverloaded,
    RegistrationNotFound,
    RequestTimeout,
    ServerFault,
    TelephonyMissing,
    Throttled,
    UnexpectedAnswer,
    UnknownError,
)
from custom_components.bitrix24_sip.bitrix24.telephony import (
    parse_connector,
    parse_lines,
)
from dev.portal import Portal
from dev.portal.faults import Body

from .conftest import call

SAMPLES: dict[str, Any] = {
    sample["id"]: sample
    for sample in json.loads(
        (Path(__file__).parents[1] / "fixtures" / "samples.json").read_text()
    )
}
SAMPLE_CODE = "abcdefghij012345"

ERRORS: dict[str, type[Bitrix24Error]] = {
    "S10": UnknownError,
    "S22": RegistrationNotFound,
    "S24": RegistrationNotFound,
    "S27": ServerFault,
    "S30": InvalidWebhook,
    "S31": InvalidWebhook,
    "S32": TelephonyMissing,
    "S35": TelephonyMissing,
    "S36": MissingScope,
    "S37": MissingScope,
    "S38": MissingPermission,
    "S39": PlanRestricted,
    "S41": PlanRestricted,
    "S42": PlanRestricted,
    "S46": HttpsRequired,
    "S47": InvalidWebhook,
    "S48": PortalOverloaded,
    "S50": PortalClosed,
    "S51": PortalClosed,
    "S53": Throttled,
    "S55": OperatingTimeExceeded,
    "S56": ServerFault,
    "S57": ServerFault,
    "S59": ServerFault,
    "S60": ServerFault,
    "S62": ServerFault,
    "S63": RequestTimeout,
    "S64": UnexpectedAnswer,
    "S67": UnexpectedAnswer,
    "S68": UnexpectedAnswer,
    "S70": TelephonyMissing,
    "S71": PortalMoved,
    "S73": HttpsRequired,
    "S74": UnexpectedAnswer,
    "S91": InvalidWebhook,
}
# Commands of a batch that fail, by sample and key.
COMMAND_ERRORS: dict[str, dict[str, type[Bitrix24Error]]] = {
    "S77": {"s201002": RegistrationNotFound},
    "S79": {"lines": MissingScope, "sip": UnexpectedAnswer},
    "S81": {"a": TelephonyMissing},
    "S82": {"s201001": OperatingTimeExceeded},
    "S83": {},
    "S85": {},
    "S86": {},
    "S89": {"b": UnknownError},
    "S90": {"c51": UnknownError, "c52": UnknownError},
}


@pytest.fixture
async def sample_client(
    session: aiohttp.ClientSession, portal: Portal
) -> Bitrix24Client:
    """Provide a client whose webhook is that of the samples."""
    portal.code = SAMPLE_CODE
    return Bitrix24Client(session, Webhook.parse(portal.webhook))


def replay(portal: Portal, sample: dict[str, Any]) -> str:
    """Have the portal answer as the sample does; return the method that is asked."""
    response = sample["response"]
    headers = dict(response.get("headers", {}))
    kind = headers.pop("Content-Type", "application/json; charset=utf-8")
    if "Location" in headers:
        headers["Location"] = headers["Location"].replace("b24.lan", portal.host)
    body = response.get("body_text")
    if body is None:
        body = json.dumps(response["body"])
    portal.fault(Body(body, response["status"], kind, headers))
    method: str = sample["request"]["path"].rsplit("/", 1)[1]
    return method


def commands_of(sample: dict[str, Any]) -> dict[str, str]:
    """Return the commands of a sample's batch."""
    cmd = sample["request"].get("json", {}).get("cmd", {})
    if isinstance(cmd, list):
        cmd = {str(at): command for at, command in enumerate(cmd)}
    # "…" stands for commands that the sample leaves out.
    return {key: command for key, command in cmd.items() if key != "…"}


def test_every_sample_is_tested() -> None:
    """Every sample belongs to one of the tests below."""
    successes = {key for key, s in SAMPLES.items() if s["class"] == "success"}
    judged_by_the_caller = {"S03", "S05", "S08"}
    assert SAMPLES.keys() == (
        successes | ERRORS.keys() | COMMAND_ERRORS.keys() | judged_by_the_caller
    )


@pytest.mark.parametrize("key", ERRORS)
async def test_error(sample_client: Bitrix24Client, portal: Portal, key: str) -> None:
    """The whole request fails with the sample's error."""
    sample = SAMPLES[key]
    method = replay(portal, sample)
    with pytest.raises(Bitrix24Error) as caught:
        await call(sample_client, method, sample["request"].get("json"))
    assert type(caught.value) is ERRORS[key]
    assert ("TRANSIENT" in sample["class"]) <= isinstance(caught.value, TransientError)
    if isinstance(caught.value, PortalMoved):
        assert caught.value.new_host == "acme-new.bitrix24.test"


@pytest.mark.parametrize(
    "key",
    [
        key
        for key, sample in SAMPLES.items()
        if sample["class"] == "success" and key not in COMMAND_ERRORS
    ],
)
async def test_success(sample_client: Bitrix24Client, portal: Portal, key: str) -> None:
    """The result is returned unchanged."""
    sample = SAMPLES[key]
    method = replay(portal, sample)
    result = await call(sample_client, method, sample["request"].get("json"))
    body = sample["response"].get("body")
    if body is None:
        body = json.loads(sample["response"]["body_text"].lstrip("\ufeff"))
    assert result == body["result"]


@pytest.mark.parametrize("key", COMMAND_ERRORS)
async def test_batch(sample_client: Bitrix24Client, portal: Portal, key: str) -> None:
    """Each command of a batch succeeds or fails by itself."""
    sample = SAMPLES[key]
    replay(portal, sample)
    commands = commands_of(sample)
    answer = await sample_client.batch(commands)
    assert {k: type(error) for k, error in answer.errors.items()} == COMMAND_ERRORS[key]
    assert answer.results.keys() == commands.keys() - answer.errors.keys()


@pytest.mark.parametrize(
    ("key", "status", "code", "settled"),
    [
        ("S17", "success", 200, True),
        ("S18", "error", 403, True),
        ("S20", "in_progress", None, False),
        ("S21", "wait", None, False),
    ],
)
async def test_registration(
    sample_client: Bitrix24Client,
    portal: Portal,
    key: str,
    status: str,
    code: int | None,
    settled: bool,
) -> None:
    """A recorded status is parsed, also inside a batch."""
    result = SAMPLES[key]["response"]["body"]["result"]
    reg_id = result["REG_ID"]
    batch = {"result": {"result": {f"s{reg_id}": result}}}
    portal.fault(Body(json.dumps(batch)))
    answers = await Telephony(sample_client).ask_now([reg_id])
    registration = answers[reg_id]
    assert isinstance(registration, SipRegistration)
    assert registration.status_result == status
    assert registration.status_code == code
    assert registration.settled is settled
    assert registration.registered is (status == "success")


async def test_lines(sample_client: Bitrix24Client, portal: Portal) -> None:
    """The list has three Cloud PBX lines among others."""
    replay(portal, SAMPLES["S12"])
    assert parse_lines(await call(sample_client, "voximplant.line.get")) == {
        201001: SipLine(201001, "Основная линия"),
        201002: SipLine(201002, "Облачная АТС (9)"),
        201003: SipLine(201003, 'Sales & "Support"'),
    }


async def test_connector(sample_client: Bitrix24Client, portal: Portal) -> None:
    """The connector's end has a time zone."""
    replay(portal, SAMPLES["S26"])
    method = "voximplant.sip.connector.status"
    connector = parse_connector(await call(sample_client, method))
    assert connector.paid is True
    assert connector.free_minutes == 0
    assert connector.paid_until
    assert connector.paid_until.isoformat() == "2026-12-31T00:00:00+00:00"


@pytest.mark.parametrize(
    ("key", "command", "error"),
    [("S03", "profile", InvalidWebhook), ("S05", "scope", MissingScope)],
)
async def test_results_that_do_not_validate_a_webhook(
    sample_client: Bitrix24Client,
    portal: Portal,
    key: str,
    command: str,
    error: type[Bitrix24Error],
) -> None:
    """Some results have the form of a success and mean an invalid webhook."""
    results = {
        "profile": SAMPLES["S01"]["response"]["body"]["result"],
        "scope": SAMPLES["S04"]["response"]["body"]["result"],
        "lines": SAMPLES["S12"]["response"]["body"]["result"],
    }
    results[command] = SAMPLES[key]["response"]["body"]["result"]
    portal.fault(Body(json.dumps({"result": {"result": results}})))
    with pytest.raises(error):
        await Telephony(sample_client).validate_webhook()


async def test_method_get_is_not_reliable(
    sample_client: Bitrix24Client, portal: Portal
) -> None:
    """`method.get` also succeeds for a missing method, so it is not used."""
    replay(portal, SAMPLES["S08"])
    result = await call(sample_client, "method.get", {"name": "voximplant.sip.status"})
    assert result == {"isExisting": False, "isAvailable": False}
