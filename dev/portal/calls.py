"""How a request is answered: a call of one method, or a batch of commands."""

from datetime import datetime
from typing import Any, Final

from . import php
from .faults import ErrorReply, Hang, Result, Slow
from .methods import MOSCOW, Page, exists
from .rules import (
    PortalError,
    check_access,
    check_operating_time,
    check_rate,
    check_scope,
)
from .state import PortalState

MAX_COMMANDS: Final = 50

type Command = tuple[str, str, dict[str, Any]]  # key, method and parameters


def parse_commands(method: str, params: dict[str, Any]) -> list[Command]:
    """Return the commands of a request: those of a batch, or the one call."""
    if method != "batch":
        return [("", method, params)]
    commands = []
    for key, command in php.from_array(php.upper_keys(params).get("CMD")).items():
        if isinstance(command, str):
            name, _, query = command.partition("?")
            commands.append((key, name.lower(), php.parse_query(query)))
    return commands


async def answer(
    portal: PortalState, user: str, code: str, method: str, params: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    """Return the body and the status of an answer."""
    began = portal.clock()
    try:
        check_rate(portal)
        if method != "batch":
            check_access(portal, user, code, method, exists=exists(portal, method))
            return await _call(portal, method, params), 200
        check_access(portal, user, code, None, exists=True)
        result = await _batch(portal, params)
    except PortalError as error:
        return _envelope(error), error.status
    return {"result": result, "time": time_block(portal, "batch", began)}, 200


def _envelope(error: PortalError) -> dict[str, Any]:
    return {"error": error.code, "error_description": error.description}


async def _call(
    portal: PortalState, method: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Run one method; return its envelope."""
    check_operating_time(portal, method)
    began = portal.clock()
    if portal.command_delay:
        await portal.sleep(portal.command_delay)
    result = await portal.methods[method](portal, params)
    extra: dict[str, Any] = {}
    if isinstance(result, Page):
        extra, result = result.extra, result.records
    portal.book(method)
    return {"result": result, **extra, "time": time_block(portal, method, began)}


async def _batch(portal: PortalState, params: dict[str, Any]) -> dict[str, Any]:
    """Run the commands of a batch, one after the other."""
    halts = php.is_true(php.upper_keys(params).get("HALT"))
    parts: dict[str, dict[str, Any]] = {
        "result": {},
        "result_error": {},
        "result_total": {},
        "result_next": {},
        "result_time": {},
    }
    for index, (key, method, command) in enumerate(parse_commands("batch", params)):
        try:
            envelope = await _command(portal, index, method, command)
        except PortalError as error:
            parts["result_error"][key] = _envelope(error)
            if halts:
                break
            continue
        parts["result"][key] = envelope["result"]
        parts["result_time"][key] = envelope["time"]
        for name in ("total", "next"):
            if name in envelope:
                parts[f"result_{name}"][key] = envelope[name]
    return {name: php.to_array(part) for name, part in parts.items()}


async def _command(
    portal: PortalState, index: int, method: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Run one command of a batch."""
    if index >= MAX_COMMANDS:
        text = "Max batch length exceeded"
        raise PortalError("ERROR_BATCH_LENGTH_EXCEEDED", text, 200)
    if method == "batch":
        text = "Method is not allowed for batch usage"
        raise PortalError("ERROR_BATCH_METHOD_NOT_ALLOWED", text, 200)
    if not exists(portal, method):
        raise PortalError("ERROR_METHOD_NOT_FOUND", "Method not found!", 200)
    check_scope(portal, method, inside_batch=True)
    replaced: Result | None = None
    for active in list(portal.active_faults):
        if active.method in (None, "batch"):  # of the request, not of its commands
            continue
        if not active.applies(method, php.reg_id(params)):
            continue
        match active.fault:
            case ErrorReply(code, description):
                raise PortalError(code, description, 200)
            case Result():
                replaced = active.fault
            case Slow(seconds):
                await portal.sleep(seconds)
            case Hang():
                await portal.sleep(3600)
    if replaced:
        block = time_block(portal, method, portal.clock())
        return {"result": replaced.value, "time": block}
    return await _call(portal, method, params)


def time_block(portal: PortalState, method: str, began: float) -> dict[str, Any]:
    """Return the `time` block of an answer, in the flavour chosen."""
    now = portal.clock()
    stamp = datetime.fromtimestamp(now, MOSCOW).isoformat(timespec="seconds")
    stamps = {"date_start": stamp, "date_finish": stamp}
    if portal.time_flavour == "legacy":
        return {
            "start": began,
            "finish": now,
            "duration": now - began,
            "processing": 0.001157,
            **stamps,
        }
    return {
        "start": int(began),
        "finish": now,
        "duration": now - int(began),
        "processing": 0,
        **stamps,
        "operating": portal.operating(method) or 0,
        "operating_reset_at": portal.operating_time.reset_at(method, now),
    }
