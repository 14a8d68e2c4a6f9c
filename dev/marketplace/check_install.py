"""Installation in each way: by the Marketplace, from the release's zip, and by copying.

Each test installs the files in a real Home Assistant with an empty configuration
folder, and sets up the integration on a simulated portal.
"""

import asyncio
from collections.abc import Awaitable, Callable
import json
import os
from pathlib import Path
import shutil
import sys
import time
from typing import Any, override
from zipfile import ZipFile

import pytest

from dev.hass import HassError, HomeAssistant, free_port, write_config
from dev.portal import Portal
from dev.release import write_zip

from .github import NAME, REPOSITORY_ID, TAG, TOKEN, GitHub

ROOT = Path(__file__).parents[2]
DOMAIN = "bitrix24_sip"
INTEGRATION = ROOT / "custom_components" / DOMAIN
ASSET = f"{DOMAIN}.zip"
# Errors that Home Assistant logs without the internet are ignored.
LOGGER = f"custom_components.{DOMAIN}"

type Repository = dict[str, Any]
type Install = Callable[["InstalledHass"], Awaitable[None]]


class InstalledHass(HomeAssistant):
    """A Home Assistant without access to the work tree, with a stand-in for GitHub."""

    def __init__(self, folder: Path, github: str) -> None:
        """Set a configuration folder, and the stand-in's URL."""
        port = free_port(8300)
        write_config(folder, port, custom_components=ROOT / "custom_components")
        shutil.rmtree(folder / "custom_components")
        super().__init__(folder, port)
        self._github = github

    @override
    async def _spawn(self) -> None:
        # Not as a module, and not in the work tree: either would put the work tree's
        # custom_components beside those of the configuration folder.
        self._began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, Path(__file__).with_name("hass.py")),
                *("--config", self.folder, "--log-no-color"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, "MARKETPLACE_GITHUB": self._github},
                cwd=self.folder,
                start_new_session=True,
            )

    @property
    def installed(self) -> Path:
        """The folder of the integration."""
        return self.folder / "custom_components" / DOMAIN

    async def repository(self) -> Repository:
        """Wait until the Marketplace knows the repository; return its data."""
        async with asyncio.timeout(60):
            while True:
                try:
                    listed = await self.command("marketplace/repositories/list")
                except HassError:  # Not set up yet.
                    listed = []
                for repository in listed:
                    if repository["full_name"] == NAME:
                        found: Repository = repository
                        return found
                await asyncio.sleep(0.1)


def repository_files(**hacs: Any) -> dict[str, bytes]:
    """Return the repository's relevant files, by path; `hacs`: other values."""
    folders = (ROOT / "custom_components", ROOT / "docs", ROOT / "tests")
    paths = [path for folder in folders for path in folder.rglob("*")]
    paths += [ROOT / name for name in ("LICENSE", "README.md", "hacs.json")]
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }
    files["hacs.json"] = json.dumps({**json.loads(files["hacs.json"]), **hacs}).encode()
    return files


def release_zip(folder: Path) -> Path:
    """Return the zip of a release."""
    write_zip(INTEGRATION, folder / ASSET)
    return folder / ASSET


def contents(folder: Path) -> dict[str, bytes]:
    """Return a folder's files by path, without compiled ones."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def connect_github(folder: Path) -> None:
    """Store the Marketplace's entry with a connected account, as its flow does."""
    entry = {
        "entry_id": "0123456789abcdef0123456789abcdef",
        "domain": "marketplace",
        "title": "",
        "version": 1,
        "minor_version": 1,
        "source": "system",
        "unique_id": None,
        "disabled_by": None,
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "data": {"token": TOKEN},
        "options": {},
    }
    stored = {
        "version": 1,
        "minor_version": 1,
        "key": "core.config_entries",
        "data": {"entries": [entry]},
    }
    path = folder / ".storage" / "core.config_entries"
    path.write_text(json.dumps(stored), encoding="utf-8")


