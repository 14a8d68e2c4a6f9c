"""A month of uptime: what the integration stores, and a graph of its statistics."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
import json
from pathlib import Path
import time
from typing import Any, Final

from playwright.async_api import expect

from custom_components.bitrix24_sip.bitrix24 import SipLine, SipRegistration
from custom_components.bitrix24_sip.state import LineState
from custom_components.bitrix24_sip.uptime import GAP_SECONDS, PortalUptime
from custom_components.bitrix24_sip.uptime_coordinator import STORAGE_VERSION
from custom_components.bitrix24_sip.uptime_history import DAY, HOUR

from .browser import Look
from .past import outages
from .visit import DOMAIN, Visit

# Seconds ago, and whether a line was registered from then on, by REG_ID.
type Past = Mapping[int, list[tuple[float, bool]]]

URL_PATH: Final = "sip-uptime"
_DAYS: Final = 30
_MORE: Final[Past] = {
    201001: outages(_DAYS, (600, 35), (430, 8), (100, 25), (31, 12)),
    201002: outages(_DAYS, (650, 20), (400, 95), (380, 60), (75, 15), (8, 35)),
    201003: outages(_DAYS, (560, 240), (300, 10), (53, 90), (20, 50), (4.5, 20)),
    201004: outages(_DAYS, (96, 120), (2.2, 999)),
    201005: outages(_DAYS, (60, 30), (13, 45)),
    201007: outages(_DAYS, (110, 55), (16, 25), (6, 10)),
}
_LINES: Final = {201001: "Main line", 201002: "Sales", 201003: "Support"}
_KEYS: Final = {
    "uptime_1d": "Uptime (1 day)",
    "uptime_30d": "Uptime (30 days)",
    "outages_30d": "Outages (30 days)",
}
_LOOK: Final = Look(width=1000, height=900, sidebar=False)


def _shown(past: Past, ago: float) -> dict[int, LineState]:
    """Return what was shown of the lines so many seconds ago."""
    shown = {}
    for reg_id, changes in past.items():
        registered = [state for since, state in changes if since >= ago][-1]
        registration = SipRegistration(
            reg_id,
            "success" if registered else "error",
            200 if registered else 503,
            "" if registered else "Service Unavailable",
        )
        line = SipLine(reg_id)
        shown[reg_id] = LineState(line, registration, connected=registered)
    return shown


def _recorded(past: Past) -> PortalUptime:
    """Return what the integration would have recorded."""
    now = time.time()
    times = {since for changes in past.values() for since, _ in changes}
    times |= set(range(0, _DAYS * DAY, GAP_SECONDS))
    uptime = PortalUptime()
    for ago in sorted(times, reverse=True):
        uptime.record(_shown(past, ago), now - ago, -ago)
    return uptime


def write_uptime(folder: Path, entry_id: str) -> None:
    """Write the file of the integration, while Home Assistant does not run."""
    key = f"{DOMAIN}.uptime.{entry_id}"
    content = {
        "version": STORAGE_VERSION,
        "minor_version": 1,
        "key": key,
        "data": _recorded(_MORE).as_dict(),
    }
    path = folder / ".storage" / key
    path.write_text(json.dumps(content), encoding="utf-8")


def _statistics(uptime: PortalUptime, reg_id: int) -> Iterator[dict[str, Any]]:
    """Yield the statistics of the uptime of a day, for each hour of the month."""
    hour = uptime.now // HOUR * HOUR
    for start in range(hour - (_DAYS - 1) * DAY, hour, HOUR):
        value = uptime.lines[reg_id].figures(start - DAY, start).uptime
        time_of_it = datetime.fromtimestamp(start, UTC).isoformat()
        values = dict.fromkeys(("mean", "min", "max"), value)
        yield {"start": time_of_it, **values}


async def see_uptime(visit: Visit) -> None:
    """Check the figures of the lines, and their graph over a month."""
    hass = visit.hass
    registered = await hass.command("config/entity_registry/list")
    entity_ids = {
        (reg_id, key): entity["entity_id"]
        for entity in registered
        for reg_id in _LINES
        for key in _KEYS
        if entity["platform"] == DOMAIN
        and entity["unique_id"].endswith(f"_{reg_id}_{key}")
    }
    uptime = _recorded(_MORE)
    for reg_id in _LINES:
        await hass.command(
            "recorder/import_statistics",
            metadata={
                "has_mean": True,
                "mean_type": 1,
                "has_sum": False,
                "name": None,
                "source": "recorder",
                "statistic_id": entity_ids[reg_id, "uptime_1d"],
                "unit_class": "unitless",
                "unit_of_measurement": "%",
            },
            stats=list(_statistics(uptime, reg_id)),
        )
    async with asyncio.timeout(30):  # the recorder writes them in a thread of its own
        while True:
            found = await hass.command(
                "recorder/statistics_during_period",
                start_time=datetime.fromtimestamp(0, UTC).isoformat(),
                statistic_ids=[entity_ids[reg_id, "uptime_1d"] for reg_id in _LINES],
                period="day",
                types=["mean"],
            )
            if len(found) == len(_LINES):
                break
            await asyncio.sleep(0.2)
    await hass.command(
        "lovelace/dashboards/create",
        url_path=URL_PATH,
        mode="storage",
        title="Uptime",
        show_in_sidebar=False,
    )
    tiles = [
        {
            "type": "vertical-stack",
            "title": title,
            "cards": [
                {"type": "tile", "entity": entity_ids[reg_id, key], "name": name}
                for key, name in _KEYS.items()
            ],
        }
        for reg_id, title in _LINES.items()
    ]
    graph = {
        "type": "statistics-graph",
        "title": "Uptime over a month",
        "period": "day",
        "days_to_show": _DAYS,
        "stat_types": ["mean"],
        "chart_type": "line",
        "entities": [
            {"entity": entity_ids[reg_id, "uptime_1d"], "name": title}
            for reg_id, title in _LINES.items()
        ],
    }
    card = {
        "type": "vertical-stack",
        "cards": [{"type": "horizontal-stack", "cards": tiles}, graph],
    }
    view = {"title": "Uptime", "type": "panel", "cards": [card]}
    await hass.command(
        "lovelace/config/save", url_path=URL_PATH, config={"views": [view]}
    )
    states = await hass.states()
    for reg_id in _LINES:
        month = states[entity_ids[reg_id, "uptime_30d"]]
        assert 98 < float(month["state"]) < 100, month
        assert month["attributes"]["known_percent"] >= 99, month
        outages_shown = states[entity_ids[reg_id, "outages_30d"]]
        assert int(outages_shown["state"]) >= 4, outages_shown
    async with visit.frontend.page(_LOOK) as page:
        await visit.frontend.go(page, f"/{URL_PATH}")
        await expect(page.locator("hui-statistics-graph-card canvas")).to_have_count(1)
        shown = page.locator("hui-tile-card")
        await expect(shown).to_have_count(len(_LINES) * len(_KEYS))
        await expect(shown.filter(has_text="%")).to_have_count(2 * len(_LINES))
        stack = page.locator("hui-vertical-stack-card").first
        await visit.frontend.picture("uptime", page, stack, margin=8)
