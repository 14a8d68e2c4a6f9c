"""SIP response codes: why a registration failed, and what to do about it.

The codes and their texts are those of the standards named in each row; what they mean for
a REGISTER in practice differs a little from provider to provider. `docs/sip-codes.md` is
made of these tables.

A text that names its reason outweighs the code: many servers answer 403 for everything.
Asterisk, for one, answers "403 Forbidden (Bad auth)" to a wrong password, and "403 Device
does not match ACL" to an address that is not allowed.
"""

from enum import StrEnum
import re
from typing import NamedTuple


class Cause(StrEnum):
    """Why a line is not registered."""

    WRONG_CREDENTIALS = "wrong_credentials"
    FORBIDDEN = "forbidden"
    UNKNOWN_ACCOUNT = "unknown_account"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    NO_ANSWER = "no_answer"
    BLOCKED = "blocked"
    INVALID_CONFIGURATION = "invalid_configuration"
    OTHER = "other"


class Explanation(NamedTuple):
    """A cause in words: what it says after a colon, and a sentence on what to do."""

    says: str
    remedy: str


EXPLANATIONS = {
    Cause.WRONG_CREDENTIALS: Explanation(
        "the provider does not accept login and password",
        "Compare login and password of the line in Bitrix24 with those from your provider.",
    ),
    Cause.FORBIDDEN: Explanation(
        "the provider refuses the login",
        "Check login and password of the line in Bitrix24.",
    ),
    Cause.UNKNOWN_ACCOUNT: Explanation(
        "the provider does not know the account",
        "Check login and server of the line in Bitrix24 for typing errors.",
    ),
    Cause.PROVIDER_UNREACHABLE: Explanation(
        "the provider's server cannot be reached",
        "Check server and port of the line in Bitrix24, then ask the provider.",
    ),
    Cause.PROVIDER_UNAVAILABLE: Explanation(
        "the provider is overloaded or down",
        "Wait some minutes, then ask the provider.",
    ),
    Cause.NO_ANSWER: Explanation(
        "the provider does not answer",
        "Ask the provider about an outage. If the line is new, check server and port.",
    ),
    Cause.BLOCKED: Explanation(
        "the provider blocks the account",
        "Ask the provider why: it may be unpaid, or registered too often.",
    ),
    Cause.INVALID_CONFIGURATION: Explanation(
        "the provider does not support the settings of the line",
        "Compare the line's settings in Bitrix24 with those that the provider names.",
    ),
    Cause.OTHER: Explanation(
        "the registration failed",
        "Ask the provider what the code means.",
    ),
}


class SipCode(NamedTuple):
    """A response to a REGISTER."""

    code: int
    text: str
    cause: Cause
    in_practice: str
    source: str = "RFC 3261"


