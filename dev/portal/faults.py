"""The ways in which a portal, or what lies between, can fail; and a catalogue of them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error envelope."""

    code: Any
    description: str = ""
    status: int = 400
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it stands."""

    body: str | bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect; {path} in the location is the path that was asked."""

    location: str
    status: int = 302


@dataclass(frozen=True, slots=True)
class Slow:
    """The true answer, after some real seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """The true answer, once an event is set."""

    released: asyncio.Event


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer at all; the connection stays open."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is reset without an answer."""


@dataclass(frozen=True, slots=True)
class NotHttp:
    """The greeting of some other service, as on a port that is not the portal's."""


@dataclass(frozen=True, slots=True)
class Truncated:
    """Less than was promised, then the connection is closed."""


@dataclass(frozen=True, slots=True)
class Endless:
    """A body that never ends."""


@dataclass(frozen=True, slots=True)
class Huge:
    """A body of so many bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class Result:
    """A success with this as its `result`."""

    value: Any


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The true answer, its bytes changed."""

    fn: Callable[[bytes], bytes]


type Fault = (
    ErrorReply
    | Body
    | Redirect
    | Slow
    | Hold
    | Hang
    | Cut
    | NotHttp
    | Truncated
    | Endless
    | Huge
    | Result
    | Rewrite
)


@dataclass(slots=True)
class ActiveFault:
    """A fault that is switched on: for all requests, or for one method or line.

    times: how often it applies; skip: how many requests it lets pass first.
    """

    fault: Fault
    method: str | None
    reg_id: int | None
    times: int | None
    skip: int
    _clear: Callable[[ActiveFault], None]
    hits: int = 0

    def clear(self) -> None:
        """Switch it off."""
        self._clear(self)

    def applies(self, method: str, reg_id: int | None) -> bool:
        """Return whether it applies to a call, and count that."""
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


def _page(title: str) -> str:
    return f"<html><head><title>{title}</title></head><body></body></html>"


