"""Run the benchmark, and write its report."""

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
import json
from pathlib import Path
import subprocess
import sys
import time
from typing import Any

from .plots import draw
from .report import write

HERE = Path(__file__).parent
# Sections that measure processor time run alone; the simulated hours run beside the
# scale run, which mostly waits.
STAGES = (("clients",), ("refresh",), ("uptime",), ("scale", "hours"))


def _measured(options: Sequence[str], section: str) -> Any:
    """Return the figures of a section, measured in a process of its own."""
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "dev.bench.section", section, *options],
        check=True,
        stdout=subprocess.PIPE,
    )
    print(f"{section}: {time.monotonic() - began:.0f} s", flush=True)
    return json.loads(result.stdout)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="see in a minute that all of it works; figures in build/bench, of no worth",
    )
    quick = parser.parse_args().quick
    began = time.monotonic()
    stages = [[name for stage in STAGES for name in stage]] if quick else STAGES
    figures: dict[str, Any] = {}
    measured = partial(_measured, ["--quick"] if quick else [])
    with ThreadPoolExecutor() as pool:
        for stage in stages:
            figures |= dict(zip(stage, pool.map(measured, stage), strict=True))
    folder = HERE.parents[1] / "build" / "bench" if quick else HERE
    folder.mkdir(parents=True, exist_ok=True)
    figures["seconds"] = time.monotonic() - began
    draw(folder, figures)
    missed = write(folder / "RESULTS.md", figures, quick=quick)
    print(f"{folder / 'RESULTS.md'}: {figures['seconds']:.0f} s")
    for target in missed:
        print(f"not met: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
