"""What each fault sends in place of an answer."""

import asyncio
import contextlib

from aiohttp import web

from . import php
from .calls import time_block
from .faults import (
    Body,
    Cut,
    Endless,
    ErrorReply,
    Fault,
    Hang,
    Huge,
    NotHttp,
    Redirect,
    Result,
    Truncated,
)
from .state import PortalState


def json_response(data: bytes, status: int) -> web.Response:
    """Return an answer with the headers that the portal sends."""
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": "origin, content-type, accept",
        "X-Content-Type-Options": "nosniff",
        "Set-Cookie": "qmb=0.; path=/",
    }
    return web.Response(body=data, status=status, headers=headers)


async def reply(
    portal: PortalState, request: web.Request, fault: Fault
) -> web.StreamResponse:
    """Answer a request as a fault does."""
    match fault:
        case ErrorReply():
            body = {"error": fault.code, "error_description": fault.description}
            return json_response(php.encode(body | dict(fault.extra)), fault.status)
        case Body():
            data = fault.body
            return web.Response(
                body=data.encode() if isinstance(data, str) else data,
                status=fault.status,
                headers={"Content-Type": fault.content_type, **fault.headers},
            )
        case Redirect():
            location = fault.location.replace("{path}", request.path)
            return web.Response(status=fault.status, headers={"Location": location})
        case Result():
            block = time_block(portal, "", portal.clock())
            return json_response(
                php.encode({"result": fault.value, "time": block}), 200
            )
        case Hang():
            await portal.sleep(3600)
        case Cut():
            assert request.transport
            request.transport.abort()
        case NotHttp():
            assert isinstance(request.transport, asyncio.WriteTransport)
            request.transport.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            request.transport.close()
        case Truncated():
            return await _truncated(request, b'{"result":{"reg201001":"\\u041e', 999)
        case Endless():
            return await _endless(portal, request)
        case Huge():
            return await _huge(request, fault.size)
        case _:
            raise TypeError(fault)
    return web.Response(status=500)


async def _begin(request: web.Request, length: int | None = None) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = length
    await response.prepare(request)
    return response


async def _truncated(
    request: web.Request, data: bytes, length: int
) -> web.StreamResponse:
    """Send less than was promised, and hang up."""
    response = await _begin(request, length)
    await response.write(data)
    assert request.transport
    request.transport.close()
    return response


async def _endless(portal: PortalState, request: web.Request) -> web.StreamResponse:
    """Send a body that never ends, slowly."""
    response = await _begin(request)
    with contextlib.suppress(ConnectionError, web.HTTPServiceUnavailable):
        await response.write(b'{"result":"')
        while True:
            await response.write(b"x")
            await portal.sleep(0.05)
    return response


async def _huge(request: web.Request, size: int) -> web.StreamResponse:
    """Send so many bytes of what could be JSON."""
    response = await _begin(request)
    chunk = b"x" * 65536
    with contextlib.suppress(ConnectionError):
        await response.write(b'{"result":"')
        for _ in range(size // len(chunk)):
            await response.write(chunk)
        await response.write(b'"}')
    return response
