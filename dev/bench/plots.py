"""The plots of a benchmark."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from custom_components.bitrix24_sip.schedule import OPERATING_LIMIT

from .measure import median

CLOUD_LIMIT = 480.0  # seconds of operating time in ten minutes

NAMES = {
    "ours": "this client",
    "floor": "floor: aiohttp + orjson",
    "fast_batch": "fast_bitrix24, call_batch",
    "fast_list": "fast_bitrix24, call with a list",
    "single": "one request per REG_ID",
    "ours_https": "this client, https",
    "floor_https": "floor, https",
    "sdk_https": "b24pysdk, https",
}
OURS, USUAL = "bitrix24_sip", "usual_sip"
PATTERNS = {OURS: "this integration", USUAL: "usual pattern"}


def sizes_of(figures: dict[str, Any]) -> list[str]:
    """Return the numbers of lines that a section has figures for."""
    return sorted((key for key in figures if key.isdecimal()), key=int)


def draw(folder: Path, figures: dict[str, Any]) -> None:
    """Draw all plots into a folder."""
    _clients(folder / "clients.png", figures["clients"])
    _refresh(folder / "refresh.png", figures["refresh"])
    _detection(folder / "detection.png", figures["hours"])
    _operating(folder / "operating.png", figures["hours"]["operating"])


def _save(path: Path, figure: Any, axes: Any) -> None:
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)


def _clients(path: Path, clients: dict[str, Any]) -> None:
    """Draw the processor time of one poll by the number of lines."""
    figure, axes = plt.subplots(figsize=(8, 5))
    sizes = sizes_of(clients)
    for name, label in NAMES.items():
        axes.plot(
            [int(size) for size in sizes],
            [median(clients[size]["processor"][name]) * 1000 for size in sizes],
            label=label,
            marker="o",
            linewidth=2.5 if name == "ours" else 1.2,
            linestyle="--" if name.endswith("https") else "-",
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="lines",
        ylabel="processor time of a poll, ms",
        title="One poll by this client, and by what one would use in its place",
    )
    axes.set_xticks([int(size) for size in sizes], labels=sizes)
    _save(path, figure, axes)


def _refresh(path: Path, refresh: dict[str, Any]) -> None:
    """Draw the processor time of one refresh by the number of lines."""
    figure, axes = plt.subplots(figsize=(8, 5))
    sizes = sizes_of(refresh)
    changes = {
        "none": "nothing changed",
        "one": "one line changed",
        "all": "all changed",
    }
    for domain, pattern in PATTERNS.items():
        for what, change in changes.items():
            axes.plot(
                [int(size) for size in sizes],
                [
                    median(refresh[size]["processor"][domain][what]) * 1000
                    for size in sizes
                ],
                label=f"{pattern}, {change}",
                marker="o",
                color="tab:blue" if domain == OURS else "tab:orange",
                linestyle={"none": "-", "one": "--", "all": ":"}[what],
            )
    axes.axhline(100, color="tab:red", linewidth=0.8, label="100 ms")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="lines",
        ylabel="processor time of a refresh, ms",
        title="One refresh in Home Assistant",
    )
    axes.set_xticks([int(size) for size in sizes], labels=sizes)
    _save(path, figure, axes)


def _detection(path: Path, hours: dict[str, Any]) -> None:
    """Draw the share of drops and recoveries that were seen after so many seconds."""
    figure, axes = plt.subplots(figsize=(8, 5))
    patterns = {
        "this integration": ("tab:blue", hours["detection"]["1_of_10"]),
        "fixed 30 s": ("tab:orange", hours["fixed"]["30"]),
        "fixed 60 s": ("tab:gray", hours["fixed"]["60"]),
    }
    for pattern, (color, seen) in patterns.items():
        for state, change in (("off", "drop"), ("on", "recovery")):
            seconds = sorted(seen[state])
            axes.step(
                [0.0, *seconds],
                [at / len(seconds) for at in range(len(seconds) + 1)],
                where="post",
                label=f"{change}, {pattern}",
                color=color,
                linestyle="--" if state == "off" else "-",
            )
    axes.set(
        xlabel="seconds after the portal knew",
        ylabel="share that Home Assistant showed",
        title="One of 10 lines drops and recovers, default options",
    )
    _save(path, figure, axes)


def _operating(path: Path, operating: dict[str, Any]) -> None:
    """Draw the operating time within ten minutes against the portal's limit."""
    figure, axes = plt.subplots(figsize=(8, 5))
    sizes = sizes_of(operating)
    for shift, (domain, pattern) in zip((-0.2, 0.2), PATTERNS.items(), strict=True):
        axes.bar(
            [at + shift for at in range(len(sizes))],
            [operating[size][domain]["most_in_10_minutes"] for size in sizes],
            width=0.4,
            label=pattern,
        )
    axes.axhline(CLOUD_LIMIT, color="tab:red", label="limit in the cloud, 480 s")
    label = f"default limit of a self-hosted portal, {OPERATING_LIMIT:.0f} s"
    axes.axhline(OPERATING_LIMIT, color="tab:red", linestyle=":", label=label)
    axes.set(
        xlabel="lines",
        ylabel="operating time, s in ten minutes",
        title="Operating time of voximplant.sip.status at the default options",
    )
    axes.set_xticks(range(len(sizes)), labels=sizes)
    _save(path, figure, axes)
