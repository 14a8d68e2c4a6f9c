"""Run the demo: `python -m demo`, or better `scripts/demo`, which sets up first."""

import signal
import sys


def main() -> int:
    """Run the demo."""
    # Until there is something to clean up, Ctrl-C just ends, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import run  # noqa: PLC0415 - takes a second, in which one may change one's mind

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
