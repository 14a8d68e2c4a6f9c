"""Parsing of answers: documented ones, malformed ones, and arbitrary ones."""

from datetime import UTC, datetime
import time
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.bitrix24_sip.bitrix24 import (
    OutgoingLine,
    PortalLinks,
    RegistrationStatus,
    SipConnector,
    SipLine,
    SipRegistration,
)
from custom_components.bitrix24_sip.bitrix24.errors import (
    Bitrix24Error,
    ConnectionFailed,
    Throttled,
    UnexpectedAnswer,
    error_of,
)
from custom_components.bitrix24_sip.bitrix24.sip_codes import Cause
from custom_components.bitrix24_sip.bitrix24.telephony import (
    MAX_MESSAGE,
    MAX_TITLE,
    clean,
    parse_connector,
    parse_int,
    parse_lines,
    parse_links,
    parse_outgoing,
    parse_reg_id,
    parse_registration,
    parse_time,
)

WHEN = datetime(2026, 9, 10, 0, 26, 40, tzinfo=UTC)
REGISTERED = {
    "REG_ID": 201001,
    "LAST_UPDATED": "2026-09-10 00:26:40",
    "ERROR_MESSAGE": "",
    "STATUS_CODE": 200,
    "STATUS_RESULT": "success",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = ("REG_ID", "LAST_UPDATED", "ERROR_MESSAGE", "STATUS_CODE", "STATUS_RESULT")


def test_registered() -> None:
    """The documented answer is parsed."""
    registration = parse_registration(REGISTERED, 201001)
    assert registration == SipRegistration(201001, "success", 200, "", WHEN)
    assert registration.status is RegistrationStatus.SUCCESS
    assert registration.registered
    assert registration.settled


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"REG_ID": "201001"}, "reg_id", 201001),
        ({"REG_ID": None}, "reg_id", 201001),
        ({"STATUS_CODE": "403"}, "status_code", 403),
        ({"STATUS_CODE": 403.0}, "status_code", 403),
        ({"STATUS_CODE": None}, "status_code", None),
        ({"STATUS_CODE": 0}, "status_code", None),
        ({"STATUS_CODE": "0"}, "status_code", None),
        ({"STATUS_CODE": ""}, "status_code", None),
        ({"STATUS_CODE": []}, "status_code", None),
        ({"STATUS_CODE": True}, "status_code", None),
        ({"STATUS_CODE": -1}, "status_code", None),
        ({"STATUS_CODE": 10**40}, "status_code", None),
        ({"STATUS_CODE": "9" * 40}, "status_code", None),
        ({"ERROR_MESSAGE": "Forbidden"}, "error_message", "Forbidden"),
        ({"ERROR_MESSAGE": None}, "error_message", ""),
        ({"ERROR_MESSAGE": []}, "error_message", ""),
        ({"ERROR_MESSAGE": "a\x00b\r\n\tc"}, "error_message", "a b c"),
        ({"ERROR_MESSAGE": "x" * 10_000}, "error_message", "x" * 254 + "…"),
        ({"LAST_UPDATED": None}, "last_updated", None),
        ({"LAST_UPDATED": ""}, "last_updated", None),
        ({"LAST_UPDATED": "0000-00-00 00:00:00"}, "last_updated", None),
        ({"LAST_UPDATED": "2026-02-30 00:00:00"}, "last_updated", None),
        ({"LAST_UPDATED": "0001-01-01T00:00:00+14:00"}, "last_updated", None),
        ({"LAST_UPDATED": 1789000000}, "last_updated", None),
        ({"LAST_UPDATED": "2026-09-10T03:26:40+03:00"}, "last_updated", WHEN),
        ({"STATUS_RESULT": "SUCCESS"}, "status_result", "success"),
        ({"STATUS_RESULT": "resting"}, "status_result", "resting"),
        ({"STATUS_RESULT": "resting"}, "status", None),
        ({"STATUS_RESULT": "resting"}, "registered", False),
        ({"STATUS_RESULT": "resting"}, "settled", False),
        ({"STATUS_RESULT": "wait"}, "status", RegistrationStatus.WAIT),
        ({"STATUS_RESULT": "wait"}, "settled", False),
        ({"STATUS_RESULT": "in_progress"}, "status", RegistrationStatus.IN_PROGRESS),
        ({"STATUS_RESULT": "in_progress"}, "settled", False),
        ({"STATUS_RESULT": "error"}, "settled", True),
        ({"STATUS_RESULT": "error"}, "cause", Cause.OTHER),
        ({"STATUS_RESULT": "wait"}, "cause", Cause.NO_ANSWER),
        ({"STATUS_RESULT": "success"}, "cause", None),
        ({"STATUS_RESULT": "error"}, "registered", False),
    ],
)
def test_registration_in_all_its_types(
    change: dict[str, Any], field: str, value: Any
) -> None:
    """Numbers as strings, null, '', and PHP's [] for {}."""
    registration = parse_registration(REGISTERED | change, 201001)
    assert getattr(registration, field) == value


