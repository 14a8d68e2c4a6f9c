"""The soak's command line."""

import argparse
import asyncio
from pathlib import Path
import sys
from tempfile import TemporaryDirectory

from dev.hass import free_port, write_config

from .crashes import crash
from .run import Soak


def _crash(kills: int, seed: int) -> int:
    """Kill Home Assistant again and again; return 0 if nothing was wrong."""
    with TemporaryDirectory(prefix="bitrix24-sip-crash-") as name:
        folder = Path(name) / "config"
        port = free_port()
        write_config(folder, port, also=Path(__file__).parent / "hasty")
        report = asyncio.run(crash(folder, port, kills, seed))
    print(report)
    print("Crashes: passed" if report.good else "Crashes: failed")
    return 0 if report.good else 1


def main() -> int:
    """Run a soak; return 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=24)
    parser.add_argument("--interval", type=int, default=15, help="seconds, 15 or more")
    parser.add_argument(
        "--kills",
        type=int,
        default=0,
        help="kill Home Assistant so many times meanwhile, and check what is stored instead",
    )
    arguments = parser.parse_args()
    if arguments.kills:
        return _crash(arguments.kills, arguments.seed)
    print(f"Soaking for {arguments.seconds:.0f} s, seed {arguments.seed}", flush=True)
    with TemporaryDirectory(prefix="bitrix24-sip-soak-") as name:
        folder = Path(name) / "config"
        port = free_port()
        write_config(folder, port, also=Path(__file__).parent / "sabotage")
        soak = Soak(arguments.seconds, arguments.seed, arguments.interval)
        report = asyncio.run(soak.run(folder, port))
    print(report)
    print("Soak: passed" if report.good else "Soak: failed")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
