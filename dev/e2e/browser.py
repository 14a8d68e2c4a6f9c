"""A Chromium that shows Home Assistant, and its pictures."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
import json
from pathlib import Path
import re
from typing import Final

from PIL import Image, ImageChops
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Error as PlaywrightError,
    Locator,
    Page,
    Playwright,
    Route,
    expect,
)

from dev.hass import HomeAssistant

# Time limit in milliseconds, for a machine with other load. It is not reached
# unless something is wrong.
TIMEOUT: Final = 60_000

_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
)
# Graphs label every fourth hour, or eighth. In this zone it is between two of them: a
# label at a graph's end would be cut off.
TIME_ZONE: Final = f"Etc/GMT-{(2 - datetime.now(UTC).hour) % 4}"

_COLOURS: Final = 256
_FOOT: Final = 16  # pixels left below what is shown
_GAP: Final = 6  # CSS pixels, less than between two cards
_SHOTS: Final = 50  # until two of them are the same
# Hides the page behind a dialog, which would show at its corners.
_BACKDROP: Final = (
    "::backdrop { background: #e5e5e5 !important; opacity: 1 !important }"
)
# Icons of other brands come from the internet; ours is in the integration.
_OTHER_BRAND: Final = re.compile(r"/api/brands/(?!.*bitrix24_sip)")
# A translation key instead of its text, or a placeholder without a value.
_RAW: Final = re.compile(r"component\.\w+\.|\bui\.[a-z]+\.|\{\w+\}|undefined|\[object ")
# The frontend's connection logs this when a page closes before an answer.
_LEFT: Final = "disconnected"
# Finds texts that are cut off with an ellipsis. The slots of a shadow root contain the
# elements that are assigned to them.
_CUT_OFF: Final = """(part) => {
    const shown = (element) => {
        if (element.shadowRoot) return [...element.shadowRoot.children];
        const slotted = element.assignedElements?.() ?? [];
        return slotted.length ? slotted : [...element.children];
    };
    const cut = (element) => [
        ...(getComputedStyle(element).textOverflow === "ellipsis" &&
        element.scrollWidth > element.clientWidth
            ? [element.innerText || element.getRootNode().host?.innerText || "?"]
            : []),
        ...shown(element).flatMap(cut),
    ];
    return cut(part);
}"""
# Whether all images and icons are loaded, including those in shadow roots.
_DRAWN: Final = """() => {
    const done = (root) => [...root.querySelectorAll("*")].every((element) => {
        const name = element.localName;
        if (!element.checkVisibility()) return true;
        if (name === "ha-spinner" || name === "ha-fade-in") return false;
        if (name === "img" && !element.complete) return false;
        if (name === "ha-svg-icon" && !element.shadowRoot?.querySelector("path")) {
            return !element.path;
        }
        return !element.shadowRoot || done(element.shadowRoot);
    });
    return document.fonts.status === "loaded" && done(document);
}"""


@dataclass(frozen=True, slots=True)
class Look:
    """A way to view Home Assistant. Sizes are in CSS pixels."""

    language: str = "en"
    dark: bool = False
    width: int = 1400
    height: int = 1000
    scale: float = 1
    sidebar: bool = True


PHONE: Final = Look(width=390, height=1200, scale=2)


async def launch(playwright: Playwright, path: str) -> Browser:
    """Start the browser at a path, without a window."""
    expect.set_options(timeout=TIMEOUT)
    return await playwright.chromium.launch(executable_path=path, args=list(_FLAGS))


class Frontend:
    """Home Assistant's pages in a browser. errors: those in its console."""

    def __init__(self, browser: Browser, hass: HomeAssistant, pictures: Path) -> None:
        """Set the browser, a running Home Assistant, and the folder for pictures."""
        self._browser, self._hass, self._pictures = browser, hass, pictures
        self.errors: list[str] = []
        self._open: list[Page] = []

    @asynccontextmanager
    async def page(self, look: Look | None = None) -> AsyncGenerator[Page]:
        """Open a page as a logged-in user; it stays open after an error."""
        look = look or Look()
        context = await self._browser.new_context(
            color_scheme="dark" if look.dark else "light",
            device_scale_factor=look.scale,
            has_touch=look.width < 500,
            locale=look.language,
            reduced_motion="reduce",
            timezone_id=TIME_ZONE,
            viewport={"width": look.width, "height": look.height},
        )
        context.set_default_timeout(TIMEOUT)
        storage = {
            "hassTokens": self._hass.frontend_tokens(),
            "selectedLanguage": json.dumps(look.language),
            "dockedSidebar": json.dumps("docked" if look.sidebar else "always_hidden"),
        }
        items = (f"{json.dumps(k)}, {json.dumps(v)}" for k, v in storage.items())
        await context.add_init_script(
            # An empty page has no storage.
            "if (location.protocol === 'http:') {"
            + "".join(f"localStorage.setItem({item});" for item in items)
            + "}"
        )
        await context.route("**/*", self._only_here)
        page = await context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", self._failed)
        self._open.append(page)
        yield page
        self._open.remove(page)
        await context.close()

    async def go(self, page: Page, path: str) -> None:
        """Open one of Home Assistant's pages by its path.

        A dialog that has just closed goes back in the history, which may abort the
        navigation: it is then repeated.
        """
        url = f"{self._hass.url}{path}"
        for _ in range(3):
            try:
                await page.goto(url)
                await page.locator("home-assistant-main").wait_for()
            except PlaywrightError as error:
                if "ERR_ABORTED" not in error.message:
                    raise
            else:
                if path == "/" or page.url.startswith(url):
                    return
        raise AssertionError(f"{path} does not open; the page is {page.url}")

    async def picture(
        self,
        name: str,
        page: Page,
        part: Locator,
        *,
        end: Locator | None = None,
        margin: int = 0,
    ) -> None:
        """Save a picture of a part of a page, with a margin.

        end: the last element of the picture, if the part is longer. The part must be
        readable, and must have stopped changing.
        """
        await page.mouse.move(0, 0)
        await page.wait_for_function(_DRAWN)
        await must_be_readable(part)
        before = b""
        for _ in range(_SHOTS):
            data = await _shot(page, part, end or part, margin)
            if data == before:
                break
            before = data
        else:
            raise AssertionError(f"the part of {name} does not stop changing")
        _save(data, self._pictures / f"{name}.png")

    async def keep_evidence(self, folder: Path, name: str) -> list[Path]:
        """Write a screenshot of each page that is open; return their paths."""
        kept = []
        for number, page in enumerate(self._open):
            path = folder / f"{name}{f'-{number}' if number else ''}.png"
            try:
                await page.screenshot(path=path)
            except PlaywrightError as error:
                print(f"no screenshot: {error.message}")
            else:
                kept.append(path)
        return kept

    async def _only_here(self, route: Route) -> None:
        """Block requests to other machines."""
        if route.request.url.startswith((self._hass.url, "data:", "blob:")):
            await route.continue_()
        else:
            await route.abort()

    def _failed(self, error: PlaywrightError) -> None:
        """Keep an uncaught error of a page."""
        if error.message != _LEFT:
            self.errors.append(str(error))

    def _heard(self, message: ConsoleMessage) -> None:
        """Keep an error message of the console."""
        where = str(message.location.get("url", ""))
        if message.type == "error" and not _OTHER_BRAND.search(where):
            self.errors.append(f"{message.text} ({where})")