def test_a_status_alone() -> None:
    """Everything else may be missing."""
    registration = parse_registration({"STATUS_RESULT": "error"}, 201001)
    assert registration == SipRegistration(201001, "error")


@pytest.mark.parametrize(
    "result",
    [
        None,
        True,
        [],
        "success",
        {},
        REGISTERED | {"STATUS_RESULT": None},
        REGISTERED | {"STATUS_RESULT": ""},
        REGISTERED | {"STATUS_RESULT": 200},
        REGISTERED | {"STATUS_RESULT": ["success"]},
        REGISTERED | {"REG_ID": 201002},
        REGISTERED | {"REG_ID": "x"},
    ],
)
def test_an_answer_that_cannot_be_parsed(result: Any) -> None:
    """It is unknown, and never taken for a status."""
    with pytest.raises(UnexpectedAnswer):
        parse_registration(result, 201001)


def test_lines() -> None:
    """Keys reg<REG_ID> are lines; titles are unescaped once, cleaned and truncated."""
    lines = parse_lines(
        {
            "reg201001": "Основная линия",
            "sip7": "Office PBX 1",
            "reg201003": "Sales &amp; &quot;Support&quot;",
            "reg4": "&amp;lt;",
            "reg5": "",
            "reg6": None,
            "reg7": "x" * 5000,
            "reg10": "&#65537;" * 100,
            "reg8": "  a\x07 {b} 😀\n<b>c</b> ",
            "74951230000": "+7 495 123-00-00",
            "reg": "no",
            "regabc": "no",
            "reg-5": "no",
            "reg0": "no",
            "reg01": "no",
            "reg1.5": "no",
            "reg٣": "no",
            "xreg9": "no",
            "reg9 ": "no",
            "reg" + "9" * 19: "no",
        }
    )
    assert lines == {
        line.reg_id: line
        for line in (
            SipLine(201001, "Основная линия"),
            SipLine(201003, 'Sales & "Support"'),
            SipLine(4, "&lt;"),
            SipLine(5),
            SipLine(6),
            SipLine(7, "x" * 99 + "…"),
            SipLine(10, "\U00010001" * 100),
            SipLine(8, "a {b} 😀 <b>c</b>"),
        )
    }


def test_no_lines() -> None:
    """PHP encodes an empty object as a list."""
    assert parse_lines([]) == {}
    assert parse_lines({}) == {}


@pytest.mark.parametrize("result", [None, "", 0, ["x"], True])
def test_malformed_list(result: Any) -> None:
    """A malformed list does not count as an empty one, so no line is removed."""
    with pytest.raises(UnexpectedAnswer):
        parse_lines(result)


@pytest.mark.parametrize(
    ("result", "connector"),
    [
        (
            {
                "FREE_MINUTES": 0,
                "PAID": True,
                "PAID_DATE_END": "2026-09-10T03:26:40+03:00",
            },
            SipConnector(True, WHEN, 0),
        ),
        ({"FREE_MINUTES": "60", "PAID": False}, SipConnector(False, None, 60)),
        (
            {"FREE_MINUTES": 5, "PAID": 1, "PAID_DATE_END": ""},
            SipConnector(True, None, 5),
        ),
        ({"PAID": "Y"}, SipConnector(True)),
        ({"PAID": "0"}, SipConnector(False)),
        ({"PAID": "N"}, SipConnector(False)),
        ({"PAID": None, "FREE_MINUTES": -5}, SipConnector()),
        ({"PAID": "perhaps"}, SipConnector()),
        (
            {"PAID": False, "PAID_DATE_END": "2026-09-10T03:26:40+03:00"},
            SipConnector(False),
        ),
    ],
)
def test_connector(result: Any, connector: SipConnector) -> None:
    """The connector's state is parsed from all types that occur."""
    assert parse_connector(result) == connector


