"""Run all steps in a browser: `python -m dev.e2e`, or `scripts/e2e`."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
import os
from pathlib import Path
import re
import shutil
import signal
import sys
from tempfile import TemporaryDirectory
import time
import traceback
from typing import Final

from playwright.async_api import async_playwright

from dev.demo.office import office
from dev.hass import HomeAssistant, free_port, write_config

from . import automations, dashboard, steps, uptime
from .browser import TIME_ZONE, Frontend, launch
from .visit import Visit

_REPOSITORY: Final = Path(__file__).parents[2]
_EVIDENCE: Final = _REPOSITORY / "build" / "e2e"
_OURS: Final = str(Path(__file__).parent)
_PICTURES: Final = _REPOSITORY / "docs" / "images"
# The port is visible in pictures, so it is always the same.
_PORTAL_PORT: Final = 24024

# Where an entry of Home Assistant's log begins; a traceback goes on below its entry.
_LOG_ENTRY: Final = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)
# Home Assistant logs this when a page closes while it is sent something.
_PAGE_CLOSED: Final = "Cannot write to closing transport"
_STEPS: Final[tuple[Callable[[Visit], Awaitable[None]], ...]] = (
    steps.add_portal,
    steps.restart,
    steps.change_options,
    dashboard.add_dashboard,
    dashboard.line_appears,
    steps.use_blueprint,
    dashboard.drop_line,
    # The automation of the blueprint waits for a minute at least; meanwhile:
    dashboard.see_dashboard,
    uptime.see_uptime,
    steps.hear_of_failure,
    steps.revoked_webhook,
    steps.missing_scope,
    # Before further lines are lost: they would belong to the same incident.
    steps.hear_of_recovery,
    steps.failing_line,
    dashboard.see_dashboard_in_russian,
    automations.use_trigger,
    dashboard.choose_options,
    dashboard.own_dashboards,
    dashboard.second_portal,
    steps.remove_portal,
)


async def run_steps(folder: Path, port: int, browser: str, pictures: Path) -> int:
    """Run all steps in a configuration folder; return the exit code."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        portal = office()
        await portal.start(port=free_port(_PORTAL_PORT))
        stack.push_async_callback(portal.stop)
        hass = await stack.enter_async_context(HomeAssistant(folder, port))
        playwright = await stack.enter_async_context(async_playwright())
        chromium = await launch(playwright, browser)
        stack.push_async_callback(chromium.close)
        frontend = Frontend(chromium, hass, pictures)
        async with frontend.page() as page:
            visit = Visit(portal, hass, frontend, page, [])
            for step in _STEPS:
                if not await _run_step(step, visit):
                    return 1
        return _verdict(visit)


async def _run_step(step: Callable[[Visit], Awaitable[None]], visit: Visit) -> bool:
    """Run a step; if it fails, print why and keep screenshots."""
    name = step.__name__
    began = time.monotonic()
    print(f"{name:20}", end="", flush=True)
    try:
        await step(visit)
    except Exception as error:  # noqa: BLE001 - every exception is printed
        print("FAILED")
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if frame.filename.startswith(_OURS)]
        print(
            "".join(traceback.format_list(ours)),
            type(error).__name__,
            f": {error}",
            sep="",
        )
        for path in await visit.frontend.keep_evidence(_EVIDENCE, name):
            print(f"Screenshot: {path.relative_to(_REPOSITORY)}")
        print(f"The end of Home Assistant's log:\n{visit.hass.log_tail()}")
        return False
    print(f"{time.monotonic() - began:6.1f} s")
    return True


def _verdict(visit: Visit) -> int:
    """Return the exit code for the log and the console after all steps."""
    log = visit.hass.log.read_text(encoding="utf-8", errors="replace")
    visit.must_not_leak(log, "Home Assistant's log")
    wrong = [
        f"logged: {entry}"
        for entry in _LOG_ENTRY.split(log)
        if re.search(r" (ERROR|CRITICAL) |^Traceback", entry, re.MULTILINE)
        and _PAGE_CLOSED not in entry
    ]
    wrong += [f"console: {error}" for error in visit.frontend.errors]
    for sentence in wrong:
        print(sentence)
    return 1 if wrong else 0


def _prepare(folder: Path) -> None:
    """Add the documentation's YAML to a configuration folder."""
    shutil.copytree(_REPOSITORY / "blueprints", folder / "blueprints")
    configuration = folder / "configuration.yaml"
    text = configuration.read_text(encoding="utf-8")
    assert "time_zone: UTC" in text
    text = text.replace("time_zone: UTC", f"time_zone: {TIME_ZONE}")
    configuration.write_text(text, encoding="utf-8")


def main() -> int:
    """Read the command line, and run all steps."""
    parser = argparse.ArgumentParser(prog="scripts/e2e", description=__doc__)
    parser.add_argument(
        "--pictures", action="store_true", help="renew the pictures in docs/images"
    )
    arguments = parser.parse_args()
    browser = os.environ.get("CHROMIUM")
    if not browser:
        parser.error("CHROMIUM has to name a browser's path")
    shutil.rmtree(_EVIDENCE, ignore_errors=True)
    _EVIDENCE.mkdir(parents=True)
    pictures = _PICTURES if arguments.pictures else _EVIDENCE / "images"
    began = time.monotonic()
    with TemporaryDirectory(prefix="bitrix24-sip-e2e-") as name:
        folder = Path(name) / "config"
        port = free_port()
        write_config(folder, port)
        _prepare(folder)
        try:
            code = asyncio.run(run_steps(folder, port, browser, pictures))
        except KeyboardInterrupt, asyncio.CancelledError:
            print("\nEnded")
            return 130
    seconds = time.monotonic() - began
    outcome = "All steps are done" if code == 0 else "Not all is as it should be"
    print(
        f"{outcome} ({seconds:.0f} s); pictures in {pictures.relative_to(_REPOSITORY)}"
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
