"""The steps of the browser run. Each one leaves the state that the next one needs."""

import asyncio
from itertools import pairwise
import re
import time
from typing import Final

from playwright.async_api import Locator, expect

from dev.demo.entities import PROBLEM, REGISTRATION, STATUS, portal_of
from dev.portal import Request

from .browser import TIMEOUT, must_be_readable
from .dashboard import MAIN, SALES, SUPPORT, URL_PATH, WAREHOUSE
from .past import outages, write_past
from .uptime import write_uptime
from .visit import DOMAIN, INTEGRATION_PAGE, INTEGRATIONS_PAGE, Visit

# The name on the documentation's dashboard.
PORTAL_TITLE: Final = "example.bitrix24.com"
_WRONG_PAGE: Final = "https://acme.bitrix24.com/company/personal/"
_INTERVAL: Final = 15  # seconds
# The history of the lines in the last days.
_PAST: Final = {
    MAIN: outages(8, (100, 25), (31, 12)),
    SALES: outages(8, (130, 40), (75, 15), (8, 35)),
    SUPPORT: outages(8, (53, 90), (20, 50), (4.5, 20)),
    WAREHOUSE: outages(8, (96, 120), (2.2, 999)),
    201005: outages(8, (60, 30), (13, 45)),
    201007: outages(8, (110, 55), (16, 25), (6, 10)),
}
_STATES: Final = {
    REGISTRATION: {True: "on", False: "off"},
    STATUS: {True: "success", False: "error"},
    PROBLEM: {True: "none", False: "provider_unavailable"},
}


async def add_portal(visit: Visit) -> None:
    """Add the integration: a wrong webhook shows an error, the right one is accepted."""
    page = visit.page
    await visit.go("/")
    await page.locator("#sidebar-config").click()
    await page.get_by_text("Devices & services").first.click()
    await page.get_by_role("button", name="Add integration").click()
    brands = page.locator("dialog-add-integration")
    await brands.locator("input").first.fill("Bitrix24 SIP")
    found = brands.get_by_text("Bitrix24 SIP", exact=True)
    await expect(found).to_be_visible()
    await _shows_icon(brands.locator("img").first)
    await found.click()

    flow = visit.flow
    error = flow.locator("ha-alert")
    await expect(flow.get_by_text("Connect a portal")).to_be_visible()
    await expect(flow.get_by_text("Inbound webhook").first).to_be_visible()
    await expect(flow.get_by_text("example.bitrix24.com")).to_be_visible()
    await expect(flow.locator("a[href*='example.bitrix24.com']")).to_have_count(0)
    await visit.picture_of_dialog("connect-portal", flow)
    await visit.submit(webhook=_WRONG_PAGE)
    await expect(error.get_by_text("not that of an inbound webhook")).to_be_visible()
    right = visit.copy_webhook()
    await visit.submit(webhook=right.replace(visit.portal.code, "nobodyknows"))
    refused = f"{visit.portal_host} does not accept this webhook"
    await expect(error.get_by_text(refused)).to_be_visible()
    await must_be_readable(flow.get_by_role("dialog").first)

    await visit.submit(webhook=right)
    names = flow.get_by_role("textbox", name="Device name")
    await expect(names).to_have_count(1 + len(visit.portal.lines))
    await names.first.fill(PORTAL_TITLE)
    await flow.get_by_role("button", name="finish").last.click()
    await page.wait_for_url(f"**{INTEGRATION_PAGE}*")
    await expect(flow).to_be_hidden()
    devices = page.locator("ha-config-entry-device-row")
    await expect(devices).to_have_count(1 + len(visit.portal.lines))
    for title in (PORTAL_TITLE, *(line.title for line in visit.portal.lines.values())):
        await expect(devices.filter(has_text=title)).to_be_visible()
    await visit.go(INTEGRATION_PAGE)
    await expect(devices.last).to_be_visible()
    await visit.frontend.picture("devices", page, visit.entry, margin=8)


async def restart(visit: Visit) -> None:
    """Restart Home Assistant with history; all lines exist as before."""
    hass = visit.hass
    [entry] = await hass.command("config_entries/get", domain=DOMAIN)
    portal = await portal_of(hass, entry)
    past = {
        entity_id: [(ago, _STATES[key][state]) for ago, state in _PAST[reg_id]]
        for reg_id, line in portal.lines.items()
        for key, entity_id in line.entities.items()
        if key in _STATES and reg_id in _PAST
    }
    await visit.page.goto(
        "about:blank"
    )  # an open page would log an error about the server
    await hass.stop()
    await asyncio.to_thread(write_past, hass.folder, past)
    await asyncio.to_thread(write_uptime, hass.folder, entry["entry_id"])
    await hass.start()
    for title, state in (("Sales", "Registered"), ("Warehouse", "Not registered")):
        await visit.open_device(title)
        await visit.shows(Registration=state)