@pytest.mark.parametrize(
    ("result", "reg_id"),
    [
        ("reg150907", 150907),
        (" reg7 ", 7),
        ("sip12", None),
        ("74951234567", None),
        (74951234567, None),
        ("", None),
        ("reg", None),
        ("reg0", None),
        (f"reg{10**19 - 1}", None),
    ],
)
def test_outgoing_line(result: Any, reg_id: int | None) -> None:
    """Only a Cloud PBX line has a REG_ID."""
    assert parse_outgoing(result) == OutgoingLine(reg_id)


@pytest.mark.parametrize("result", [None, [], {}, True, 1.5])
def test_outgoing_line_that_is_none(result: Any) -> None:
    """What is no text and no number names no line."""
    with pytest.raises(UnexpectedAnswer):
        parse_outgoing(result)


@pytest.mark.parametrize(
    ("link", "kept"),
    [
        ("https://acme.bitrix24.com/buy", True),
        ("x" * 500, True),
        ("x" * 501, False),
        ("https://acme.bitrix24.com/\nbuy", False),
        (None, False),
        (1, False),
    ],
)
def test_links(link: Any, kept: bool) -> None:
    """A link is a text of a sensible length; whose it is, is asked where it is used."""
    links = parse_links({"buy_connector": link, "lines": "https://other"})
    assert links == PortalLinks(link if kept else None)
    assert parse_links({}) == PortalLinks()


@pytest.mark.parametrize("result", [None, [], "x", 1])
def test_links_that_are_none(result: Any) -> None:
    """What is no object holds no link."""
    with pytest.raises(UnexpectedAnswer):
        parse_links(result)


@pytest.mark.parametrize("result", [None, [], "x", 1])
def test_malformed_connector(result: Any) -> None:
    """An answer that is no object leaves the connector's state unknown."""
    with pytest.raises(UnexpectedAnswer):
        parse_connector(result)


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("Access denied!", 403, "missing_permission"),
        ("Access denied!", 401, "missing_permission"),
        ("something else", 403, "missing_permission"),
        ("something else", 401, "plan_restricted"),
        ("REST is available only by subscription.", 403, "plan_restricted"),
        ("something else", 400, "missing_permission"),
        ("something else", 402, "missing_permission"),
        ("REST is part of a commercial plan", 403, "plan_restricted"),
        ("Only for the extended plan", 403, "plan_restricted"),
        ("No license for REST", 403, "plan_restricted"),
        ("Access denied! Application context required", 403, "unknown_error"),
        ("Access denied! User authorization required", 403, "invalid_webhook"),
        (
            "Current user can't be authorized in this context",
            401,
            "invalid_webhook",
        ),
    ],
)
def test_meanings_of_access_denied(text: str, status: int, reason: str) -> None:
    """The description decides between four meanings; without it, the status does."""
    error = error_of({"error": "ACCESS_DENIED", "error_description": text}, status)
    assert error
    assert error.reason == reason


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ({"error": "ERROR_OAUTH", "error_description": "Quota"}, 200, "portal_closed"),
        ({"error": "ERROR_OAUTH"}, 200, "invalid_webhook"),
        ({"error": "PORTAL_BLOCKED_2"}, 200, "portal_closed"),
        ({"error": "X", "error_description": "Rate limit"}, 200, "throttled"),
        ({"error": "X"}, 428, "unknown_error"),
        ({"error": "X"}, 429, "throttled"),
        ({"error": "X"}, 430, "unknown_error"),
        (
            {"error": "X", "error_description": "Your current license"},
            200,
            "plan_restricted",
        ),
        ({"error": "X"}, 499, "unknown_error"),
        ({"error": "X"}, 500, "server_error"),
        ({"error": "12"}, 200, "server_error"),
        ({"error_description": "broken"}, 200, "server_error"),
        ({"error": {"code": "REG_ID_NOT_FOUND"}}, 200, "registration_not_found"),
    ],
)
def test_meanings_of_other_errors(
    answer: dict[str, Any], status: int, reason: str
) -> None:
    """The code decides, then the description, then the status."""
    error = error_of(answer, status)
    assert error
    assert error.reason == reason


