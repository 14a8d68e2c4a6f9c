"""The steps on the dashboard of the integration."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
import json
from pathlib import Path
import re
import time
from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Locator, Page, expect
import yaml

from dev.hass import CUSTOM_COMPONENTS, free_port
from dev.portal import Portal

from .browser import PHONE, Look, must_be_readable
from .visit import DOMAIN, Visit

URL_PATH: Final = "sip-lines"
_SOURCE: Final = Path(__file__).parents[2] / "docs" / "dashboard.yaml"
MAIN, SALES, SUPPORT, WAREHOUSE, FAX = 201001, 201002, 201003, 201004, 201006
# High enough for the whole dashboard.
_WHOLE: Final = Look(width=1280, height=1600, sidebar=False)
# By the name of the picture.
_LOOKS: Final = {
    "dashboard": _WHOLE,
    "dashboard-dark": replace(_WHOLE, dark=True),
    "dashboard-tablet": Look(width=1024, height=1600, sidebar=False),
    "dashboard-phone": replace(PHONE, height=2000),
}
_IN_RUSSIAN: Final = replace(_WHOLE, language="ru")
# Elements of a card that has an error.
_WRONG: Final = "hui-error-card, hui-warning, hui-warning-element, hui-error-badge"
_STRATEGY: Final = {"type": "custom:bitrix24-sip"}
# Colours of the default theme.
_RED: Final = "rgb(244, 67, 54)"
_GREEN: Final = "rgb(76, 175, 80)"
_MANY: Final = 50
_MAX_SECONDS: Final = 1.0


def _rows(page: Page) -> Locator:
    """Return the visible rows of the lines, in their order on the page."""
    return page.locator("bitrix24-sip-row[look~=framed]").filter(visible=True)


def _row(page: Page, name: str) -> Locator:
    """Return the row of a line."""
    return _rows(page).filter(has_text=name)


async def add_dashboard(visit: Visit) -> None:
    """Add the dashboard with the mouse, from the list of dashboards."""
    page = visit.page
    await visit.go("/config/lovelace/dashboards")
    await page.get_by_role("button", name="Add dashboard").click()
    dialog = page.locator("ha-dialog-new-dashboard")
    offered = dialog.locator("dashboard-card").filter(has_text="Bitrix24 SIP")
    await expect(offered).to_contain_text("All portals and SIP lines")
    await offered.click()
    form = page.locator("dialog-lovelace-dashboard-detail")
    await expect(form.get_by_role("textbox", name="Title")).to_have_value("SIP lines")
    await expect(form.get_by_role("textbox", name="URL")).to_have_value(URL_PATH)
    await form.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("SIP lines").first).to_be_visible()
    await visit.go(f"/{URL_PATH}")
    await expect(_rows(page)).to_have_count(len(visit.portal.lines))


async def line_appears(visit: Visit) -> None:
    """Add a line on the portal; it appears on the open dashboard."""
    page = visit.page
    await visit.go(f"/{URL_PATH}")
    await expect(_row(page, "Sales")).to_be_visible()
    async with _not_reloaded(page):
        visit.portal.add_line(201008, "Night bell")
        await visit.reload()  # it would be found within 10 minutes
        await expect(_row(page, "Night bell")).to_contain_text("Registered")
    visit.portal.remove_line(201008)
    await visit.reload()
    await visit.delete_device("Night bell")
    await expect(_row(page, "Night bell")).to_be_hidden()


async def drop_line(visit: Visit) -> None:
    """Drop a registration on the portal; its row turns red and moves to the top."""
    page = visit.page
    visit.portal.lines[FAX].recover()
    await visit.go(f"/{URL_PATH}")
    sales = _row(page, "Sales")
    await expect(_row(page, "Fax")).to_contain_text("Registered")
    await expect(sales).to_contain_text("Registered")
    await expect(sales.locator("ha-state-icon").first).to_have_css("color", _GREEN)
    await expect(_rows(page).first).to_contain_text("Warehouse")
    sentence = page.locator("ha-alert")
    await expect(sentence).to_have_text("1 of 7 lines is down: Warehouse")
    since = time.time()
    async with _not_reloaded(page):
        visit.portal.lines[SALES].drop(403, "Forbidden")
        await expect(_rows(page).first).to_contain_text("Sales")
        await expect(sales).to_contain_text("Not registered")
        await expect(sales.locator("ha-state-icon").first).to_have_css("color", _RED)
        await expect(sales).to_have_css("border-color", _RED)
        await expect(sales).to_contain_text("Forbidden by the provider")
        await expect(sentence).to_have_text("2 of 7 lines are down: Sales, Warehouse")
    newest = page.locator("hui-logbook-card ha-logbook-entry").first
    await expect(newest).to_contain_text("Forbidden by the provider")
    await expect(newest).to_contain_text("Sales")
    assert await visit.activity(since) == [("sensor.sales_problem", "forbidden")]


async def see_dashboard(visit: Visit) -> None:
    """Check the dashboard in light and dark mode, on a tablet and on a phone."""
    for picture, how in _LOOKS.items():
        await _check(visit, picture, how)


async def see_dashboard_in_russian(visit: Visit) -> None:
    """Check the dashboard in Russian."""
    await visit.set_language("ru")
    # Something has to change, or the logbook shows only how the entry was loaded.
    main, support, warehouse = (
        visit.portal.lines[reg_id] for reg_id in (MAIN, SUPPORT, WAREHOUSE)
    )
    await visit.go(f"/{URL_PATH}")
    down = _rows(visit.page).filter(has_text="Not registered")
    await expect(down).to_have_count(1)
    for line in (main, support):
        line.drop(503, "Service Unavailable")
    warehouse.recover()
    await visit.poll_now()
    await expect(down).to_have_count(2)
    for line in (main, support):
        line.recover()
    warehouse.drop(403, "Forbidden")
    await visit.poll_now()
    await expect(down).to_have_count(1)
    await _check(visit, "dashboard-ru", _IN_RUSSIAN)
    await visit.set_language("en")


async def choose_options(visit: Visit) -> None:
    """Hide the portal, in the form of the dashboard's options."""
    page = visit.page
    await visit.go(f"/{URL_PATH}")
    portal = page.locator("hui-heading-card").filter(has_text="example.bitrix24.com")
    await expect(portal).to_be_visible()
    await page.get_by_role("button", name="Edit dashboard").click()
    dialog = page.locator("dialog-dashboard-strategy-editor")
    await expect(dialog.get_by_text("Hide the portal").first).to_be_visible()
    await expect(dialog.get_by_text("all are shown").first).to_be_visible()
    await must_be_readable(dialog.get_by_role("dialog").first)
    await dialog.locator("ha-switch").click()
    await dialog.get_by_role("button", name="Save").click()
    await expect(portal).to_be_hidden()
    await expect(_rows(page)).to_have_count(len(visit.portal.lines))
    await _save(visit, {"strategy": _STRATEGY})


