"""Every fault, and its effect: one table for the tests and the documentation."""

from dataclasses import dataclass
from typing import Final

GRACE_PERIOD: Final = "grace period"  # the lines keep their state for the grace period
AT_ONCE: Final = "at once"  # the lines are unavailable at once
REAUTH: Final = "reauth"  # the same, and reauthentication starts


@dataclass(frozen=True, slots=True)
class Row:
    """The effect of one fault.

    reason: the key of its message; poll: the effect on the lines when a poll fails with
    it; command: the same for the status commands of a batch, None if it cannot occur
    there.
    """

    reason: str
    poll: str
    command: str | None = None


def _permanent(reason: str, *, in_batch: bool = True) -> Row:
    return Row(reason, AT_ONCE, AT_ONCE if in_batch else None)


_INVALID_WEBHOOK = Row("invalid_webhook", REAUTH, REAUTH)
_THROTTLED = Row("throttled", GRACE_PERIOD, GRACE_PERIOD)
_SERVER_ERROR = Row("server_error", GRACE_PERIOD, GRACE_PERIOD)
_ERROR_PAGE = Row("server_error", GRACE_PERIOD)
_NOT_BITRIX24 = Row("not_bitrix24", GRACE_PERIOD)
_NO_CONNECTION = Row("cannot_connect", GRACE_PERIOD)

MATRIX: Final[dict[str, Row]] = {
    "invalid_credentials": _INVALID_WEBHOOK,
    "invalid_credentials_403": _INVALID_WEBHOOK,
    "no_auth": _INVALID_WEBHOOK,
    "owner_dismissed": _INVALID_WEBHOOK,
    "owner_not_allowed": _INVALID_WEBHOOK,
    "expired_token": _INVALID_WEBHOOK,
    "missing_scope": _permanent("missing_scope"),
    "missing_scope_403": _permanent("missing_scope"),
    "missing_permission": _permanent("missing_permission"),
    "extranet_user": _permanent("missing_permission"),
    "plan_webhook": _permanent("plan_restricted"),
    "plan_commercial": _permanent("plan_restricted"),
    "plan_extended": _permanent("plan_restricted"),
    "payment_required": _permanent("plan_restricted"),
    "license_check": _permanent("plan_restricted"),
    "license_feature": _permanent("plan_restricted"),
    "disk_quota": _permanent("portal_closed"),
    "portal_deleted": _permanent("portal_closed"),
    "portal_deleted_500": _permanent("portal_closed"),
    "portal_blocked": _permanent("portal_closed"),
    "overload": _permanent("portal_overloaded"),
    "overload_503": _permanent("portal_overloaded"),
    "https_required": _permanent("https_required"),
    "unknown_method": _permanent("telephony_missing"),
    "v3_error": _permanent("telephony_missing", in_batch=False),
    "redirect_other_host": _permanent("portal_moved", in_batch=False),
    "redirect_other_port": _permanent("portal_moved", in_batch=False),
    "query_limit": _THROTTLED,
    "query_limit_200": _THROTTLED,
    "rate_limit": _THROTTLED,
    "operation_time": Row("operating_time_exceeded", GRACE_PERIOD, GRACE_PERIOD),
    "retry_after": Row("throttled", GRACE_PERIOD),
    "retry_after_nonsense": Row("throttled", GRACE_PERIOD),
    "maintenance": _ERROR_PAGE,
    "internal_error": _SERVER_ERROR,
    "unexpected_answer": _SERVER_ERROR,
    "sql_error": _SERVER_ERROR,
    "empty_code": Row("server_error_without_code", GRACE_PERIOD, GRACE_PERIOD),
    "zero_code": _SERVER_ERROR,
    "wrong_encoding": _SERVER_ERROR,
    "new_code": Row("unknown_error", GRACE_PERIOD, GRACE_PERIOD),
    "new_code_401": Row("unknown_error", GRACE_PERIOD, GRACE_PERIOD),
    "nginx_502": _ERROR_PAGE,
    "nginx_503": _ERROR_PAGE,
    "nginx_504": Row("timeout", GRACE_PERIOD),
    "html_200": _NOT_BITRIX24,
    "html_401": _NOT_BITRIX24,
    "empty_body": _NOT_BITRIX24,
    "json_list": _NOT_BITRIX24,
    "json_null": _NOT_BITRIX24,
    "json_string": _NOT_BITRIX24,
    "json_number": _NOT_BITRIX24,
    "json_of_nothing": _NOT_BITRIX24,
    "deep_nesting": _NOT_BITRIX24,
    "php_warning": _NOT_BITRIX24,
    "not_utf8": _NOT_BITRIX24,
    "no_result": _NOT_BITRIX24,
    "result_null": Row("not_bitrix24", GRACE_PERIOD, GRACE_PERIOD),
    "result_string": Row("not_bitrix24", GRACE_PERIOD, GRACE_PERIOD),
    "result_number": Row("not_bitrix24", GRACE_PERIOD, GRACE_PERIOD),
    "result_list": Row("not_bitrix24", GRACE_PERIOD, GRACE_PERIOD),
    "cut": _NO_CONNECTION,
    "not_http": _NOT_BITRIX24,
    "truncated": _NO_CONNECTION,
    "redirect_login": _NOT_BITRIX24,
    "redirect_same_host": _NOT_BITRIX24,
    "redirect_to_http": _NOT_BITRIX24,
    "redirect_nowhere": _NOT_BITRIX24,
    "redirect_nonsense": _NOT_BITRIX24,
}
