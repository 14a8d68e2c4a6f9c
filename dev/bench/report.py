"""RESULTS.md: where it stands, the tables, and how they were measured."""

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

from custom_components.bitrix24_sip.schedule import OPERATING_LIMIT

from .measure import median, percentile
from .plots import NAMES, OURS, PATTERNS, USUAL, sizes_of

FAST = ("fast_batch", "fast_list")
CHANGES = {"none": "nothing", "one": "one line", "all": "all lines"}
SCENARIOS = {
    "one_of_10": "one of 10 lines",
    "one_of_50": "one of 50 lines",
    "the_only_one": "the only line",
    "all_of_10": "all of 10 lines at once",
}
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
    """A target, what was measured, and whether that meets it."""

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
        "## Scale: 50 portals × 10 lines in one Home Assistant",
        _scale(figures["scale"]),
        "## Detection",
        _detection(figures["hours"]["detection"]),
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
    """Return how each target is met."""
    clients, refresh = figures["clients"], figures["refresh"]
    sizes, refreshed = sizes_of(clients), sizes_of(refresh)[-1]
    cost = {
        size: {n: median(v) for n, v in clients[size]["processor"].items()}
        for size in sizes
    }
    to_floor = {size: c["ours"] / c["floor"] for size, c in cost.items()}
    new = {size: c["ours_new"] / c["floor"] for size, c in cost.items()}
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
            "the same when every answer is another one than in the last poll",
            _by_size(new),
            max(new.values()) <= 1.6,
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
            f"and costs at most 1/5 of the usual pattern at {refreshed} lines",
            f"1/{1 / share:.1f} with the same client polling for both",
            share <= 0.2,
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
        *(
            verdict
            for name in ("one_of_10", "all_of_10")
            for verdict in _recovery(name, figures["hours"]["detection"][name])
        ),
    ]


def _recovery(scenario: str, seen: dict[str, Any]) -> tuple[Verdict, Verdict]:
    """Return how soon recoveries are seen in a scenario, and what that costs."""
    recovery = percentile(seen[OURS]["on"], 0.95)
    more = seen[OURS]["commands"] / seen[USUAL]["commands"]
    return (
        Verdict(
            f"recovery is seen within 20 s (95th percentile), {SCENARIOS[scenario]}",
            f"{recovery:.1f} s",
            recovery <= 20,
        ),
        Verdict(
            "at the commands of a fixed 60 s poll plus 20 %",
            f"plus {(more - 1) * 100:.1f} %",
            more <= 1.2,
        ),
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
        "writes of an hour without a change",
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
    facts = f"""Memory of a line, its six entities in Home Assistant and its device \
included: {memory[OURS] / 1024:.1f} KiB (usual pattern: {memory[USUAL] / 1024:.1f} KiB). \
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


def _detection(detection: dict[str, Any]) -> str:
    rows = []
    for name, label in SCENARIOS.items():
        for domain, pattern in PATTERNS.items():
            seen = detection[name][domain]
            usual = detection[name][USUAL]
            fixed = "fixed 60 s" if domain == USUAL else pattern
            rows.append(
                (
                    f"{label}, {fixed}",
                    f"{len(seen['off'])} + {len(seen['on'])} of 2 × {seen['changes']}",
                    f"{median(seen['off']):.1f} / {percentile(seen['off'], 0.95):.1f}",
                    f"{median(seen['on']):.1f} / {percentile(seen['on'], 0.95):.1f}",
                    f"{seen['requests']:.1f}",
                    f"{seen['commands']:.1f}",
                    f"{(seen['commands'] / usual['commands'] - 1) * 100:+.1f} %",
                )
            )
    head = (
        "what drops",
        "seen",
        "drop, s: median / 95 %",
        "recovery, s: median / 95 %",
        "requests an hour",
        "commands an hour",
        "beside fixed",
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
                    f"{most / OPERATING_LIMIT * 100:.0f} %",
                )
            )
    head = (
        "an hour",
        "polls of a line",
        "requests",
        "operating time, s",
        "most in 10 minutes, s",
        f"of the limit ({OPERATING_LIMIT:.0f} s)",
    )
    plot = "![Operating time in ten minutes](operating.png)"
    return "\n\n".join((_table(head, rows), _OPERATING, plot))


_WHY = """\
Both patterns poll with this project's client here, so that the poll itself, most of what \
is left of a refresh in which nothing changed, counts for both: the portal reports times \
for every command, 440 bytes a line, and somebody has to read them. What the integration \
adds to its poll is in the row below. A refresh in which all lines changed is mostly Home \
Assistant's own writing of six states a line."""

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
A line that is down is asked every 15 s in its first half hour; of several some, in turn, \
and the others at once when one is back. All such additional commands stay within 20 % of \
an hour's. A portal with a single line has only 12 of them an hour, four minutes' worth: a \
recovery after a longer outage is seen by the usual interval there. A drop is seen by the \
interval, as with any polling. With one line that fails, requests grow by more than \
commands: each of the additional ones is a request with a single command."""

_OPERATING = """\
Each `voximplant.sip.status` is booked with 0.15 s, as recorded. From half of the limit \
on the integration polls less often; at the fixed interval 300 lines are over the limit, \
and the portal refuses the method."""

_METHOD = """\
## Method

- **Portal**: the tests' simulated portal (`dev/portal/server.py`), on loopback, in a process \
of its own; its answers have the size and shape of real ones.
- **Processor time** is `time.process_time` of the measuring process, all its threads \
included; medians of 25 samples, all variants in turn within each repetition. A sample \
of 1, 10, 50, 500 lines is the mean of 20, 10, 4, 1 polls on a connection that is open. \
The client reads JSON as in Home Assistant, with orjson. All but `b24pysdk`, which has \
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
and entities on a plain `DataUpdateCoordinator` at a fixed 60 s and plain \
`CoordinatorEntity`, which writes at every poll.
- **Scale**: real time, at the default options, after set-up. "After its due time": from \
when the event loop's timer of a poll was due until the poll began. The simulated hours \
ran on the other core meanwhile.
- **Detection, operating time**: the clock is simulated, all else is real (the integration, \
Home Assistant's core, HTTP, the portal): the event loop does not sleep, but moves the \
clock to the next timer when nothing is under way (`dev/bench/clock.py`). Each outage \
has half an hour of its own; it begins at random and lasts 2 to 10 minutes, at random. \
Measured from the portal's knowing to the state of the line's binary sensor. 100 drops \
of a single line, 40 of one of 50 lines, 20 of all 10 lines. Operating time: the second \
of two hours in which nothing happens."""
