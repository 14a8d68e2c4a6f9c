"""The errors of a portal's REST API, and who can fix them.

A `TransientError` ends by itself, a `PermanentError` stays until somebody acts. Their
subclasses say what has to be done; `reason` is the key for translations and tables.

Errors are distinguished by the portal's `error` and `error_description`. The HTTP
status is only a hint, because documentation and server disagree on it (the
documentation has 403 and 503 where the server sends 401).
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class Bitrix24Error(Exception):
    """Base of all errors of the portal's REST API. Its text never contains the secret.

    `code` is the portal's own error code, if any; `retry_after` the seconds after which
    to retry, if the portal named a time. The text is for developers; users read the
    translation of `reason`.
    """

    reason: ClassVar[str]
    code: str
    retry_after: float | None = None

    def __init__(self, code: str = "") -> None:
        """Set the portal's error code."""
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        """Return the reason, and the code if there is one."""
        return f"{self.reason} ({self.code})" if self.code else self.reason

    def redact(self) -> None:
        """Remove the code, which repeats the secret."""
        self.code, self.args = "", ()


class TransientError(Bitrix24Error):
    """A fault that ends by itself: retry later."""


class ConnectionFailed(TransientError):
    """No connection: unknown host, refused, reset, closed half-way."""

    reason = "cannot_connect"


class InsecureConnection(ConnectionFailed):
    """The portal's TLS certificate could not be verified."""

    reason = "insecure_connection"


class RequestTimeout(TransientError):
    """No complete answer in time, or the portal aborted the request after 60 seconds.

    seconds: the duration of the request, None if there was no time left to send it.
    """

    reason = "timeout"
    seconds: float | None = None


class ServerFault(TransientError):
    """A fault of the portal: 5xx, or one of its internal error codes."""

    reason = "server_error"


class UnexpectedAnswer(TransientError):
    """Not an answer of a Bitrix24 portal: a web page, not JSON, or malformed."""

    reason = "not_bitrix24"


class UnknownError(TransientError):
    """An error code that this library does not know."""

    reason = "unknown_error"


class RegistrationNotFound(TransientError):
    """`REG_ID_NOT_FOUND`: no such registration, or no answer of the telephony provider.

    The portal gives this code for every failure of `voximplant.sip.status`, so on its
    own it is no proof that the registration is gone.
    """

    reason = "registration_not_found"


class Throttled(TransientError):
    """The portal asks for fewer requests."""

    reason = "throttled"

    def __init__(self, code: str = "", retry_after: float | None = None) -> None:
        """Set the error code and the seconds to wait."""
        super().__init__(code)
        self.retry_after = retry_after


class OperatingTimeExceeded(Throttled):
    """A method used up its operating time of the last 10 minutes."""

    reason = "operating_time_exceeded"


class PermanentError(Bitrix24Error):
    """A fault that stays until somebody acts."""


class InvalidWebhook(PermanentError):
    """The webhook is invalid: a new one is needed."""

    reason = "invalid_webhook"


class MissingScope(PermanentError):
    """The webhook lacks the scope `telephony`."""

    reason = "missing_scope"


class MissingPermission(PermanentError):
    """The webhook's owner lacks the permission "Manage numbers: change"."""

    reason = "missing_permission"


class PlanRestricted(PermanentError):
    """The portal's plan or subscription has no REST API."""

    reason = "plan_restricted"


class PortalClosed(PermanentError):
    """The portal is deleted, closed, or blocked."""

    reason = "portal_closed"


class PortalOverloaded(PermanentError):
    """Bitrix24 blocked this webhook for overload; a new webhook works at once."""

    reason = "portal_overloaded"


class TelephonyMissing(PermanentError):
    """The portal has no telephony, or the URL is not that of its REST API."""

    reason = "telephony_missing"


class HttpsRequired(PermanentError):
    """The portal requires https."""

    reason = "https_required"


class PortalMoved(PermanentError):
    """The portal answers at another host: `new_host`. No request was sent there."""

    reason = "portal_moved"

    def __init__(self, new_host: str) -> None:
        """Set the host (with its port, if it is not the default)."""
        super().__init__()
        self.new_host = new_host


