"""Simulated portals in a process of their own, so that their cost is not measured."""

import argparse
import asyncio
from collections.abc import Mapping
import json
import ssl
import sys
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from dev.portal import Portal

FIRST_REG_ID = 201001


class Portals:
    """A process with portals. webhooks: one of each."""

    def __init__(
        self,
        *,
        portals: int = 1,
        lines: int = 10,
        delay_ms: float = 0.0,
        certificate: str = "",
        counting: bool = False,
    ) -> None:
        """Set the number of portals, and the number of lines of each.

        delay_ms: duration of each command; certificate: a PEM file, for https;
        counting: send all bytes through a relay that counts them, which takes time.
        """
        self.webhooks: list[str] = []
        self._arguments = [
            f"--portals={portals}",
            f"--lines={lines}",
            f"--delay-ms={delay_ms}",
            f"--certificate={certificate}",
        ]
        if counting:
            self._arguments.append("--counting")
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dev.bench.portal_process",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        self.webhooks = (await self._read())["webhooks"]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process by closing its input."""
        assert self._process
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()

    async def do(self, command: str, **fields: Any) -> Any:
        """Run a command in the portals' process, and return its answer."""
        assert self._process
        assert self._process.stdin
        line = json.dumps({"do": command, **fields})
        self._process.stdin.write(f"{line}\n".encode())
        return await self._read()

    async def _read(self) -> Any:
        assert self._process
        assert self._process.stdout
        return json.loads(await self._process.stdout.readline())


class Relay:
    """Passes bytes on to a portal, and counts them both ways."""

    def __init__(self, port: int) -> None:
        """Set the portal's port."""
        self.bytes = 0
        self._port = port

    async def start(self) -> int:
        """Listen; return the port."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(
            "127.0.0.1", self._port
        )
        await asyncio.gather(
            self._pass_on(reader, inner_writer), self._pass_on(inner_reader, writer)
        )

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


class _Server:
    """The portals' process."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._portals: list[Portal] = []
        self._relays: list[Relay] = []
        self._changes = 0

    async def run(self) -> None:
        """Serve until the input ends."""
        context = None
        if certificate := self._arguments.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        webhooks = []
        for _ in range(self._arguments.portals):
            portal = Portal(operating_limit=None)
            portal.command_delay = self._arguments.delay_ms / 1000
            for at in range(self._arguments.lines):
                portal.add_line(FIRST_REG_ID + at, f"Line {at + 1}")
            await portal.start(ssl_context=context)
            self._portals.append(portal)
            webhooks.append(await self._address(portal))
        self._say({"webhooks": webhooks})
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            self._say(self._do(json.loads(line)))

    async def _address(self, portal: Portal) -> str:
        """Return the webhook, with the relay's port if bytes are counted."""
        if not self._arguments.counting:
            return portal.webhook
        parts = urlsplit(portal.webhook)
        assert parts.port
        relay = Relay(parts.port)
        self._relays.append(relay)
        port = await relay.start()
        return parts._replace(netloc=f"127.0.0.1:{port}").geturl()

    def _do(self, command: Mapping[str, Any]) -> Any:
        """Run a command of the other process."""
        if command["do"] == "counts":
            return {
                "requests": sum(len(portal.requests) for portal in self._portals),
                "bytes": sum(relay.bytes for relay in self._relays),
            }
        assert command["do"] == "change"
        # A line that changes drops or recovers, so that all of its entities change.
        self._changes += 1
        minute, second = divmod(self._changes % 3600, 60)
        for portal in self._portals:
            for line in list(portal.lines.values())[: command["lines"]]:
                if line.status == "success":
                    line.drop()
                else:
                    line.recover()
                line.last_updated = f"2026-09-10 01:{minute:02}:{second:02}"
        return None

    @staticmethod
    def _say(answer: Any) -> None:
        print(json.dumps(answer), flush=True)


def main() -> None:
    """Run the portals that the arguments describe."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--portals", type=int, default=1)
    parser.add_argument("--lines", type=int, default=10)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--certificate", default="")
    parser.add_argument("--counting", action="store_true")
    asyncio.run(_Server(parser.parse_args()).run())


if __name__ == "__main__":
    main()
