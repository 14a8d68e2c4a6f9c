"""The set-up of the development environment."""

import os
from pathlib import Path
import subprocess

ROOT = Path(__file__).parents[1]


def test_uv_uses_the_certificates_of_the_system() -> None:
    """The certificate of a company's proxy is only among those; pip uses them as well."""
    uv = subprocess.run(
        [ROOT / "dev" / "setup" / "get-uv"], check=True, capture_output=True, text=True
    ).stdout.strip()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("UV_")}
    settings = subprocess.run(
        [uv, "pip", "list", "--show-settings"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "system_certs: true" in settings
