"""Run the demo: `python -m dev.demo`, or `scripts/demo` for the environment."""

import signal
import sys


def main() -> int:
    """Run the demo."""
    # Until there is something to clean up, Ctrl-C ends without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import run  # noqa: PLC0415 - it takes a second, and Ctrl-C may come meanwhile

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
