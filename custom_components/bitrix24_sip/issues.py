"""Repair issues: problems that a user has to fix on the portal."""

from datetime import timedelta
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .bitrix24 import Bitrix24Error, PermanentError, PortalLinks, SipConnector, Webhook
from .const import DOMAIN
from .errors import error_placeholders
from .monitor import PortalMonitor

PORTAL_MOVED: Final = "portal_moved"
CONNECTOR_UNPAID: Final = "connector_unpaid"
CONNECTOR_ENDS: Final = "connector_ends"
CONNECTOR_NOTICE: Final = timedelta(days=7)

# The page of the portal on which an error can be fixed. A revoked webhook is not among
# them: it starts reauthentication.
_PAGES: Final = {
    "missing_scope": "/devops/list/",
    "missing_permission": "/telephony/permissions.php",
    "plan_restricted": "/settings/license.php",
    PORTAL_MOVED: "/",
    "portal_closed": "/",
    "portal_overloaded": "/devops/list/",
    "telephony_missing": "/",
    "https_required": "/",
    CONNECTOR_UNPAID: "/telephony/lines.php",
    CONNECTOR_ENDS: "/telephony/lines.php",
}


@callback
def async_update_issues(
    hass: HomeAssistant,
    entry_id: str,
    monitor: PortalMonitor,
    error: Bitrix24Error | None,
) -> None:
    """Create and delete issues, so that they match the last poll.

    error: of the last poll; a transient error does not change the issues.
    """
    webhook = monitor.telephony.client.webhook
    wanted: dict[str, dict[str, str]] = {}
    if error is None:
        wanted = _connector_issues(monitor.connector, {"portal": webhook.host})
    elif not isinstance(error, PermanentError):
        return
    elif error.reason in _PAGES:
        wanted[error.reason] = error_placeholders(error, webhook.host)
    for key, page in _PAGES.items():
        if key not in wanted:
            ir.async_delete_issue(hass, DOMAIN, issue_id(entry_id, key))
            continue
        ir.async_create_issue(
            hass,
            DOMAIN,
            issue_id(entry_id, key),
            data={"entry_id": entry_id, **wanted[key]},
            is_fixable=key == PORTAL_MOVED,
            learn_more_url=_link(webhook, key, monitor.links)
            or f"{webhook.base}{page}",
            severity=(
                ir.IssueSeverity.WARNING
                if key == CONNECTOR_ENDS
                else ir.IssueSeverity.ERROR
            ),
            translation_key=key,
            translation_placeholders=wanted[key],
        )


@callback
def async_delete_issues(hass: HomeAssistant, entry_id: str) -> None:
    """Delete the issues of a portal that is no longer monitored."""
    for key in _PAGES:
        ir.async_delete_issue(hass, DOMAIN, issue_id(entry_id, key))


def issue_id(entry_id: str, key: str) -> str:
    """Return the ID of a portal's issue."""
    return f"{entry_id}_{key}"


def _link(webhook: Webhook, key: str, links: PortalLinks) -> str | None:
    """Return the portal's own link for an issue, unless it leads elsewhere."""
    if key not in (CONNECTOR_UNPAID, CONNECTOR_ENDS) or links.buy_connector is None:
        return None
    return links.buy_connector if webhook.may_link_to(links.buy_connector) else None


def _connector_issues(
    connector: SipConnector | None, placeholders: dict[str, str]
) -> dict[str, dict[str, str]]:
    """Return the issues of the SIP Connector, which is a paid subscription."""
    if connector is None:
        return {}
    if connector.paid is False:
        return {CONNECTOR_UNPAID: placeholders}
    until = connector.paid_until
    if until is None or until - dt_util.utcnow() > CONNECTOR_NOTICE:
        return {}
    day = dt_util.as_local(until).date().isoformat()
    return {CONNECTOR_ENDS: {**placeholders, "date": day}}