# By slug: errors of the portal with the statuses that the server sends, pages of what
# stands before it, and bodies that no portal sends.
FAULTS: Final[Mapping[str, Fault]] = {
    "invalid_credentials": ErrorReply(
        "INVALID_CREDENTIALS", "Invalid request credentials", 401
    ),
    "invalid_credentials_403": ErrorReply(
        "INVALID_CREDENTIALS", "Invalid request credentials", 403
    ),
    "no_auth": ErrorReply("NO_AUTH_FOUND", "Wrong authorization data", 401),
    "owner_dismissed": ErrorReply(
        "authorization_error", "Unable to authorize user", 401
    ),
    "owner_not_allowed": ErrorReply(
        "ACCESS_DENIED", "Current user can't be authorized in this context", 401
    ),
    "expired_token": ErrorReply(
        "expired_token", "The access token provided has expired", 401
    ),
    "missing_scope": ErrorReply(
        "insufficient_scope",
        "The request requires higher privileges than provided by the webhook token",
        401,
    ),
    "missing_scope_403": ErrorReply("insufficient_scope", "", 403),
    "missing_permission": ErrorReply("ACCESS_DENIED", "Access denied!", 403),
    "extranet_user": ErrorReply("allowed_only_intranet_user", "Denied", 403),
    "plan_webhook": ErrorReply(
        "ACCESS_DENIED", "REST is available only by subscription.", 401
    ),
    "plan_commercial": ErrorReply(
        "ACCESS_DENIED", "REST API is available only on commercial plans", 403
    ),
    "plan_extended": ErrorReply(
        "ACCESS_DENIED", "Access denied! Available only on extended plans", 403
    ),
    "payment_required": ErrorReply(
        "PAYMENT_REQUIRED", "Subscription has been ended", 401
    ),
    "license_check": ErrorReply("verification_needed", "License check failed.", 401),
    "license_feature": ErrorReply(
        "FEATURE", "This feature is not enabled for the current license: x", 403
    ),
    "disk_quota": ErrorReply("ERROR_OAUTH", "Disk quota exceeded.<br>", 401),
    "portal_deleted": ErrorReply("PORTAL_DELETED", "Portal was deleted", 403),
    "portal_deleted_500": ErrorReply("PORTAL_DELETED", "Portal was deleted", 500),
    "portal_blocked": ErrorReply("PORTAL_BLOCKED_BY_LICENSE_SCANNER", "", 403),
    "overload": ErrorReply(
        "OVERLOAD_LIMIT", "REST API is blocked due to overload.", 401
    ),
    "overload_503": ErrorReply(
        "OVERLOAD_LIMIT", "REST API is blocked due to overload", 503
    ),
    "https_required": ErrorReply("INVALID_REQUEST", "Https required.", 401),
    "unknown_method": ErrorReply("ERROR_METHOD_NOT_FOUND", "Method not found!", 404),
    "v3_error": ErrorReply(
        {
            "code": "BITRIX_REST_V3_EXCEPTION_METHODNOTFOUNDEXCEPTION",
            "message": "Method not found",
        },
        "",
        404,
    ),
    "query_limit": ErrorReply("QUERY_LIMIT_EXCEEDED", "Too many requests", 503),
    "query_limit_200": ErrorReply("QUERY_LIMIT_EXCEEDED", "Too many requests", 200),
    "rate_limit": ErrorReply(
        "X", "Rate limit exceeded. Too many requests in a given amount of time.", 401
    ),
    "operation_time": ErrorReply(
        "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429
    ),
    "retry_after": Body(_page("429"), 429, HTML, {"Retry-After": "300"}),
    "retry_after_nonsense": Body(_page("429"), 429, HTML, {"Retry-After": "soon"}),
    "maintenance": Body(_page("503"), 503, HTML, {"Retry-After": "600"}),
    "internal_error": ErrorReply("INTERNAL_SERVER_ERROR", "Internal server error", 500),
    "unexpected_answer": ErrorReply(
        "ERROR_UNEXPECTED_ANSWER", "Server returned an unexpected response", 500
    ),
    "sql_error": ErrorReply("ERROR_CORE", "SQL query error!", 500),
    "empty_code": ErrorReply("", "", 400),
    "zero_code": ErrorReply("0", "Something failed", 400),
    "wrong_encoding": ErrorReply("WRONG_ENCODING", "Wrong request encoding", 200),
    "new_code": ErrorReply("SOMETHING_NEW", "Never seen before", 400),
    "new_code_401": ErrorReply("SOMETHING_NEW", "Never seen before", 401),
    "nginx_502": Body(_page("502 Bad Gateway"), 502, HTML),
    "nginx_503": Body(_page("503 Service Temporarily Unavailable"), 503, HTML),
    "nginx_504": Body(_page("504 Gateway Time-out"), 504, HTML),
    "html_200": Body(_page("Sign in"), 200, HTML),
    "html_401": Body(_page("Who are you?"), 401, HTML),
    "empty_body": Body(""),
    "json_list": Body("[1,2,3]"),
    "json_null": Body("null"),
    "json_string": Body('"result"'),
    "json_number": Body("1" * 40),
    "json_of_nothing": Body("{}"),
    "deep_nesting": Body("[" * 200_000),
    "php_warning": Body('<br />\n<b>Warning</b>: x{"result":{}}'),
    "not_utf8": Body(b'{"result":"\xff\xfe"}'),
    "no_result": Body('{"time":{}}'),
    "result_null": Result(None),
    "result_string": Result("success"),
    "result_number": Result(1),
    "result_list": Result([1, 2]),
    "cut": Cut(),
    "not_http": NotHttp(),
    "truncated": Truncated(),
    "redirect_login": Redirect("/auth/?backurl=%2F"),
    "redirect_same_host": Redirect("/elsewhere{path}"),
    "redirect_other_host": Redirect("https://acme-new.bitrix24.test{path}"),
    "redirect_other_port": Redirect("https://acme-new.bitrix24.test:8443{path}"),
    "redirect_to_http": Redirect("http://acme-new.bitrix24.test{path}"),
    "redirect_nowhere": Redirect(""),
    "redirect_nonsense": Redirect("https://[::1/rest/"),
}
