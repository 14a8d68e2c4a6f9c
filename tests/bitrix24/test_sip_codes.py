"""Why a registration failed, by code and text."""

import pytest

from custom_components.bitrix24_sip.bitrix24.sip_codes import (
    EXPLANATIONS,
    SIP_CODES,
    Cause,
    SipCode,
    cause_of,
)
from custom_components.bitrix24_sip.bitrix24.telephony import SipRegistration


@pytest.mark.parametrize(
    ("code", "text", "cause"),
    [
        (401, "Unauthorized", Cause.WRONG_CREDENTIALS),
        (407, "Proxy Authentication Required", Cause.WRONG_CREDENTIALS),
        (402, "Payment Required", Cause.BLOCKED),
        (403, "Forbidden", Cause.FORBIDDEN),
        (404, "Not Found", Cause.UNKNOWN_ACCOUNT),
        (408, "Request Timeout", Cause.NO_ANSWER),
        (423, "Interval Too Brief", Cause.INVALID_CONFIGURATION),
        (480, "Temporarily Unavailable", Cause.PROVIDER_UNAVAILABLE),
        (486, "Busy Here", Cause.BLOCKED),
        (488, "Not Acceptable Here", Cause.INVALID_CONFIGURATION),
        (500, "Server Internal Error", Cause.PROVIDER_UNAVAILABLE),
        (503, "Service Unavailable", Cause.PROVIDER_UNAVAILABLE),
        (504, "Server Time-out", Cause.NO_ANSWER),
        (603, "Decline", Cause.FORBIDDEN),
        (604, "Does Not Exist Anywhere", Cause.UNKNOWN_ACCOUNT),
    ],
)
def test_codes(code: int, text: str, cause: Cause) -> None:
    """A code with its usual text."""
    assert cause_of(code, text) is cause
    assert cause_of(code, "") is cause


@pytest.mark.parametrize("row", SIP_CODES, ids=lambda row: str(row.code))
def test_texts_of_the_standards(row: SipCode) -> None:
    """The standard text of a code names no other reason than the code does."""
    assert cause_of(row.code, row.text) is row.cause


@pytest.mark.parametrize(
    ("code", "text", "cause"),
    [
        (403, "Forbidden (Bad auth)", Cause.WRONG_CREDENTIALS),
        (403, "Wrong password", Cause.WRONG_CREDENTIALS),
        (403, "Authentication failed", Cause.WRONG_CREDENTIALS),
        (
            403,
            "Authentication user name does not match account name",
            Cause.WRONG_CREDENTIALS,
        ),
        (403, "Unknown user", Cause.UNKNOWN_ACCOUNT),
        (403, "USER NOT FOUND", Cause.UNKNOWN_ACCOUNT),
        (603, "Domain doesn't exist", Cause.UNKNOWN_ACCOUNT),
        (403, "Device does not match ACL", Cause.BLOCKED),
        (403, "Account suspended", Cause.BLOCKED),
        (503, "Too many registrations", Cause.BLOCKED),
        (503, "Maximum registrations exceeded", Cause.BLOCKED),
        (503, "DNS resolution failed", Cause.PROVIDER_UNREACHABLE),
        (502, "gethostbyname() has returned error", Cause.PROVIDER_UNREACHABLE),
        (503, "Connection refused", Cause.PROVIDER_UNREACHABLE),
        (None, "Network is unreachable", Cause.PROVIDER_UNREACHABLE),
        (500, "Timed out", Cause.NO_ANSWER),
        (None, "No response from the server", Cause.NO_ANSWER),
        # Words that only look like a reason.
        (403, "Forbidden in Oracle land", Cause.FORBIDDEN),
        (403, "Unblocked", Cause.FORBIDDEN),
        (403, "Authentication required", Cause.FORBIDDEN),
    ],
)
def test_a_text_outweighs_the_code(code: int | None, text: str, cause: Cause) -> None:
    """A text that names its reason counts; any other leaves it to the code."""
    assert cause_of(code, text) is cause


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (None, Cause.OTHER),
        (200, Cause.OTHER),
        (499, Cause.OTHER),
        (500, Cause.PROVIDER_UNAVAILABLE),
        (599, Cause.PROVIDER_UNAVAILABLE),
        (699, Cause.OTHER),
    ],
)
def test_codes_that_are_not_in_the_table(code: int | None, cause: Cause) -> None:
    """An unknown server error counts as 500; what else is unknown says nothing."""
    assert cause_of(code, "") is cause


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        ("success", 200, None),
        ("success", 403, None),
        ("error", 403, Cause.FORBIDDEN),
        ("error", None, Cause.OTHER),
        ("in_progress", None, Cause.NO_ANSWER),
        ("wait", 200, Cause.NO_ANSWER),
        ("wait", 503, Cause.PROVIDER_UNAVAILABLE),
    ],
)
def test_registrations(status: str, code: int | None, cause: Cause | None) -> None:
    """A registered line has none; one that is under way for too long has no answer."""
    assert SipRegistration(201001, status, code).cause is cause


def test_every_cause_is_explained() -> None:
    """Each has its words, and each code stands once, in order."""
    assert EXPLANATIONS.keys() == set(Cause)
    codes = [row.code for row in SIP_CODES]
    assert codes == sorted(set(codes))