async def change_options(visit: Visit) -> None:
    """Change interval and grace period, and check that they take effect at once."""
    await visit.open_device("Fax")
    await visit.shows(Registration="Unknown", Status="In progress")
    await visit.go(INTEGRATION_PAGE)
    await visit.entry.get_by_role("button", name="Configure").click()
    flow = visit.flow
    await expect(flow.get_by_text(f"Options for {visit.portal_host}")).to_be_visible()
    interval, grace = (flow.locator("ha-selector-select").nth(at) for at in (0, 1))
    await expect(interval).to_contain_text("30 s")
    await expect(grace).to_contain_text("2 min")
    await visit.picture_of_dialog("options", flow)
    await visit.pick(interval, "15 s")
    await visit.pick(grace, "0 s")
    await visit.submit()
    await expect(flow.get_by_text("Options successfully saved")).to_be_visible()
    await flow.get_by_role("button", name="Finish").click()
    await expect(flow).to_be_hidden()

    # The grace period of a line that was in progress from the start is over.
    await visit.open_device("Fax")
    await visit.shows(Registration="Not registered", Status="In progress")


async def failing_line(visit: Visit) -> None:
    """Check a line that fails: its entities, its diagnostics, its activity.

    The new interval has also taken effect by now.
    """
    page = visit.page
    await visit.open_device("Support")
    await visit.shows(Registration="Registered")
    lines = visit.portal.lines
    since = time.time()
    lines[MAIN].drop(408, "Request Timeout")
    lines[SUPPORT].drop(503, "Service Unavailable")
    await visit.shows(Registration="Not registered", Status="Error")
    problem = "Provider overloaded or down"
    await visit.shows(Problem=problem)
    activity = page.locator("ha-logbook")
    for words in ("Not registered", "Lost", problem):
        await expect(activity.get_by_text(words, exact=True).first).to_be_visible()
    _is_one_change(await visit.activity(since), "off", "error", "provider_unavailable")
    device = page.locator("ha-config-device-page")
    await visit.frontend.picture("line", page, device)

    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download diagnostics").click()
    file = await (await download.value).path()
    diagnostics = await asyncio.to_thread(file.read_text, "utf-8")
    assert '"status_code": 503' in diagnostics, diagnostics
    visit.must_not_leak(diagnostics, "the diagnostics")
    for private in (visit.portal_host, "acme", "201003"):
        assert private not in diagnostics, f"{private} is in the diagnostics"
    since = time.time()
    lines[MAIN].recover()
    lines[SUPPORT].recover()
    await expect(activity.get_by_text("Restored", exact=True)).to_be_visible()
    _is_one_change(await visit.activity(since), "on", "success", "none")
    device_id = page.url.rpartition("/")[2]
    await visit.go(f"/logbook?device_id={device_id}")
    await expect(page.locator("ha-logbook-entry").first).to_contain_text("Restored")
    _is_one_change(await visit.activity(since), "on", "success", "none")

    polls = [poll.at for poll in visit.portal.requests if _asked(poll) == len(lines)]
    gaps = [later - earlier for earlier, later in pairwise(polls[-3:])]
    assert max(gaps) < 2 * _INTERVAL, f"the last polls were {gaps} s apart"


async def use_blueprint(visit: Visit) -> None:
    """Create an automation from the blueprint for a line that is down."""
    page = visit.page
    await visit.go("/config/blueprint/dashboard")
    await page.get_by_text("Bitrix24 SIP: line down").first.click()
    editor = page.locator("blueprint-automation-editor")
    minutes = editor.get_by_role("spinbutton").first
    await expect(minutes).to_have_value("2")
    await visit.frontend.picture(
        "blueprint", page, editor.locator("ha-card").first, margin=16
    )
    await minutes.fill("1")
    await minutes.press("Tab")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Traces", exact=True)).to_be_visible()


async def hear_of_failure(visit: Visit) -> None:
    """Receive the blueprint's notification that a line is down."""
    await visit.go(f"/{URL_PATH}")
    await visit.page.get_by_role("button", name="Notifications").click()
    notification = visit.page.locator("notification-drawer notification-item")
    notification = notification.filter(has_text="Sales is down")
    await expect(notification).to_contain_text("403 Forbidden", timeout=2 * TIMEOUT)
    await visit.frontend.picture("notification", visit.page, notification, margin=16)
    visit.portal.lines[SALES].recover()
    await visit.go(f"/{URL_PATH}")
    tile = visit.page.locator("hui-tile-card").filter(has_text="Sales").first
    await expect(tile).to_contain_text("Registered")