async def must_be_readable(part: Locator) -> None:
    """Assert that a part of a page has texts instead of keys, and that none is cut off."""
    words = await part.aria_snapshot()
    if found := _RAW.search(words):
        raise AssertionError(f"{found[0]!r} can be read on the page: {words}")
    cut_off = await part.evaluate(_CUT_OFF)
    assert not cut_off, f"cut off on the page: {cut_off}"


async def _shot(page: Page, part: Locator, end: Locator, margin: int) -> bytes:
    """Return a screenshot from the top of a part to the bottom of its last element."""
    box, last = await part.bounding_box(), await end.bounding_box()
    assert box, "what the picture is of is not visible"
    assert last, "what the picture ends with is not visible"
    bottom = last["y"] + last["height"] + (_GAP if end is not part else 0)
    return await page.screenshot(
        animations="disabled",
        caret="hide",
        style=_BACKDROP,
        clip={
            "x": max(box["x"] - margin, 0),
            "y": max(box["y"] - margin, 0),
            "width": box["width"] + 2 * margin,
            "height": bottom - box["y"] + 2 * margin,
        },
    )


def _save(data: bytes, path: Path) -> None:
    """Save a screenshot without empty space at its end, with a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(BytesIO(data)) as image:
        shot = image.convert("RGB")
    corner = Image.new(
        "RGB", shot.size, shot.getpixel((shot.width - 1, shot.height - 1))
    )
    used = ImageChops.difference(shot, corner).getbbox()
    height = min(used[3] + _FOOT, shot.height) if used else shot.height
    few = shot.crop((0, 0, shot.width, height)).quantize(
        _COLOURS, dither=Image.Dither.NONE
    )
    few.save(path, optimize=True)