async def own_dashboards(visit: Visit) -> None:
    """Use the YAML of the documentation, and the section strategy."""
    page, lines = visit.page, len(visit.portal.lines)
    await _save(visit, yaml.safe_load(_SOURCE.read_text(encoding="utf-8")))
    await visit.go(f"/{URL_PATH}")
    await expect(_rows(page)).to_have_count(lines)
    section = {"strategy": {**_STRATEGY, "lines": ["Sales", "Support"]}}
    view = {"type": "sections", "title": "Own", "sections": [section]}
    await _save(visit, {"views": [view]})
    await visit.go(f"/{URL_PATH}")
    await expect(_rows(page)).to_have_count(2)
    await expect(page.locator("ha-alert")).to_have_text("All 2 lines are registered")
    await expect(page.locator(_WRONG)).to_have_count(0)
    await _save(visit, {"strategy": _STRATEGY})


async def second_portal(visit: Visit) -> None:
    """Add a second portal with many lines; the dashboard stays fast."""
    page = visit.page
    await visit.go(f"/{URL_PATH}")
    await expect(_rows(page)).to_have_count(len(visit.portal.lines))
    branch = Portal(code="zyxwvutsrq543210")
    for number in range(_MANY):
        branch.add_line(301000 + number, f"Extension {number + 1}")
    await branch.start(port=free_port())
    try:
        entry = await visit.hass.add_integration(DOMAIN, {"webhook": branch.webhook})
        headings = page.locator("hui-heading-card")
        for title in ("example.bitrix24.com", branch.host):
            # One above its lines, and one in the portal part.
            await expect(headings.filter(has_text=title)).to_have_count(2)
        await expect(_rows(page)).to_have_count(len(visit.portal.lines) + _MANY)
        await _save(visit, {"strategy": {**_STRATEGY, "portals": [branch.host]}})
        # The machine may be busy with something else, which makes it slower.
        seconds = min([await _main_thread_seconds(visit) for _ in range(3)])
        print(f"({_MANY} lines: {seconds:.2f} s) ", end="", flush=True)
        assert seconds < _MAX_SECONDS
        await visit.hass.request(
            "DELETE", f"/api/config/config_entries/entry/{entry['entry_id']}"
        )
    finally:
        await branch.stop()
    await _save(visit, {"strategy": _STRATEGY})
    await visit.go(f"/{URL_PATH}")
    await expect(_rows(page)).to_have_count(len(visit.portal.lines))


