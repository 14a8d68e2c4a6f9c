"""The methods of the REST API. Each takes the portal and the parameters of a call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
import html
import time
from typing import Any, Final

from . import php
from .rules import PortalError, check_permission, has_scope
from .state import Method, PortalState

MISSING: Final = object()  # a field that the answer lacks
MOSCOW: Final = timezone(timedelta(hours=3))
PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list method, with what stands beside `result`."""

    records: list[Any]
    extra: dict[str, Any]


async def _profile(portal: PortalState, params: dict[str, Any]) -> Any:
    if portal.empty_profile:
        return []
    return {
        "ID": str(portal.user_id),
        "ADMIN": True,
        "NAME": "Анна",
        "LAST_NAME": "Тест",
        "PERSONAL_GENDER": "F",
        "TIME_ZONE": "Europe/Moscow",
        "TIME_ZONE_OFFSET": 10800,
    }


async def _scope(portal: PortalState, params: dict[str, Any]) -> Any:
    return sorted(portal.scopes)


async def _list_methods(portal: PortalState, params: dict[str, Any]) -> Any:
    return sorted(name for name in portal.methods if exists(portal, name))


async def _method_get(portal: PortalState, params: dict[str, Any]) -> Any:
    name = str(params.get("name", ""))
    existing = exists(portal, name)
    return {
        "isExisting": existing,
        "isAvailable": existing and has_scope(portal, name),
    }


async def _server_time(portal: PortalState, params: dict[str, Any]) -> Any:
    now = datetime.fromtimestamp(portal.clock(), MOSCOW)
    return now.isoformat(timespec="seconds")


async def _app_info(portal: PortalState, params: dict[str, Any]) -> Any:
    text = "Access denied! Application context required"
    status = 400 if portal.status_flavour == "olddocs" else 403
    raise PortalError("ACCESS_DENIED", text, status)


async def _line_get(portal: PortalState, params: dict[str, Any]) -> Any:
    check_permission(portal)
    lines = {
        f"reg{line.reg_id}": html.escape(
            line.title or f"Cloud hosted PBX (#{line.config_id})"
        ).replace("&#x27;", "&#039;")
        for line in portal.lines.values()
        if line.listed
    }
    lines |= {f"sip{config}": title for config, title in portal.office_lines.items()}
    return php.to_array(lines | portal.numbers)


async def _line_outgoing_get(portal: PortalState, params: dict[str, Any]) -> Any:
    check_permission(portal)
    if portal.outgoing is not None:
        return portal.outgoing
    return next((f"reg{reg_id}" for reg_id in portal.lines), "")


async def _url_get(portal: PortalState, params: dict[str, Any]) -> Any:
    return {
        "detail_statistics": f"{portal.url}/telephony/detail.php",
        "buy_connector": f"{portal.url}/settings/license_phone_sip.php",
        "edit_config": f"{portal.url}/telephony/edit.php?ID=#CONFIG_ID#",
        "lines": f"{portal.url}/telephony/lines.php",
    }


async def _sip_get(portal: PortalState, params: dict[str, Any]) -> Any:
    check_permission(portal)
    upper = php.upper_keys(params)
    wanted = php.upper_keys(upper.get("FILTER") or {})
    common = {
        "AUTH_USER": None,
        "OUTBOUND_PROXY": None,
        "DETECT_LINE_NUMBER": "N",
        "LINE_DETECT_HEADER_ORDER": "diversion;to",
    }
    records: list[dict[str, Any]] = [
        {
            "TYPE": "cloud",
            "CONFIG_ID": str(line.config_id),
            "REG_ID": str(line.reg_id),
            "SERVER": "sip.provider.test",
            "LOGIN": f"100{line.config_id:04}",
            "PASSWORD": f"SECRET-MARKER-{line.reg_id}",
            **common,
            "REGISTRATION_STATUS_CODE": str(line.stored_code or 0),
            "REGISTRATION_ERROR_MESSAGE": line.stored_message,
            "TITLE": line.title,
        }
        for line in portal.lines.values()
        if line.owner != "app"
    ] + [
        {
            "TYPE": "office",
            "CONFIG_ID": str(config_id),
            "SERVER": "pbx.office.test",
            "LOGIN": "office_user",
            "PASSWORD": f"SECRET-MARKER-{config_id}",
            "INCOMING_SERVER": "ip.acme.bitrixphone.test",
            "INCOMING_LOGIN": f"sip{config_id}",
            "INCOMING_PASSWORD": f"SECRET-MARKER-{config_id}-IN",
            **common,
            "REGISTRATION_STATUS_CODE": "0",
            "REGISTRATION_ERROR_MESSAGE": None,
            "TITLE": title,
        }
        for config_id, title in portal.office_lines.items()
    ]
    records = [
        record
        for record in records
        if all(str(record.get(key)) == str(value) for key, value in wanted.items())
    ]
    if sort := upper.get("SORT"):
        reverse = str(upper.get("ORDER", "ASC")).upper() == "DESC"
        records.sort(key=lambda record: int(record[sort] or 0), reverse=reverse)
    if not records:
        return []
    start = int(params.get("start", 0) or 0)
    end = start + PAGE_SIZE
    extra: dict[str, Any] = {"total": len(records)}
    if end < len(records):
        extra = {"next": end, **extra}
    return Page(records[start:end], extra)


async def _sip_status(portal: PortalState, params: dict[str, Any]) -> Any:
    check_permission(portal)
    line = portal.lines.get(php.reg_id(params) or 0)
    if line is not None and line.delay:
        began = time.perf_counter()
        await portal.sleep(line.delay)
        portal.book("voximplant.sip.status", time.perf_counter() - began)
    if line is None or line.unreachable:
        raise PortalError("REG_ID_NOT_FOUND", "Настройки не найдены", 400)
    if line.code is not None and line.code != line.stored_code:
        line.stored_code, line.stored_message = line.code, line.message or ""
        portal.notifications.append((line.reg_id, line.code))
    answer = {
        "REG_ID": line.reg_id,
        "LAST_UPDATED": line.last_updated,
        "ERROR_MESSAGE": line.message,
        "STATUS_CODE": line.code,
        "STATUS_RESULT": line.status,
    } | line.raw
    return {key: value for key, value in answer.items() if value is not MISSING}


async def _connector_status(portal: PortalState, params: dict[str, Any]) -> Any:
    check_permission(portal)
    if portal.connector.fails:
        raise PortalError("", "", 400)
    answer = {
        "FREE_MINUTES": portal.connector.free_minutes,
        "PAID": portal.connector.paid,
    }
    if portal.connector.paid:
        answer["PAID_DATE_END"] = portal.connector.paid_until
    return answer


METHODS: Final[Mapping[str, Method]] = {
    "profile": _profile,
    "scope": _scope,
    "methods": _list_methods,
    "method.get": _method_get,
    "server.time": _server_time,
    "app.info": _app_info,
    "voximplant.line.get": _line_get,
    "voximplant.line.outgoing.get": _line_outgoing_get,
    "voximplant.sip.get": _sip_get,
    "voximplant.sip.status": _sip_status,
    "voximplant.sip.connector.status": _connector_status,
    "voximplant.url.get": _url_get,
}


def exists(portal: PortalState, method: str) -> bool:
    """Return whether the portal has a method."""
    if method.startswith("voximplant.") and not portal.telephony_installed:
        return False
    return method in portal.methods
