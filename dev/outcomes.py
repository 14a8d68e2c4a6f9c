"""Every fault, and its effect: one table for the tests and the documentation."""

from dataclasses import dataclass
from typing import Final

BRIDGED: Final = "bridged"  # the lines keep their state for the grace period
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


def _lasting(reason: str, *, in_batch: bool = True) -> Row:
    return Row(reason, AT_ONCE, AT_ONCE if in_batch else None)


_DEAD = Row("invalid_webhook", REAUTH, REAUTH)
_BUSY = Row("throttled", BRIDGED, BRIDGED)
_FAULT = Row("server_error", BRIDGED, BRIDGED)
_PAGE = Row("server_error", BRIDGED)
_ODD = Row("not_bitrix24", BRIDGED)
_NO_CONNECTION = Row("cannot_connect", BRIDGED)

MATRIX: Final[dict[str, Row]] = {
    "invalid_credentials": _DEAD,
    "invalid_credentials_403": _DEAD,
    "no_auth": _DEAD,
    "owner_dismissed": _DEAD,
    "owner_not_allowed": _DEAD,
    "expired_token": _DEAD,
    "missing_scope": _lasting("missing_scope"),
    "missing_scope_403": _lasting("missing_scope"),
    "missing_permission": _lasting("missing_permission"),
    "extranet_user": _lasting("missing_permission"),
    "plan_webhook": _lasting("plan_restricted"),
    "plan_commercial": _lasting("plan_restricted"),
    "plan_extended": _lasting("plan_restricted"),
    "payment_required": _lasting("plan_restricted"),
    "license_check": _lasting("plan_restricted"),
    "license_feature": _lasting("plan_restricted"),
    "disk_quota": _lasting("portal_closed"),
    "portal_deleted": _lasting("portal_closed"),
    "portal_deleted_500": _lasting("portal_closed"),
    "portal_blocked": _lasting("portal_closed"),
    "overload": _lasting("portal_overloaded"),
    "overload_503": _lasting("portal_overloaded"),
    "https_required": _lasting("https_required"),
    "unknown_method": _lasting("telephony_missing"),
    "v3_error": _lasting("telephony_missing", in_batch=False),
    "redirect_other_host": _lasting("portal_moved", in_batch=False),
    "redirect_other_port": _lasting("portal_moved", in_batch=False),
    "query_limit": _BUSY,
    "query_limit_200": _BUSY,
    "rate_limit": _BUSY,
    "operation_time": Row("operating_time_exceeded", BRIDGED, BRIDGED),
    "retry_after": Row("throttled", BRIDGED),
    "retry_after_nonsense": Row("throttled", BRIDGED),
    "maintenance": _PAGE,
    "internal_error": _FAULT,
    "unexpected_answer": _FAULT,
    "sql_error": _FAULT,
    "empty_code": Row("server_error_without_code", BRIDGED, BRIDGED),
    "zero_code": _FAULT,
    "wrong_encoding": _FAULT,
    "new_code": Row("unknown_error", BRIDGED, BRIDGED),
    "new_code_401": Row("unknown_error", BRIDGED, BRIDGED),
    "nginx_502": _PAGE,
    "nginx_503": _PAGE,
    "nginx_504": Row("timeout", BRIDGED),
    "html_200": _ODD,
    "html_401": _ODD,
    "empty_body": _ODD,
    "json_list": _ODD,
    "json_null": _ODD,
    "json_string": _ODD,
    "json_number": _ODD,
    "json_of_nothing": _ODD,
    "deep_nesting": _ODD,
    "php_warning": _ODD,
    "not_utf8": _ODD,
    "no_result": _ODD,
    "result_null": Row("not_bitrix24", BRIDGED, BRIDGED),
    "result_string": Row("not_bitrix24", BRIDGED, BRIDGED),
    "result_number": Row("not_bitrix24", BRIDGED, BRIDGED),
    "result_list": Row("not_bitrix24", BRIDGED, BRIDGED),
    "cut": _NO_CONNECTION,
    "not_http": _ODD,
    "truncated": _NO_CONNECTION,
    "redirect_login": _ODD,
    "redirect_same_host": _ODD,
    "redirect_to_http": _ODD,
    "redirect_nowhere": _ODD,
    "redirect_nonsense": _ODD,
}