async def _save(visit: Visit, config: Any) -> None:
    """Save the dashboard's configuration, as the raw editor does."""
    await visit.hass.command("lovelace/config/save", url_path=URL_PATH, config=config)


@asynccontextmanager
async def _not_reloaded(page: Page) -> AsyncGenerator[None]:
    """Assert that the page is not reloaded meanwhile."""
    await page.evaluate("window.loadedOnce = true")
    yield
    assert await page.evaluate("window.loadedOnce"), "the page was reloaded"


async def _main_thread_seconds(visit: Visit) -> float:
    """Return how long the page works until the dashboard shows all lines.

    This is processor time of the main thread: scripts, styles and layout.
    """
    page = visit.page
    await visit.go("/profile/general")
    link = page.locator(f'ha-sidebar [href="/{URL_PATH}"]').first
    await expect(link).to_be_visible()
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def worked() -> float:
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        return next(float(m["value"]) for m in metrics if m["name"] == "TaskDuration")

    before = await worked()
    await link.click()
    await expect(_rows(page)).to_have_count(_MANY)
    await expect(page.locator("hui-history-graph-card canvas")).to_be_visible()
    seconds = await worked() - before
    await session.detach()
    return seconds


async def _check(visit: Visit, picture: str, how: Look) -> None:
    """Open the dashboard, check that it is complete, and save a picture."""
    async with visit.frontend.page(how) as page:
        await visit.frontend.go(page, f"/{URL_PATH}")
        await _is_complete(page, how.language, len(visit.portal.lines))
        await _is_accessible(page)
        view = page.locator("hui-view")
        # On a phone the whole dashboard would be too long for a picture.
        end = page.locator("hui-history-graph-card") if how.width < 600 else None
        await visit.frontend.picture(picture, page, view, end=end)


async def _is_complete(page: Page, language: str, lines: int) -> None:
    """Assert that every card shows something, in the chosen language."""
    await expect(_rows(page)).to_have_count(lines)
    texts = _texts(language)
    states = texts["entity"]["binary_sensor"]["registration"]["state"]
    for words in states.values():
        shown = _rows(page).filter(has_text=re.compile(re.escape(words)))
        await expect(shown.first).to_be_visible()
    title = texts["config_panel"]["dashboard"]["history"]
    await expect(page.get_by_text(title, exact=True)).to_be_visible()
    await expect(page.locator("hui-history-graph-card canvas")).to_be_visible()
    activity = page.locator("hui-logbook-card")
    await expect(activity.get_by_role("button")).not_to_have_count(0)
    await expect(page.locator(_WRONG)).to_have_count(0)
    await must_be_readable(page.locator("hui-view"))


async def _is_accessible(page: Page) -> None:
    """Assert that axe finds no serious accessibility violation on the dashboard."""
    await page.evaluate(AXE_SCRIPT)
    found = await page.locator("hui-view").evaluate("(view) => axe.run(view)")
    serious = [
        f"{violation['id']}: {violation['help']}: {_places(violation['nodes'])}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert not serious, "\n".join(serious)
    assert found["passes"], "axe checked nothing"


def _places(nodes: Iterable[dict[str, Any]]) -> list[Any]:
    """Return where a violation is, and why it is one."""
    return [(node["target"], node["failureSummary"]) for node in nodes]


def _texts(language: str) -> Any:
    """Return the integration's texts in a language."""
    path = CUSTOM_COMPONENTS / DOMAIN / "translations" / f"{language}.json"
    return json.loads(path.read_text(encoding="utf-8"))