# The portal's codes with a single meaning, in upper case. `ACCESS_DENIED`,
# `OPERATION_TIME_LIMIT` and the like, which need more than the code, are handled below.
_BY_CODE: Mapping[str, type[Bitrix24Error]] = {
    "INVALID_CREDENTIALS": InvalidWebhook,
    "NO_AUTH_FOUND": InvalidWebhook,
    "AUTHORIZATION_ERROR": InvalidWebhook,
    "EXPIRED_TOKEN": InvalidWebhook,
    "INVALID_TOKEN": InvalidWebhook,
    "USER_ACCESS_ERROR": InvalidWebhook,
    "APPLICATION_NOT_FOUND": InvalidWebhook,
    "WRONG_AUTH_TYPE": InvalidWebhook,
    "INSUFFICIENT_SCOPE": MissingScope,
    "ALLOWED_ONLY_INTRANET_USER": MissingPermission,
    "PAYMENT_REQUIRED": PlanRestricted,
    "VERIFICATION_NEEDED": PlanRestricted,
    "PORTAL_DELETED": PortalClosed,
    "OVERLOAD_LIMIT": PortalOverloaded,
    "ERROR_METHOD_NOT_FOUND": TelephonyMissing,
    "BITRIX_REST_V3_EXCEPTION_METHODNOTFOUNDEXCEPTION": TelephonyMissing,
    "REG_ID_NOT_FOUND": RegistrationNotFound,
    "INVALID_REQUEST": HttpsRequired,
    "CONNECT_ERROR": ServerFault,
    "CONNECTION_ERROR": ServerFault,
    "ERROR_CORE": ServerFault,
    "INTERNAL_SERVER_ERROR": ServerFault,
    "ERROR_UNEXPECTED_ANSWER": ServerFault,
    "INTERNAL_WRONG_TRANSPORT": ServerFault,
    "INTERNAL_WRONG_HANDLER_CLASS": ServerFault,
    "WRONG_ENCODING": ServerFault,
    "QUERY_LIMIT_EXCEEDED": Throttled,
    "OPERATION_TIME_LIMIT": OperatingTimeExceeded,
}

_PLAN_WORDS = ("commercial plan", "subscription", "extended plan", "license")


def error_of(answer: Mapping[str, Any], status: int = 200) -> Bitrix24Error | None:
    """Return the error in an answer, or in a command's part of a batch, if any.

    answer: the decoded JSON object; status: the HTTP status, 200 inside a batch. An
    answer is an error if it has `error`, even empty, or an `error_description` without
    a `result`.
    """
    if "error" not in answer and not (
        "error_description" in answer and "result" not in answer
    ):
        return None
    code = answer.get("error")
    if isinstance(code, Mapping):  # the form of REST version 3
        code = code.get("code")
    shown = _presentable(code)
    text = str(answer.get("error_description")).casefold()
    return _class_of(shown.upper(), text, status)(shown)


def _presentable(code: object) -> str:
    """Return an error code for a log line: short, with plain characters only."""
    if not isinstance(code, str | int):
        return ""
    return "".join(
        c for c in str(code)[:64] if c.isascii() and (c.isalnum() or c in "_.-")
    )


def _class_of(code: str, text: str, status: int) -> type[Bitrix24Error]:
    """Return the class for a code (upper case), a description (lower case), a status."""
    if code == "ACCESS_DENIED":
        return _class_of_access_denied(text, status)
    if code == "ERROR_OAUTH":
        return PortalClosed if "quota" in text else InvalidWebhook
    if code.startswith("PORTAL_BLOCKED"):
        return PortalClosed
    if known := _BY_CODE.get(code):
        return known
    if "rate limit" in text or status == 429:
        return Throttled
    if "current license" in text:
        return PlanRestricted
    # The code of an exception without a code is "", "0" or digits.
    if status >= 500 or not code or code.isdigit():
        return ServerFault
    return UnknownError


def _class_of_access_denied(text: str, status: int) -> type[Bitrix24Error]:
    """Return the class for an `ACCESS_DENIED`, which only its description tells."""
    if "application context" in text:
        return UnknownError  # a method for applications: none of those used here
    if any(word in text for word in _PLAN_WORDS):
        return PlanRestricted
    if "authorized" in text or "authorization required" in text:
        return InvalidWebhook
    if text.strip() == "access denied!" or status != 401:
        return MissingPermission
    return PlanRestricted
