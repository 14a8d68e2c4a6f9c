"""RESULTS.md: the targets, the tables, and how they were measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
import os
from pathlib import Path
import platform
from types import FunctionType
from typing import Any

from ulid_transform import ulid_at_time

from .measure import median, percentile
from .plots import CLOUD_LIMIT, NAMES, OURS, PATTERNS, USUAL, sizes_of

FAST = ("fast_batch", "fast_list")
CHANGES = {"none": "nothing", "one": "one line", "all": "all lines"}
LOGS = {"empty": "empty log", "year": "full year"}
PACKAGES = (
    "homeassistant",
    "aiohttp",
    "orjson",
    "fast-bitrix24",
    "b24pysdk",
    "requests",
    "matplotlib",
)


@dataclass(frozen=True)
class Verdict:
    """A target, the measured value, and whether it is met."""

    target: str
    measured: str
    met: bool


def write(path: Path, figures: dict[str, Any], *, quick: bool) -> list[str]:
    """Write the report; return the targets that are not met."""
    verdicts = _verdicts(figures)
    parts = [
        _head(figures, quick=quick),
        "## Where it stands",
        _table(
            ("target", "measured", "met"),
            [(v.target, v.measured, "yes" if v.met else "**no**") for v in verdicts],
        ),
        _WHY,
        "## Client: one poll",
        _clients(figures["clients"]),
        "## Integration: one refresh in Home Assistant",
        _refresh(figures["refresh"]),
        "## Uptime",
        _uptime(figures),
        "## Scale: 50 portals × 10 lines in one Home Assistant",
        _scale(figures["scale"]),
        "## Detection",
        _detection(figures["hours"]),
        "## Operating time",
        _operating(figures["hours"]["operating"]),
        _METHOD,
    ]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return [f"{v.target}: {v.measured}" for v in verdicts if not v.met]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown: text on the left, figures on the right."""
    line = "|".join(" --- " if not at else " ---: " for at in range(len(head)))
    written = [head, *rows]
    lines = ["| " + " | ".join(row) + " |" for row in written]
    return "\n".join([lines[0], f"|{line}|", *lines[1:]])


def _lines(size: str) -> str:
    """Return a number of lines in words."""
    return f"{size} line{'' if size == '1' else 's'}"


def _ms(seconds: float) -> str:
    """Return seconds as milliseconds."""
    return f"{seconds * 1000:.2f}" if seconds < 0.1 else f"{seconds * 1000:.0f}"


def _head(figures: dict[str, Any], *, quick: bool) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    warning = "\n\n**A quick run: its figures are of no worth.**" if quick else ""
    return f"""# What the integration costs

Written by `scripts/bench` on {datetime.now(UTC):%Y-%m-%d} in {figures["seconds"]:.0f} \
s. CPython {platform.python_version()}, {packages}; {platform.system()} \
{platform.machine()}, {os.cpu_count()} cores, shared with other work: compare figures \
within a run, not between runs.{warning}"""


