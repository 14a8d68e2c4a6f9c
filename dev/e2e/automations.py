"""An automation with the integration's own trigger, made in the automation editor."""

import asyncio
import time
from typing import Any, Final

from playwright.async_api import Locator, expect

from .browser import TIMEOUT, must_be_readable
from .visit import Visit

_LABEL: Final = "Phones"
_NAME: Final = "A line is lost"
_LINE: Final = "Reception +7 495 000-00-05"
_REG_ID: Final = 201005


async def use_trigger(visit: Visit) -> None:
    """Find the trigger by typing "SIP", choose a label, save it, and see it fire.

    The conditions are found in the same way. The automation is deleted at the end.
    """
    hass, page = visit.hass, visit.page
    label_id = await _put_label(visit)
    await visit.go("/config/automation/edit/new")
    conditions = await _search(visit, "condition")
    for name in ("SIP line is registered", "SIP line is not registered"):
        await expect(conditions.get_by_text(name, exact=True)).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(conditions.get_by_role("dialog")).to_be_hidden()

    triggers = await _search(visit, "trigger")
    await triggers.get_by_text("SIP line registration lost", exact=True).click()
    sidebar = page.locator("ha-automation-sidebar")
    await sidebar.get_by_role("button", name="Add target").click()
    await page.get_by_placeholder("Search").filter(visible=True).fill(_LABEL)
    await page.locator("ha-combo-box-item").filter(has_text=_LABEL).click()
    await expect(sidebar.get_by_text("1 entity")).to_be_visible()
    for behavior in ("Each", "First", "All"):
        await expect(sidebar.get_by_text(behavior, exact=True)).to_be_visible()
    await must_be_readable(sidebar)
    duration = sidebar.locator("ha-duration-input")
    await visit.frontend.picture("trigger", page, sidebar, end=duration)
    await page.get_by_role("button", name="Save").click()
    dialog = page.locator("ha-dialog-automation-save")
    await dialog.locator("input").first.fill(_NAME)
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Traces", exact=True)).to_be_visible()
    automation_id = page.url.rpartition("/")[2]

    line = visit.portal.lines[_REG_ID]
    line.drop(480, "Temporarily Unavailable")
    trigger = await _trigger_of_first_run(visit, automation_id)
    line.recover()
    told = {key: trigger[key] for key in ("line", "reg_id", "code", "message", "cause")}
    assert told == {
        "line": _LINE,
        "reg_id": _REG_ID,
        "code": 480,
        "message": "Temporarily Unavailable",
        "cause": "provider_unavailable",
    }, told
    await visit.open_device(_LINE)
    await visit.shows(Registration="Registered")
    await hass.request("DELETE", f"/api/config/automation/config/{automation_id}")
    await hass.command("config/label_registry/delete", label_id=label_id)


async def _put_label(visit: Visit) -> str:
    """Put a new label on a line's device; return its ID."""
    hass = visit.hass
    label = await hass.command("config/label_registry/create", name=_LABEL)
    label_id: str = label["label_id"]
    [device_id] = [
        device_id
        for device_id, device in (await hass.devices()).items()
        if device["name"] == _LINE
    ]
    await hass.command(
        "config/device_registry/update", device_id=device_id, labels=[label_id]
    )
    return label_id


async def _search(visit: Visit, kind: str) -> Locator:
    """Search for "SIP" among the triggers or conditions that can be added."""
    await visit.page.get_by_role("button", name=f"Add {kind}").click()
    dialog = visit.page.locator("add-automation-element-dialog")
    await dialog.locator("input").first.fill("SIP")
    return dialog


async def _trigger_of_first_run(visit: Visit, automation_id: str) -> dict[str, Any]:
    """Wait until an automation has run; return its variable `trigger`."""
    which = {"domain": "automation", "item_id": automation_id}
    deadline = time.monotonic() + TIMEOUT / 1000
    while time.monotonic() < deadline:
        for run in await visit.hass.command("trace/list", **which):
            trace = await visit.hass.command("trace/get", **which, run_id=run["run_id"])
            first_step = next(iter(trace["trace"].values()))[0]
            trigger: dict[str, Any] = first_step["changed_variables"]["trigger"]
            return trigger
        await asyncio.sleep(0.5)
    raise AssertionError("the automation did not run")
