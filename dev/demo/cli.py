"""The demo's command line."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from getpass import getpass
import os
from pathlib import Path
import signal
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any

import aiohttp

from dev.hass import (
    DEFAULT_PORT,
    HassError,
    HomeAssistant,
    free_port,
    is_free,
    write_config,
)
from dev.portal import Portal as SimulatedPortal

from . import checks, dashboard, table
from .entities import Portal, portal_of
from .office import change_lines, office

DOMAIN = "bitrix24_sip"
# Seconds between polls of the simulated portal: the minimum of the option.
_SCAN_INTERVAL = 15
_FIRST_POLL_TIMEOUT = 30  # seconds
_REFRESH = 1  # seconds


class Demo:
    """A run of the demo."""

    def __init__(self, arguments: argparse.Namespace, webhook: str | None) -> None:
        """Set the arguments; webhook: a real portal's, None for the simulated one."""
        self.once: bool = arguments.once
        self.port: int = arguments.port or free_port()
        if not is_free(self.port):
            raise HassError(f"port {self.port} is taken; choose another one, or none")
        self._webhook = webhook
        self._simulated: SimulatedPortal | None = None
        self._hass: HomeAssistant | None = None
        self._began = time.monotonic()
        self.showing = False

    async def run(self, folder: Path) -> int:
        """Run in a configuration folder; return the exit code."""
        try:
            async with AsyncExitStack() as stack:
                return await self._run(folder, stack)
        except (HassError, aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or "Home Assistant took too long"
            print(f"demo: {self._without_secret(reason)}", file=sys.stderr)
            self._show_log()
            return 1

    async def _run(self, folder: Path, stack: AsyncExitStack) -> int:
        """Start portal and Home Assistant, and show the lines."""
        webhook = self._webhook
        if webhook is None:
            self._simulated = await stack.enter_async_context(office())
            webhook = self._simulated.webhook
            print(f"Simulated portal: {self._simulated.url}")
        print(f"Starting Home Assistant on port {self.port}", flush=True)
        self._hass = hass = HomeAssistant(folder, self.port)
        await stack.enter_async_context(hass)
        entry = await hass.add_integration(DOMAIN, {"webhook": webhook})
        portal, wrong = await self._first_poll(hass, entry)
        wrong += [f"Logged: {line}" for line in hass.logged_errors(DOMAIN)]
        await dashboard.show(hass)
        seconds = time.monotonic() - self._began
        stages = ", ".join(f"{k} {v:.1f} s" for k, v in hass.timings.items())
        print(f"Home Assistant is up after {seconds:.1f} s (its own start: {stages})")
        print(f"Open {hass.url}/ on this machine: nothing to type, no log-in")
        print("" if self.once else "Ctrl-C ends the demo\n")
        screen = table.Screen()
        await self._show(hass, portal, screen)
        if wrong:
            print("\ndemo: something is wrong:", file=sys.stderr)
            for sentence in wrong:
                print(f"- {self._without_secret(sentence)}", file=sys.stderr)
            self._show_log()
            return 1
        if self.once:
            print("\nAll entities exist, and show what the portal answers")
            return 0
        await self._keep_showing(hass, entry, screen)
        return 0

    async def _first_poll(
        self, hass: HomeAssistant, entry: Mapping[str, Any]
    ) -> tuple[Portal, list[str]]:
        """Wait for the first poll; return the portal, and the findings."""
        deadline = time.monotonic() + _FIRST_POLL_TIMEOUT
        while True:
            portal = await portal_of(hass, entry)
            states = await hass.states()
            wrong = checks.missing(portal, states, self._statuses())
            if not wrong or time.monotonic() > deadline:
                return portal, wrong
            await asyncio.sleep(0.2)

    async def _keep_showing(
        self, hass: HomeAssistant, entry: Mapping[str, Any], screen: table.Screen
    ) -> None:
        """Let the lines change, and show their states; never returns."""
        self.showing = True
        async with asyncio.TaskGroup() as tasks:
            if self._simulated:
                tasks.create_task(change_lines(self._simulated))
                await hass.change_options(
                    entry["entry_id"], {"scan_interval": str(_SCAN_INTERVAL)}
                )
            while True:
                await self._show(hass, await portal_of(hass, entry), screen)
                await asyncio.sleep(_REFRESH)

    async def _show(
        self, hass: HomeAssistant, portal: Portal, screen: table.Screen
    ) -> None:
        """Show the present table."""
        rows = table.rows(portal, await hass.states(), self._statuses())
        screen.show(table.text(rows))

    def _statuses(self) -> dict[int, str] | None:
        """Return the statuses on the simulated portal, None for a real one."""
        if self._simulated is None:
            return None
        return {reg_id: line.status for reg_id, line in self._simulated.lines.items()}

    def _show_log(self) -> None:
        """Show the end of Home Assistant's log."""
        if self._hass and (tail := self._hass.log_tail()):
            print("\nThe end of Home Assistant's log:", file=sys.stderr)
            print(self._without_secret(tail), file=sys.stderr)

    def _without_secret(self, text: str) -> str:
        """Return a text without the webhook's code."""
        if self._webhook is None:
            return text
        parts = (part for part in self._webhook.split("/") if len(part) > 8)
        for part in parts:
            if "." not in part:
                text = text.replace(part, "…")
        return text


def run(argv: Sequence[str]) -> int:
    """Run the demo with the command line's arguments; return the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        webhook = _webhook(arguments.webhook)
        demo = Demo(arguments, webhook)
    except (HassError, ValueError) as error:
        parser.error(str(error))
    with TemporaryDirectory(prefix="bitrix24-sip-demo-") as name:
        folder = Path(name) / "config"
        write_config(folder, demo.port)
        return asyncio.run(_until_signalled(demo, folder))


async def _until_signalled(demo: Demo, folder: Path) -> int:
    """Run the demo until it ends, or until Ctrl-C or a signal."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(demo.run(folder))
    received: list[int] = []

    def end(number: int) -> None:
        # A second Ctrl-C has no effect: the demo is already ending.
        if not received:
            received.append(number)
            print("\nEnding", flush=True)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)
    with suppress(asyncio.CancelledError):
        return await task
    return 0 if demo.showing else 128 + received[0]


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="A real Home Assistant that shows the SIP lines of a simulated "
        "Bitrix24 portal. Ctrl-C ends it and leaves nothing behind.",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="print the table after the first poll and end; "
        "exit code 0 when all is there",
    )
    parser.add_argument(
        "--webhook",
        metavar="URL",
        help="a real portal's inbound webhook, which is a secret: better give it in the "
        "environment variable BITRIX24_WEBHOOK, or '-' to be asked for it",
    )
    parser.add_argument(
        "--port",
        type=int,
        help=f"Home Assistant's port (default: {DEFAULT_PORT}, or the next free one)",
    )
    return parser


def _webhook(argument: str | None) -> str | None:
    """Return the real portal's webhook, None for the simulated portal."""
    if argument == "-":
        prompt = "Webhook (not shown): "
        given = getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()
    else:
        given = argument or os.environ.get("BITRIX24_WEBHOOK", "")
    given = given.strip()
    if argument is not None and not given:
        raise ValueError("no webhook was given")
    return given or None