@pytest.mark.parametrize(
    ("reason", "codes"),
    [
        ("invalid_webhook", "INVALID_CREDENTIALS NO_AUTH_FOUND AUTHORIZATION_ERROR"),
        ("invalid_webhook", "EXPIRED_TOKEN INVALID_TOKEN USER_ACCESS_ERROR"),
        ("invalid_webhook", "APPLICATION_NOT_FOUND WRONG_AUTH_TYPE"),
        ("missing_scope", "INSUFFICIENT_SCOPE"),
        ("missing_permission", "ALLOWED_ONLY_INTRANET_USER"),
        ("plan_restricted", "PAYMENT_REQUIRED VERIFICATION_NEEDED"),
        ("portal_closed", "PORTAL_DELETED"),
        ("portal_overloaded", "OVERLOAD_LIMIT"),
        ("telephony_missing", "ERROR_METHOD_NOT_FOUND"),
        (
            "telephony_missing",
            "BITRIX_REST_V3_EXCEPTION_METHODNOTFOUNDEXCEPTION",
        ),
        ("registration_not_found", "REG_ID_NOT_FOUND"),
        ("https_required", "INVALID_REQUEST"),
        ("server_error", "CONNECT_ERROR CONNECTION_ERROR WRONG_ENCODING"),
        ("server_error", "ERROR_CORE INTERNAL_SERVER_ERROR ERROR_UNEXPECTED_ANSWER"),
        ("server_error", "INTERNAL_WRONG_TRANSPORT INTERNAL_WRONG_HANDLER_CLASS"),
        ("throttled", "QUERY_LIMIT_EXCEEDED"),
        ("operating_time_exceeded", "OPERATION_TIME_LIMIT"),
    ],
)
def test_documented_codes(reason: str, codes: str) -> None:
    """Codes are sent in upper or lower case, depending on the portal's version."""
    for code in (*codes.split(), *codes.lower().split()):
        error = error_of({"error": code})
        assert error
        assert (error.reason, error.code) == (reason, code)


def test_no_error() -> None:
    """A description beside a result is no error, and neither is an empty object."""
    assert error_of({}) is None
    assert error_of({"result": 1}) is None
    assert error_of({"result": 1, "error_description": "broken"}) is None


def test_text_of_an_error() -> None:
    """An error shows its reason, and at most 64 plain characters of its code."""
    error = error_of({"error": "a_.-é/ 1" + "x" * 80})
    assert str(error) == f"unknown_error (a_.-1{'x' * 56})"
    assert str(error_of({"error": ""})) == "server_error"
    assert str(error_of({"error": 0})) == "server_error (0)"
    assert str(ConnectionFailed()) == "cannot_connect"
    assert str(Throttled()) == "throttled"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (99, None),
        (100, 100),
        ("999", 999),
        (1000, None),
        (403.5, None),
        (None, None),
    ],
)
def test_limits_of_the_status_code(sent: Any, read: int | None) -> None:
    """Numbers outside of the range of SIP response codes are ignored."""
    answer = {**REGISTERED, "STATUS_CODE": sent}
    assert parse_registration(answer, 201001).status_code == read


@pytest.mark.parametrize(
    ("sent", "read"), [(-1, None), (0, 0), (999_999, 999_999), (1_000_000, None)]
)
def test_limits_of_the_free_minutes(sent: int, read: int | None) -> None:
    """An impossible number of minutes is ignored."""
    assert parse_connector({"FREE_MINUTES": sent}).free_minutes == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (0, None),
        ("1", 1),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (-1, None),
        (True, None),
    ],
)
def test_limits_of_a_reg_id(sent: Any, read: int | None) -> None:
    """A REG_ID is a positive integer of 64 bits."""
    assert parse_reg_id(sent) == read


