"""The rules by which the portal refuses a call, in the order in which it checks them."""

from typing import Final

from .state import TELEPHONY, PortalState

# HTTP status by error, where older documentation differs from what the server sends.
_OLD_STATUSES: Final = {
    "INVALID_CREDENTIALS": 403,
    "insufficient_scope": 403,
    "OVERLOAD_LIMIT": 503,
    "INVALID_REQUEST": 400,
    "PORTAL_DELETED": 500,
}


class PortalError(Exception):
    """An error that the portal answers."""

    def __init__(self, code: str, description: str, status: int) -> None:
        """Take what the envelope says."""
        super().__init__(code)
        self.code, self.description, self.status = code, description, status


def check_rate(portal: PortalState) -> None:
    """Count a request, or refuse it where there were too many."""
    if portal.rate and not portal.bucket.add(portal.rate, portal.clock()):
        raise PortalError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)


def check_access(
    portal: PortalState, user: str, code: str, method: str | None, *, exists: bool
) -> None:
    """Check a request. method: None for a batch; exists: there is such a method."""
    if portal.deleted:
        raise _error(portal, "PORTAL_DELETED", "Portal was deleted", 403)
    if not exists:
        raise _error(portal, "ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
    if not (portal.secure or portal.allow_http):
        raise _error(portal, "INVALID_REQUEST", "Https required.", 401)
    if not code:
        raise _error(portal, "NO_AUTH_FOUND", "Wrong authorization data", 401)
    if not portal.code_is_valid or code != portal.code or user != str(portal.user_id):
        text = "Invalid request credentials"
        raise _error(portal, "INVALID_CREDENTIALS", text, 401)
    if method is not None:
        check_scope(portal, method, inside_batch=False)
    if portal.overloaded:
        text = "REST API is blocked due to overload."
        raise _error(portal, "OVERLOAD_LIMIT", text, 401)
    if not portal.plan:
        status = 403 if portal.status_flavour == "olddocs" else 401
        text = "REST is available only by subscription."
        raise PortalError("ACCESS_DENIED", text, status)
    if not portal.owner_active:
        text = "Unable to authorize user"
        raise _error(portal, "authorization_error", text, 401)


def check_scope(portal: PortalState, method: str, *, inside_batch: bool) -> None:
    """Check that the webhook has the scope of a method."""
    if has_scope(portal, method):
        return
    text = (
        ""
        if inside_batch
        else "The request requires higher privileges than provided by the webhook token"
    )
    raise _error(portal, "insufficient_scope", text, 401)


def has_scope(portal: PortalState, method: str) -> bool:
    """Return whether the webhook has the scope of a method."""
    return not method.startswith("voximplant.") or TELEPHONY in portal.scopes


def check_operating_time(portal: PortalState, method: str) -> None:
    """Check that a method has not used up its operating time."""
    limit = portal.operating_limit
    if limit is not None and portal.operating(method) > limit:
        portal.refused += 1
        text = "Method is blocked due to operation time limit."
        raise PortalError("OPERATION_TIME_LIMIT", text, 429)


def check_permission(portal: PortalState) -> None:
    """Check that the webhook's owner may manage telephony."""
    if not portal.permitted:
        raise PortalError("ACCESS_DENIED", "Access denied!", 403)


def _error(portal: PortalState, code: str, text: str, status: int) -> PortalError:
    if portal.status_flavour == "olddocs":
        status = _OLD_STATUSES.get(code, status)
    return PortalError(code, text, status)