async def hear_of_recovery(visit: Visit) -> None:
    """Receive the notification that the line is back, with its downtime.

    It is sent when the line has stayed registered for two minutes.
    """
    await visit.page.get_by_role("button", name="Notifications").click()
    notification = visit.page.locator("notification-drawer notification-item")
    notification = notification.filter(has_text="Sales is back")
    await expect(notification).to_contain_text("It was down for", timeout=4 * TIMEOUT)


async def revoked_webhook(visit: Visit) -> None:
    """Replace a revoked webhook, from the card that needs attention."""
    page, portal = visit.page, visit.portal
    await visit.go(INTEGRATIONS_PAGE)
    portal.revoke()
    await visit.poll_now()
    card = page.locator("ha-config-flow-card")
    await expect(card).to_contain_text("Bitrix24 SIP")
    await _shows_icon(card.locator("img"))

    await card.get_by_role("button", name="Reconfigure").click()
    flow = visit.flow
    await expect(flow.get_by_text("Replace the webhook")).to_be_visible()
    await must_be_readable(flow.get_by_role("dialog").first)
    await visit.submit(webhook=visit.copy_webhook())
    refused = flow.locator("ha-alert").get_by_text("does not accept this webhook")
    await expect(refused).to_be_visible()
    portal.new_webhook()
    await visit.submit(webhook=visit.copy_webhook())
    await expect(flow.get_by_text("Re-authentication was successful")).to_be_visible()
    await flow.get_by_role("button", name="Close").last.click()
    await expect(card).to_be_hidden()
    await visit.open_device("Sales")
    await visit.shows(Registration="Registered")


async def missing_scope(visit: Visit) -> None:
    """Check the repair issue of a missing permission, before and after fixing it."""
    page, portal = visit.page, visit.portal
    await visit.go("/config/repairs")
    repairs = page.locator("ha-config-repairs-dashboard")
    await expect(repairs.get_by_text("no repairs")).to_be_visible()
    portal.scopes.discard("telephony")
    await visit.poll_now()
    issue = repairs.get_by_text(
        f"The webhook of {visit.portal_host} lacks a permission"
    )
    await issue.click()
    dialog = page.locator("dialog-repairs-issue")
    await expect(dialog).to_contain_text("select Telephony (telephony)")
    link = dialog.get_by_role("link", name="Learn more")
    await expect(link).to_have_attribute(
        "href", f"http://{visit.portal_host}/devops/list/"
    )
    await visit.picture_of_dialog("repair", dialog)
    await dialog.get_by_role("button", name="Close").first.click()

    portal.scopes.add("telephony")
    await visit.poll_now()  # it would be polled within 15 minutes
    await expect(issue).to_be_hidden()
    await expect(repairs.get_by_text("no repairs")).to_be_visible()


async def remove_portal(visit: Visit) -> None:
    """Remove the portal; nothing is left behind."""
    page, hass = visit.page, visit.hass
    await visit.go(INTEGRATION_PAGE)
    await visit.choose("Delete")
    dialog = page.locator("dialog-box")
    await expect(dialog).to_contain_text(f"Delete {visit.portal_host}?")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(visit.entry).to_be_hidden()
    await expect(page.get_by_text("No entries")).to_be_visible()
    await visit.go("/config/entities")
    entities = page.locator("ha-config-entities")
    await expect(entities.get_by_text("Demo").first).to_be_visible()
    await expect(entities.get_by_text("Registration")).to_have_count(0)

    registered = await hass.command("config/entity_registry/list")
    assert not [e for e in registered if e["platform"] == DOMAIN]
    names = [device["name"] for device in (await hass.devices()).values()]
    assert PORTAL_TITLE not in names
    assert "Sales" not in names
    issues = (await hass.command("repairs/list_issues"))["issues"]
    assert not [issue for issue in issues if issue["domain"] == DOMAIN]
    states = await hass.states()
    assert not [e for e in states if e.endswith(("_registration", "_failed_lines"))]


def _is_one_change(
    rows: list[tuple[str, str]], registration: str, status: str, problem: str
) -> None:
    """Assert that the activity of a line has one row for each of four entities."""
    *states, (event, _) = rows
    assert states == [
        ("sensor.support_problem", problem),
        ("sensor.support_status", status),
        ("binary_sensor.support_registration", registration),
    ], rows
    assert event == "event.support_registration_change", rows


async def _shows_icon(image: Locator) -> None:
    """Assert that an image is the integration's icon, and is loaded."""
    await expect(image).to_have_attribute("src", re.compile(DOMAIN))
    await expect(image).to_have_js_property("complete", True)
    await expect(image).not_to_have_js_property("naturalWidth", 0)


def _asked(request: Request) -> int:
    """Return the number of lines in a request."""
    return sum(name == "voximplant.sip.status" for _, name, _ in request.commands)