def _verdicts(figures: dict[str, Any]) -> list[Verdict]:
    """Return the verdict on each target."""
    clients, refresh = figures["clients"], figures["refresh"]
    sizes, refreshed = sizes_of(clients), sizes_of(refresh)[-1]
    cost = {
        size: {n: median(v) for n, v in clients[size]["processor"].items()}
        for size in sizes
    }
    to_floor = {size: c["ours"] / c["floor"] for size, c in cost.items()}
    to_fast = {size: c["ours"] / min(c[f] for f in FAST) for size, c in cost.items()}
    requests = {size: clients[size]["counts"]["ours"]["requests"] for size in sizes}
    ours, usual = (
        {what: median(v) for what, v in refresh[refreshed]["processor"][d].items()}
        for d in (OURS, USUAL)
    )
    writes = refresh[refreshed]["writes"][OURS]["none"]["writes"]
    share = ours["none"] / usual["none"]
    per_line = [
        median(refresh[size]["processor"][OURS]["none"]) / int(size) * 1e6
        for size in sizes_of(refresh)
    ]
    own = (ours["none"] - ours["client"]) / (usual["none"] - usual["client"])
    return [
        Verdict(
            "client: at most 1.6 × the floor's processor time",
            _by_size(to_floor),
            max(to_floor.values()) <= 1.6,
        ),
        Verdict(
            "client: less than fast_bitrix24 at every N",
            _by_size(to_fast) + " of the cheaper of its two ways",
            max(to_fast.values()) < 1,
        ),
        Verdict(
            "one request a poll up to 50 lines, ceil(N / 50) past it",
            ", ".join(f"{n} at {size}" for size, n in requests.items()),
            all(n == -(-int(size) // 50) for size, n in requests.items()),
        ),
        Verdict(
            "a refresh in which nothing changed writes no state",
            f"{writes} writes at {refreshed} lines",
            writes == 0,
        ),
        Verdict(
            f"and costs at most 1/4 of the usual pattern at {refreshed} lines",
            f"1/{1 / share:.1f} with the same client polling for both",
            share <= 0.25,
        ),
        Verdict(
            "the same without the client, which both have",
            f"1/{1 / own:.1f}" if own > 0 else "nothing measurable",
            own <= 0.2,
        ),
        Verdict(
            "cost grows linearly in N",
            " → ".join(f"{cost:.0f}" for cost in per_line)
            + f" µs a line at {', '.join(sizes_of(refresh))} lines",
            per_line[-1] <= per_line[0],
        ),
        *(
            Verdict(
                f"{refreshed} lines refresh in under 100 ms, when {change} changed",
                f"{ours[what] * 1000:.0f} ms",
                ours[what] < 0.1,
            )
            for what, change in CHANGES.items()
        ),
        *_recorded(figures),
        *_detected(figures["hours"]),
    ]


def _recorded(figures: dict[str, Any]) -> list[Verdict]:
    """Return what the recording of the uptime costs."""
    uptime = figures["uptime"]
    dearer = _dearer(uptime)
    year = uptime["log_bytes"]["year"] / 1024
    return [
        Verdict(
            f"an idle refresh of {uptime['lines']} lines is as cheap with the uptime "
            "recorded as without: at most 1.05 ×",
            ", ".join(f"{dearer[log]:.2f} ({label})" for log, label in LOGS.items()),
            max(dearer.values()) <= 1.05,
        ),
        Verdict(
            "the log of the uptime: at most 40 KiB a line after a full year",
            f"{year:.1f} KiB",
            year <= 40,
        ),
    ]


def _dearer(uptime: dict[str, Any]) -> dict[str, float]:
    """Return by what a refresh costs more with the uptime recorded, by its log."""
    used = {log: median(seconds) for log, seconds in uptime["refresh"].items()}
    return {log: used[log] / used["without"] for log in LOGS}


def _detected(hours: dict[str, Any]) -> list[Verdict]:
    """Return how soon changes are seen, and what that costs the portal."""
    detection, operating = hours["detection"], hours["operating"]
    drops = {n: percentile(seen["off"], 0.95) for n, seen in detection.items()}
    recoveries = {n: percentile(seen["on"], 0.95) for n, seen in detection.items()}
    verdicts = [
        Verdict(
            "a drop is seen within 30 s (95th percentile)",
            _by_scenario(drops),
            max(drops.values()) <= 30,
        ),
        Verdict(
            "a recovery is seen within 16 s (95th percentile)",
            _by_scenario(recoveries),
            max(recoveries.values()) <= 16,
        ),
    ]
    for lines, bound in ((1, 2), (10, 14), (50, 50)):
        used = detection[f"{lines}_of_{lines}"]["most_in_10_minutes"] / CLOUD_LIMIT
        verdicts.append(
            Verdict(
                f"all of {_lines(str(lines))} down: {bound} % of the limit of "
                "operating time in the worst ten minutes",
                f"{used * 100:.1f} %",
                used * 100 <= bound,
            )
        )
    if "300" in operating:
        share = operating["300"][OURS]["most_in_10_minutes"] / CLOUD_LIMIT
        refused = operating["300"][OURS]["refused"]
        verdicts.append(
            Verdict(
                "300 lines at the default options: 75 % of the limit, never refused",
                f"{share * 100:.0f} %, refused {refused} times",
                share <= 0.75 and not refused,
            )
        )
    return verdicts


def _by_scenario(seconds: dict[str, float]) -> str:
    return ", ".join(
        f"{value:.1f} ({name.replace('_', ' ')})" for name, value in seconds.items()
    )


def _by_size(ratios: dict[str, float]) -> str:
    return ", ".join(f"{ratio:.2f} at {size}" for size, ratio in ratios.items())


def _clients(clients: dict[str, Any]) -> str:
    parts = []
    for size in sizes_of(clients):
        of_size = clients[size]
        rows = []
        for name, label in NAMES.items():
            counts = of_size["counts"][name]
            floor = "floor_https" if name.endswith("https") else "floor"
            used = {n: median(of_size["processor"][n]) for n in (name, floor)}
            rows.append(
                (
                    label,
                    str(counts["requests"]),
                    str(counts["bytes"]),
                    _ms(used[name]),
                    f"{used[name] / used[floor]:.2f}",
                    _ms(median(of_size["wall"][name])),
                    f"{of_size['wall_delayed'][name][0]:.2f}",
                    f"{of_size['memory'][name] / 1024:.0f}",
                )
            )
        head = (
            _lines(size),
            "requests",
            "bytes",
            "processor, ms",
            "× floor",
            "wall, ms",
            "wall at 150 ms a command, s",
            "peak memory, KiB",
        )
        parts.append(_table(head, rows))
    parts.append("![Processor time of a poll](clients.png)")
    parts.append(_CLIENTS)
    return "\n\n".join(parts)


def _refresh(refresh: dict[str, Any]) -> str:
    rows = []
    for size in sizes_of(refresh):
        for domain, pattern in PATTERNS.items():
            used = refresh[size]["processor"][domain]
            set_up = refresh[size]["set_up"][domain]
            rows.append(
                (
                    f"{_lines(size)}, {pattern}",
                    *(_ms(median(used[what])) for what in (*CHANGES, "client")),
                    _ms(median(set_up["processor"])),
                    _ms(median(set_up["wall"])),
                )
            )
    head = ("processor, ms", *CHANGES.values(), "client alone", "set-up", "its wall")
    counted = []
    for size in sizes_of(refresh):
        for domain, pattern in PATTERNS.items():
            counts = refresh[size]["writes"][domain]
            counted.append(
                (
                    f"{_lines(size)}, {pattern}",
                    *(
                        f"{counts[what]['writes']} / {counts[what]['rows']}"
                        for what in CHANGES
                    ),
                    str(counts["none"]["writes"] * 60),
                )
            )
    counts_head = (
        "state writes / recorder rows",
        *CHANGES.values(),
        "writes of an hour's polls without a change",
    )
    cheap = refresh["cheap_ulids"]
    rows += [
        (
            f"{_lines(size)}, ULIDs in C, {pattern}",
            *(_ms(median(cheap[domain][what])) for what in (*CHANGES, "client")),
            "",
            "",
        )
        for domain, pattern in PATTERNS.items()
    ]
    less = median(cheap[USUAL]["none"]) / median(cheap[OURS]["none"])
    memory, imported = refresh["bytes_per_line"], refresh["import"]
    ulids = f"""Home Assistant gives each state that it writes a ULID. The package for it \
that is installed here is {_ulid_kind()}. The rows "ULIDs in C" have them at next to no \
cost, on both sides, as in Home Assistant's own image: writing is cheaper there, so that a \
refresh in which nothing changed is 1/{less:.1f} of the usual pattern's."""
    facts = f"""Memory of a line, its seven enabled entities in Home Assistant and its device \
included, with an empty log of its uptime: {memory[OURS] / 1024:.1f} KiB (usual pattern: {memory[USUAL] / 1024:.1f} KiB). \
Import of the integration and its platforms: {_ms(median(imported["wall"]))} ms, \
{_ms(median(imported["processor"]))} ms of processor."""
    return "\n\n".join(
        (
            _table(head, rows),
            ulids,
            _table(counts_head, counted),
            facts,
            "![Processor time of a refresh](refresh.png)",
        )
    )


def _ulid_kind() -> str:
    """Return how the installed package makes ULIDs."""
    return "plain Python" if isinstance(ulid_at_time, FunctionType) else "compiled"


def _uptime(figures: dict[str, Any]) -> str:
    """Return what the recording of the uptime costs."""
    uptime, memory = figures["uptime"], figures["refresh"]["bytes_per_line"]
    used, hourly, log = uptime["refresh"], uptime["hourly"], uptime["log_bytes"]
    rows = [("not recorded", _ms(median(used["without"])), "", "", "")]
    for name, label in LOGS.items():
        anew = median(hourly[name])
        rows.append(
            (
                f"recorded, {label}",
                _ms(median(used[name])),
                _ms(anew),
                _ms(anew / uptime["lines"]),
                f"{log[name] / 1024:.1f}",
            )
        )
    head = (
        _lines(str(uptime["lines"])),
        "refresh, nothing changed, ms",
        "all figures anew, ms",
        "of it a line, ms",
        "log of a line, KiB",
    )
    whole = (memory[OURS] - log["empty"] + log["year"]) / 1024
    return f"""{_table(head, rows)}

The figures of a line are computed anew when one of its outages begins or ends, and those of \
all lines once an hour; in a refresh in which nothing changed none are. After that hour \
those sensors write their state whose value has changed, at most three a line. Where all \
lines are lost at once, this time adds to that of the refresh. "Full year": \
an outage of ten minutes every two hours, more than the log keeps change by change, so that it is as large as it \
can become.

The target for memory, 40 KiB a line after a full year, is about what the uptime records. A \
line as a whole has {whole:.1f} KiB then. With an empty log, its seven entities and its device \
have {memory[OURS] / 1024:.1f} KiB, most of which Home Assistant itself needs for them: those \
of the usual pattern have {memory[USUAL] / 1024:.1f} KiB."""


def _scale(scale: dict[str, Any]) -> str:
    late = scale["late"]
    rows = [
        ("processor of an hour, s", f"{scale['processor_per_hour']:.1f}"),
        ("the same without any portal, s", f"{scale['idle_processor_per_hour']:.1f}"),
        ("share of one core", f"{scale['processor_per_hour'] / 36:.2f} %"),
        ("memory of 50 portals, MiB", f"{scale['resident_bytes'] / 2**20:.1f}"),
        (
            "Home Assistant's without, MiB",
            f"{scale['resident_bytes_before'] / 2**20:.0f}",
        ),
        ("set-up of all 50, s", f"{scale['set_up_seconds']:.2f}"),
        ("polls that were watched", str(len(late))),
        ("requests", str(scale["requests"])),
    ]
    if late:
        rows += [
            ("a poll after its due time, median, ms", f"{median(late) * 1000:.1f}"),
            ("the latest, ms", f"{max(late) * 1000:.1f}"),
        ]
    return _table((f"{scale['seconds']:.0f} s of real time", ""), rows)


def _detection(hours: dict[str, Any]) -> str:
    seen_by = {name.replace("_", " "): s for name, s in hours["detection"].items()}
    seen_by |= {
        f"1 of 10, fixed {seconds} s": seen for seconds, seen in hours["fixed"].items()
    }
    rows = [
        (
            name,
            f"{len(seen['off'])} + {len(seen['on'])} of 2 × {seen['changes']}",
            f"{median(seen['off']):.1f} / {percentile(seen['off'], 0.95):.1f}",
            f"{median(seen['on']):.1f} / {percentile(seen['on'], 0.95):.1f}",
            f"{seen['requests']:.1f}",
            f"{seen['most_in_10_minutes'] / CLOUD_LIMIT * 100:.1f} %",
        )
        for name, seen in seen_by.items()
    ]
    head = (
        "lines that drop",
        "seen",
        "drop, s: median / 95 %",
        "recovery, s: median / 95 %",
        "requests an hour",
        "of the limit, worst ten minutes",
    )
    plot = "![Share of changes seen over time](detection.png)"
    return "\n\n".join((_table(head, rows), _DETECTION, plot))


def _operating(operating: dict[str, Any]) -> str:
    rows = []
    for size in sizes_of(operating):
        for domain, pattern in PATTERNS.items():
            used = operating[size][domain]
            most = used["most_in_10_minutes"]
            rows.append(
                (
                    f"{_lines(size)}, {pattern}",
                    f"{used['polls']:.0f}",
                    f"{used['requests']:.0f}",
                    f"{used['seconds']:.0f}",
                    f"{most:.1f}",
                    f"{most / CLOUD_LIMIT * 100:.0f} %",
                )
            )
    head = (
        "an hour",
        "polls of a line",
        "requests",
        "operating time, s",
        "most in 10 minutes, s",
        f"of the limit ({CLOUD_LIMIT:.0f} s)",
    )
    plot = "![Operating time in ten minutes](operating.png)"
    return "\n\n".join((_table(head, rows), _OPERATING, plot))


_WHY = """\
Both patterns poll with this project's client here, so that the poll itself, most of what \
is left of a refresh in which nothing changed, counts for both: the portal reports times \
for every command, 440 bytes a line, and somebody has to read them. What the integration \
adds to its poll is in the row below. A refresh in which all lines changed is mostly Home \
Assistant's own writing of four states a line, and the usual pattern writes all seven."""

_CLIENTS = """\
- Over https are those rows that say so; `b24pysdk` cannot do without. Its rows compare \
with the https rows, and it blocks its thread while it waits.
- Bytes are those of one poll over an open connection, headers included, both ways, as \
they are on the wire.
- At 150 ms a command a batch of 50 takes 7.5 s. `fast_bitrix24`'s `call` has its batches \
run side by side, which this client does not do: a portal counts all requests of an \
address together, and operating time is the same. So 500 lines at 150 ms do not fit into \
the default interval; the integration asks those that were not reached first in the \
next poll.
- `fast_bitrix24` and `b24pysdk` answer dictionaries as they come; this client's answers \
are checked and read into dataclasses."""

_DETECTION = """\
All lines are asked every 30 s. A line that was lost, or whose state is unsettled, is asked \
every 15 s within half of the operating time. The loss of one line asks all lines once more \
after 5 s."""

_OPERATING = """\
A portal in the cloud allows a method 480 s of operating time in ten minutes; a \
self-hosted one 420 s by default, if the limit is turned on there. Each \
`voximplant.sip.status` adds 0.15 s, as recorded. From half of the smaller limit on, the \
integration polls less often. A portal has at most ten Cloud PBX lines by its documented \
API: larger numbers are a stress test, not a \
promise."""

_METHOD = """\
## Method

- **Portal**: the simulated portal (`dev/portal`), on loopback, in a process \
of its own; its answers have the size and shape of real ones.
- **Processor time** is `time.process_time` of the measuring process, all its threads \
included; medians of 25 samples, all variants in turn within each repetition. A sample \
of 1, 10, 50, 500 lines is the mean of 20, 10, 4, 1 polls on a connection that is open. \
JSON is written and read with orjson, as in Home Assistant. All but `b24pysdk`, which has \
its own, use an aiohttp session of the same kind.
- **Peak memory**: `tracemalloc`, the most that a poll has in use beyond what was there \
before it. **Memory of a line**: `tracemalloc`, the difference of 260 and 10 lines.
- **Wall at 150 ms**: one poll, each variant on its own connection, all at the same time.
- **Integration**: Home Assistant's core with its registries and translations in the \
measuring process, `coordinator.async_refresh()` until nothing is left to do. "Changed": \
the line drops or recovers, so that all that is shown of it changes. State writes are \
`state_changed` and `state_reported` events; rows are counted in the recorder's SQLite \
database. "Client alone": the poll of the same lines without Home Assistant. Set-up is that of a \
restart: entry, devices and entities were there before.
- **Usual pattern** (`dev/bench/custom_components/usual_sip`): the same client, lines \
and entities, namely those that are enabled by default, on a plain \
`DataUpdateCoordinator` at a fixed 60 s and plain `CoordinatorEntity`, which writes at \
every poll. Its uptime is computed at every poll from a list of the outages in memory.
- **Uptime**: the three variants in turn, in one Home Assistant; "not recorded": the call \
that records is replaced by one that does nothing. The year is simulated, and every line \
has the same one. Its memory: `tracemalloc`, a year of ten lines that was recorded \
change by change.
- **Scale**: real time, at the default options, after set-up. "After its due time": from \
when the event loop's timer of a poll was due until the poll began. The simulated hours \
ran on the other core meanwhile.
- **Detection, operating time**: the clock is simulated, all else is real (the integration, \
Home Assistant's core, HTTP, the portal): the event loop does not sleep, but moves the \
clock to the next timer when nothing is under way (`dev/bench/clock.py`). Each of the \
100 outages has 20 minutes of its own; it begins at random and lasts 2 to 10 minutes, at \
random. Measured from the portal's knowing to the state of the line's binary sensor. \
Operating time: the second of two hours in which nothing happens."""
