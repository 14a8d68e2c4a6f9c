"""Run a simulated portal alone; it prints its webhook first."""

import argparse
import asyncio
import contextlib
import ssl

from .server import Portal


async def _serve(port: int, lines: int, delay: float, certificate: str | None) -> None:
    """Run a portal until the process ends."""
    portal = Portal(operating_limit=None)
    portal.command_delay = delay
    for index in range(lines):
        portal.add_line(201001 + index, f"Line {index + 1}")
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    await portal.start(port=port, ssl_context=context)
    print(portal.webhook, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Read the command line, and run a portal until it is interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.portal", description="A simulated Bitrix24 portal"
    )
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--lines", type=int, default=10)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="per command")
    parser.add_argument("--certificate", help="a PEM file with key and certificate")
    args = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            _serve(args.port, args.lines, args.delay_ms / 1000, args.certificate)
        )


main()
