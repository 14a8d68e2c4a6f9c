"""Run a simulated portal alone."""

from .server import main

main()