SIP_CODES = (
    SipCode(
        301,
        "Moved Permanently",
        Cause.INVALID_CONFIGURATION,
        "the provider has another server now",
    ),
    SipCode(
        302,
        "Moved Temporarily",
        Cause.INVALID_CONFIGURATION,
        "the provider sends the line to another server",
    ),
    SipCode(
        305,
        "Use Proxy",
        Cause.INVALID_CONFIGURATION,
        "the provider wants its proxy to be used",
    ),
    SipCode(
        400,
        "Bad Request",
        Cause.INVALID_CONFIGURATION,
        "the provider cannot read the request; often the login has a wrong form",
    ),
    SipCode(
        401,
        "Unauthorized",
        Cause.WRONG_CREDENTIALS,
        "login or password is wrong, or the provider insists on an authorization name "
        "of its own",
    ),
    SipCode(402, "Payment Required", Cause.BLOCKED, "the account is not paid"),
    SipCode(
        403,
        "Forbidden",
        Cause.FORBIDDEN,
        "wrong password, contract or number blocked, unpaid, or the portal's address is "
        "not allowed",
    ),
    SipCode(
        404,
        "Not Found",
        Cause.UNKNOWN_ACCOUNT,
        "the provider does not know the user or the domain",
    ),
    SipCode(
        405,
        "Method Not Allowed",
        Cause.INVALID_CONFIGURATION,
        "the server does not accept registrations",
    ),
    SipCode(
        406,
        "Not Acceptable",
        Cause.INVALID_CONFIGURATION,
        "the provider does not accept the parameters of the request",
    ),
    SipCode(
        407,
        "Proxy Authentication Required",
        Cause.WRONG_CREDENTIALS,
        "as 401, at the provider's proxy",
    ),
    SipCode(
        408,
        "Request Timeout",
        Cause.NO_ANSWER,
        "the server does not answer: wrong name or port, an outage, or a firewall",
    ),
    SipCode(410, "Gone", Cause.UNKNOWN_ACCOUNT, "the account no longer exists"),
    SipCode(
        416,
        "Unsupported URI Scheme",
        Cause.INVALID_CONFIGURATION,
        "the address has a form that the server does not know",
    ),
    SipCode(
        420,
        "Bad Extension",
        Cause.INVALID_CONFIGURATION,
        "the provider does not support what was asked for",
    ),
    SipCode(
        421,
        "Extension Required",
        Cause.INVALID_CONFIGURATION,
        "the provider requires something that the portal does not offer",
    ),
    SipCode(
        423,
        "Interval Too Brief",
        Cause.INVALID_CONFIGURATION,
        "the provider requires less frequent registrations; the portal tries again by itself",
    ),
    SipCode(
        439,
        "First Hop Lacks Outbound Support",
        Cause.INVALID_CONFIGURATION,
        "a proxy on the way does not suit the provider",
        "RFC 5626",
    ),
    SipCode(
        480,
        "Temporarily Unavailable",
        Cause.PROVIDER_UNAVAILABLE,
        "the provider cannot serve the account at the moment",
    ),
    SipCode(
        482,
        "Loop Detected",
        Cause.INVALID_CONFIGURATION,
        "the server's name or the proxy leads back to itself",
    ),
    SipCode(483, "Too Many Hops", Cause.INVALID_CONFIGURATION, "as 482"),
    SipCode(
        484,
        "Address Incomplete",
        Cause.INVALID_CONFIGURATION,
        "the login lacks something, often a part of the number",
    ),
    SipCode(
        485, "Ambiguous", Cause.INVALID_CONFIGURATION, "the login fits several accounts"
    ),
    SipCode(
        486,
        "Busy Here",
        Cause.BLOCKED,
        "the provider allows fewer registrations at a time, and others hold them: "
        "unregister telephones or systems with the same login",
    ),
    SipCode(
        488,
        "Not Acceptable Here",
        Cause.INVALID_CONFIGURATION,
        "the provider does not accept the parameters of the request",
    ),
    SipCode(
        494,
        "Security Agreement Required",
        Cause.INVALID_CONFIGURATION,
        "the provider requires an encrypted connection",
        "RFC 3329",
    ),
    SipCode(
        500,
        "Server Internal Error",
        Cause.PROVIDER_UNAVAILABLE,
        "a fault at the provider",
    ),
    SipCode(
        501,
        "Not Implemented",
        Cause.INVALID_CONFIGURATION,
        "the server does not accept registrations",
    ),
    SipCode(
        502,
        "Bad Gateway",
        Cause.PROVIDER_UNAVAILABLE,
        "a fault between the servers of the provider",
    ),
    SipCode(
        503,
        "Service Unavailable",
        Cause.PROVIDER_UNAVAILABLE,
        "overload or maintenance at the provider, or the server's name could not be "
        "resolved",
    ),
    SipCode(
        504,
        "Server Time-out",
        Cause.NO_ANSWER,
        "a server behind the provider's does not answer",
    ),
    SipCode(
        505,
        "Version Not Supported",
        Cause.INVALID_CONFIGURATION,
        "the server does not support this version of SIP",
    ),
    SipCode(600, "Busy Everywhere", Cause.BLOCKED, "as 486"),
    SipCode(
        603, "Decline", Cause.FORBIDDEN, "the provider permanently refuses the account"
    ),
    SipCode(
        604,
        "Does Not Exist Anywhere",
        Cause.UNKNOWN_ACCOUNT,
        "there is no such account",
    ),
    SipCode(
        606,
        "Not Acceptable",
        Cause.INVALID_CONFIGURATION,
        "the provider does not accept the parameters of the request",
    ),
)

_BY_CODE = {row.code: row.cause for row in SIP_CODES}

# Texts that name their reason. The first that is found counts.
_BY_TEXT = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (
            (
                r"\bbad auth|authenticat\w+ fail|user ?name does not match"
                r"|\b(bad|incorrect|invalid|wrong) (credentials|password|secret)"
            ),
            Cause.WRONG_CREDENTIALS,
        ),
        (
            (
                r"\b(unknown|no such|invalid) (account|domain|subscriber|user)"
                r"|\b(account|domain|subscriber|user) (not found|unknown"
                r"|does(n't| not) exist)"
            ),
            Cause.UNKNOWN_ACCOUNT,
        ),
        (
            (
                r"\bacl\b|\b(banned|blacklisted|blocked|disabled|locked|suspended|unpaid)\b"
                r"|\btoo many (contacts|registrations)|\bmax\w* (contacts|registrations)"
            ),
            Cause.BLOCKED,
        ),
        (
            (
                r"\bdns\b|gethostbyname|\bresolv|\bunreachable\b|\bno route\b"
                r"|\bconnection (error|failed|refused|reset)|\btransport (error|failure)"
            ),
            Cause.PROVIDER_UNREACHABLE,
        ),
        (r"\btime(d )?-?out\b|\bno (answer|response)\b", Cause.NO_ANSWER),
    )
)


def cause_of(code: int | None, text: str, *, settled: bool = True) -> Cause:
    """Return why a registration failed.

    code and text: as the portal gives them; settled: whether it failed for certain,
    rather than being under way for too long.
    """
    for pattern, cause in _BY_TEXT:
        if pattern.search(text):
            return cause
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code is not None and 500 <= code <= 599:
        return _BY_CODE[500]  # RFC 3261, 8.1.3.2: an unknown code counts as x00
    return Cause.OTHER if settled else Cause.NO_ANSWER