async def sets_up(hass: InstalledHass) -> None:
    """Set up the integration as a user does; check its lines."""
    async with Portal() as portal:
        portal.add_line(201001, "Main line")
        portal.add_line(201002, "Sales", status="error", code=403, message="Forbidden")
        entry = await hass.add_integration(DOMAIN, {"webhook": portal.webhook})
        states = await hass.states()
        registrations = {
            entity["unique_id"].removeprefix(f"{entry['entry_id']}_"): states[
                entity["entity_id"]
            ]["state"]
            for entity in await hass.entities(entry["entry_id"])
            if entity["entity_id"].startswith("binary_sensor.")
        }
        assert registrations["201001_registration"] == "on"
        assert registrations["201002_registration"] == "off"
        assert hass.logged_errors(LOGGER) == []
        path = f"/api/config/config_entries/entry/{entry['entry_id']}"
        await hass.request("DELETE", path)


async def install(hass: InstalledHass) -> None:
    """Accept the Marketplace's warning, and install the repository."""
    repository = await hass.repository()
    assert not repository["installed"]
    assert repository["can_install"]
    assert repository["domain"] == DOMAIN
    await hass.command("marketplace/warning/accept")
    await hass.command("marketplace/repository/install", repository=repository["id"])

    repository = await hass.repository()
    assert repository["installed"]
    assert repository["installed_version"] == TAG
    assert repository["name"] == "Bitrix24 SIP"
    assert repository["config_flow"]
    # No restart is needed: the loader finds the integration at once.
    assert repository["status"] == "installed"
    assert contents(hass.installed) == contents(INTEGRATION)


async def uninstall(hass: InstalledHass) -> None:
    """Uninstall the repository."""
    await hass.command("marketplace/repository/uninstall", repository=REPOSITORY_ID)
    assert not hass.installed.exists()


def test_the_marketplace_installs_the_release(tmp_path: Path) -> None:
    """The repository is in the catalog; its release has the zip."""

    async def run() -> None:
        zip_ = release_zip(tmp_path).read_bytes()
        async with (
            GitHub(repository_files(), {ASSET: zip_}) as github,
            InstalledHass(tmp_path / "config", github.url) as hass,
        ):
            await install(hass)
            await sets_up(hass)
            await uninstall(hass)
        assert f"/{NAME}/releases/download/{TAG}/{ASSET}" in github.asked
        assert not any(path.startswith("/api/") for path in github.asked)

    asyncio.run(run())


def test_the_marketplace_installs_the_source(tmp_path: Path) -> None:
    """The repository is in the catalog, and is installed from the tag's archive."""

    async def run() -> None:
        files = repository_files(zip_release=False)
        async with (
            GitHub(files, {}) as github,
            InstalledHass(tmp_path / "config", github.url) as hass,
        ):
            await install(hass)
            await sets_up(hass)
        assert f"/{NAME}/archive/refs/tags/{TAG}.zip" in github.asked

    asyncio.run(run())


def test_the_marketplace_installs_what_is_added_by_its_address(tmp_path: Path) -> None:
    """The repository is not in the catalog; with a connected account, the API is used."""

    async def run() -> None:
        zip_ = release_zip(tmp_path).read_bytes()
        async with GitHub(repository_files(), {ASSET: zip_}, listed=False) as github:
            hass = InstalledHass(tmp_path / "config", github.url)
            connect_github(hass.folder)
            async with hass:
                await hass.command("marketplace/warning/accept")
                address = f"https://github.com/{NAME}"
                found = await hass.command(
                    "marketplace/repositories/detect", repository=address
                )
                assert found == {"categories": ["integration"]}
                await hass.command(
                    "marketplace/repositories/add",
                    repository=address,
                    category="integration",
                )
                await install(hass)
                await sets_up(hass)
        assert f"/api/repos/{NAME}/git/trees/{TAG}" in github.asked

    asyncio.run(run())


@pytest.mark.parametrize("way", ["copy", "zip"])
def test_by_hand(tmp_path: Path, way: str) -> None:
    """The folder is copied, or the release's zip is unpacked, into custom_components."""

    async def run() -> None:
        async with GitHub({}, {}, listed=False) as github:
            hass = InstalledHass(tmp_path / "config", github.url)
            if way == "copy":
                shutil.copytree(INTEGRATION, hass.installed)
            else:
                with ZipFile(release_zip(tmp_path)) as archive:
                    archive.extractall(hass.installed)
            async with hass:
                await sets_up(hass)

    asyncio.run(run())