def test_limits_of_texts() -> None:
    """A text that is too long is truncated, with an ellipsis."""
    assert clean("a" * 9 + "\n", 10) == "a" * 9
    assert clean("a\n" + "b" * 8, 10) == "a bbbbbbbb"
    assert clean("a" * 10, 10) == "a" * 10
    assert clean("a" * 11, 10) == "a" * 9 + "…"
    assert clean("\n" * 29 + "a" * 11, 10) == "a" * 9 + "…"
    assert clean("a\ud800", 10) == "a?"
    assert clean("a\x07b", 10) == clean("a  b", 10) == "a b"
    word = parse_registration({"STATUS_RESULT": "X" * 65}, 1).status_result
    assert word == "x" * 63 + "…"
    assert (
        parse_registration({**REGISTERED, "ERROR_MESSAGE": 5}, 201001).error_message
        == ""
    )


@given(json_values)
def test_any_result(value: Any) -> None:
    """Any answer becomes a value or a typed error."""
    for parse in (parse_lines, parse_connector, lambda v: parse_registration(v, 7)):
        try:
            outcome = parse(value)
        except UnexpectedAnswer:
            continue
        assert isinstance(outcome, dict | SipConnector | SipRegistration)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values)))
def test_any_registration(result: dict[str, Any]) -> None:
    """Only `success` counts as registered, and all texts fit a state."""
    try:
        registration = parse_registration(result, 7)
    except UnexpectedAnswer:
        return
    assert registration.reg_id == 7
    assert registration.registered == (
        str(result["STATUS_RESULT"]).strip().lower() == "success"
    )
    assert len(registration.error_message) <= MAX_MESSAGE
    assert registration.status_code is None or 100 <= registration.status_code <= 999
    updated = registration.last_updated
    assert updated is None or updated.tzinfo is UTC


@given(st.dictionaries(st.text(max_size=25), json_values, max_size=5))
def test_any_lines(result: dict[str, Any]) -> None:
    """Titles fit a device's name, have no line breaks, and can be stored."""
    for reg_id, line in parse_lines(result).items():
        assert reg_id == line.reg_id > 0
        assert len(line.title) <= MAX_TITLE
        assert line.title.isprintable() or not line.title.isascii()
        line.title.encode()


@given(st.text(alphabet=st.characters(codec=None), max_size=300), st.integers(1, 255))
def test_any_text_is_clean(text: str, length: int) -> None:
    """There are no control characters and no lone surrogates, and the length fits."""
    cleaned = clean(text, length)
    assert len(cleaned) <= length
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in cleaned)
    cleaned.encode()


@given(json_values)
def test_any_number_and_time(value: Any) -> None:
    """Numbers and times are parsed, or None."""
    number, reg_id, time = parse_int(value), parse_reg_id(value), parse_time(value)
    assert number is None or isinstance(number, int)
    assert reg_id is None or reg_id > 0
    assert time is None or time.tzinfo is UTC


@given(
    st.dictionaries(
        st.sampled_from(["error", "error_description", "result"]), json_values
    ),
    st.integers(100, 599),
)
def test_any_error(answer: dict[str, Any], status: int) -> None:
    """Any error answer becomes one of our errors, with a short code."""
    error = error_of(answer, status)
    if error is None:
        assert "error" not in answer
        return
    assert isinstance(error, Bitrix24Error)
    assert len(error.code) <= 64
    assert error.code.isascii()
    assert error.reason


def test_a_time_without_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is UTC, whatever the zone of this machine is."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_time("2026-09-10 00:26:40") == WHEN
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("1999-12-31 23:59:59", None),
        ("2000-01-01 00:00:00", 2000),
        ("2199-12-31 23:59:59", 2199),
        ("2200-01-01 00:00:00", None),
    ],
)
def test_plausible_years(text: str, year: int | None) -> None:
    """A time outside of two centuries is ignored."""
    time = parse_time(text)
    assert (time and time.year) == year
