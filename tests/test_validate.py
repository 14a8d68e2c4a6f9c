"""Each check of scripts/validate finds its kind of mistake."""

from collections.abc import Callable
import json
from pathlib import Path
import re
import shutil
from typing import Any
from zipfile import ZipFile

import pytest

from dev.checks.__main__ import validate
from dev.checks.agreement import check_tag, section
from dev.checks.project import DOMAIN, Finding, Project
from dev.release import write_zip

ROOT = Path(__file__).parent.parent
INTEGRATION = f"custom_components/{DOMAIN}"
ENGLISH = f"{INTEGRATION}/translations/en.json"
ICONS = f"{INTEGRATION}/icons.json"
MANIFEST = f"{INTEGRATION}/manifest.json"

type Break = Callable[[Path], None]


@pytest.fixture(autouse=True)
def custom_integrations() -> None:
    """Override the fixture of the other tests: Home Assistant is not needed here."""


@pytest.fixture(scope="module")
def before() -> list[Finding]:
    """Return the findings in the project itself."""
    return validate(ROOT)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of all files that are checked."""
    root = tmp_path / "project"
    root.mkdir()
    for path in [*ROOT.glob("*.*"), ROOT / "LICENSE"]:
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, root)
    for folder in ("custom_components", "docs", "requirements", ".github"):
        shutil.copytree(
            ROOT / folder,
            root / folder,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return root


def test_no_findings_in_the_project(before: list[Finding]) -> None:
    """The project itself has no findings."""
    assert [str(finding) for finding in before] == []


def test_no_findings_in_a_copy(copy: Path, before: list[Finding]) -> None:
    """The copy has all that the checks need, so findings are due to what a test broke."""
    assert validate(copy) == before


# Ways to break a copy.


def set_json(file: str, *path: str, to: Any) -> Break:
    """Set a value in a JSON file, and create its parents; None deletes the value."""

    def change(root: Path) -> None:
        data = json.loads((root / file).read_text(encoding="utf-8"))
        target = data
        for key in path[:-1]:
            target = target.setdefault(key, {})
        if to is None:
            del target[path[-1]]
        else:
            target[path[-1]] = to
        (root / file).write_text(json.dumps(data), encoding="utf-8")

    return change


def write(file: str, text: str) -> Break:
    """Replace a file's content."""

    def change(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text, encoding="utf-8")

    return change


def append(file: str, text: str) -> Break:
    """Append a text to a file."""

    def change(root: Path) -> None:
        path = root / file
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    return change


def replace(file: str, old: str, new: str) -> Break:
    """Replace a text that the file has."""

    def change(root: Path) -> None:
        text = (root / file).read_text(encoding="utf-8")
        assert old in text
        (root / file).write_text(text.replace(old, new), encoding="utf-8")

    return change


def both(first: Break, second: Break) -> Break:
    """Do one thing, then another."""

    def change(root: Path) -> None:
        first(root)
        second(root)

    return change


def delete(file: str) -> Break:
    """Delete a file."""
    return lambda root: (root / file).unlink()


STATUS = ("entity", "sensor", "status")

BROKEN: dict[str, tuple[Break, str, str]] = {
    # manifest.json
    "manifest_gone": (delete(MANIFEST), MANIFEST, "missing"),
    "manifest_broken": (write(MANIFEST, "{"), MANIFEST, "not valid JSON"),
    "manifest_list": (write(MANIFEST, "[]"), MANIFEST, "not a JSON object"),
    "manifest_twin": (
        write(MANIFEST, '{"domain": "a", "domain": "b"}'),
        MANIFEST,
        "twice in one object: domain",
    ),
    # icons.json
    "icon_unknown": (
        set_json(ICONS, *STATUS, "default", to="mdi:phon"),
        ICONS,
        "the frontend has no icon mdi:phon",
    ),
    "icon_prefix": (
        set_json(ICONS, *STATUS, "default", to="hass:phone"),
        ICONS,
        "begins with mdi:",
    ),
    "icon_default_twice": (
        both(
            set_json(ICONS, *STATUS, "default", to="mdi:phone"),
            set_json(ICONS, *STATUS, "state", "error", to="mdi:phone"),
        ),
        ICONS,
        "status.state.error is the default",
    ),
    "icon_of_nothing": (
        set_json(ICONS, "entity", "sensor", "statos", to={"default": "mdi:phone"}),
        ICONS,
        "entity.sensor.statos is in no translation",
    ),
    "icon_of_no_state": (
        set_json(ICONS, *STATUS, "state", "fine", to="mdi:phone-ring"),
        ICONS,
        "entity.sensor.status has no state fine",
    ),
    # hacs.json and what is around it
    "hacs_key": (set_json("hacs.json", "domains", to=[]), "hacs.json", "domains"),
    "hacs_name": (
        set_json("hacs.json", "name", to="Other"),
        "hacs.json",
        "name is not the manifest's",
    ),
    "hacs_version": (
        set_json("hacs.json", "homeassistant", to="new"),
        "hacs.json",
        "not a version",
    ),
    "hacs_filename": (
        set_json("hacs.json", "filename", to="a.zip"),
        "hacs.json",
        "name the zip of the release: bitrix24_sip.zip",
    ),
    "hacs_branch": (
        set_json("hacs.json", "hide_default_branch", to=False),
        "hacs.json",
        "set hide_default_branch",
    ),
    "second_manifest": (
        write("dev/other/manifest.json", "{}"),
        "dev/other/manifest.json",
        "with one manifest only",
    ),
    "second_manifest_by_ending": (
        write(f"{INTEGRATION}/frontend/web-manifest.json", "{}"),
        f"{INTEGRATION}/frontend/web-manifest.json",
        "with one manifest only",
    ),
    "licence_gone": (delete("LICENSE"), "LICENSE", "HACS and its users"),
    # agreement
    "oldest_of_hacs": (
        set_json("hacs.json", "homeassistant", to="2025.1.0"),
        "hacs.json",
        "not the oldest tested",
    ),
    "oldest_of_readme": (
        write("README.md", "For Home Assistant 2025.1 and newer."),
        "README.md",
        "does not name the oldest Home Assistant",
    ),
    "repository_topics": (
        set_json(".github/repository.json", "topics", to=["Home Assistant"]),
        ".github/repository.json",
        "topics",
    ),
    "repository_description": (
        set_json(".github/repository.json", "description", to=""),
        ".github/repository.json",
        "description",
    ),
    "oldest_not_pinned": (
        replace("pyproject.toml", "oldest = [", "eldest = ["),
        "pyproject.toml",
        "the group oldest does not pin",
    ),
    "requirements_behind": (
        write("requirements/newest.txt", "homeassistant==2025.1.0\n"),
        "requirements/newest.txt",
        "run scripts/lock",
    ),
    "changelog_behind": (
        set_json(MANIFEST, "version", to="99.0.0"),
        "CHANGELOG.md",
        "not the manifest's 99.0.0",
    ),
    "changelog_without_versions": (
        write("CHANGELOG.md", "# Changelog\n\n## Soon\n"),
        "CHANGELOG.md",
        "not the manifest's",
    ),
    "changelog_date": (
        append("CHANGELOG.md", "\n## [0.9.0]\n\n- Something.\n"),
        "CHANGELOG.md",
        "0.9.0 has no date",
    ),
    "changelog_older_version_unreleased": (
        append("CHANGELOG.md", "\n## [0.9.0] - Unreleased\n\n- Something.\n"),
        "CHANGELOG.md",
        "0.9.0 has no date",
    ),
    "changelog_empty": (
        append("CHANGELOG.md", "\n## [0.9.0] - 2026-01-01\n\n[0.9.0]: https://x.y\n"),
        "CHANGELOG.md",
        "the section of 0.9.0 is empty",
    ),
    "address": (
        append("SECURITY.md", "\nhttps://github.com/somebody/ha-bitrix24-sip\n"),
        "SECURITY.md",
        "the repository is called somebody/ha-bitrix24-sip",
    ),
}


@pytest.mark.parametrize(
    ("break_it", "file", "words"), BROKEN.values(), ids=BROKEN.keys()
)
def test_findings(
    copy: Path, before: list[Finding], break_it: Break, file: str, words: str
) -> None:
    """A finding names the file and the mistake, in one line."""
    break_it(copy)

    found = [finding for finding in validate(copy) if finding not in before]

    lines = [str(finding) for finding in found if finding.file == file]
    assert any(words in line for line in lines), [str(finding) for finding in found]
    assert not any("\n" in line for line in lines)


def dated(date: str) -> Break:
    """Give the newest version of the changelog a date."""

    def change(root: Path) -> None:
        file = root / "CHANGELOG.md"
        text, found = re.subn(
            r"^(## \[\d[^\]]*\]).*$",
            rf"\1 - {date}",
            file.read_text(encoding="utf-8"),
            count=1,
            flags=re.MULTILINE,
        )
        assert found
        file.write_text(text, encoding="utf-8")

    return change


def test_the_tag_differs_from_the_manifest(copy: Path) -> None:
    """A release with another version's tag is refused."""
    set_json(MANIFEST, "version", to="1.2.3")(copy)
    dated("2026-12-01")(copy)

    wrong = [str(finding) for finding in check_tag(Project(copy), "v1.2.4")]

    assert len(wrong) == 1
    assert "the version is 1.2.3, the tag v1.2.4" in wrong[0]
    assert list(check_tag(Project(copy), "v1.2.3")) == []


def test_unreleased_changes(copy: Path) -> None:
    """A release is refused while the changelog has unreleased changes."""
    version = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))["version"]
    dated("Unreleased")(copy)
    [wrong] = check_tag(Project(copy), f"v{version}")
    assert "is still marked as unreleased" in str(wrong)

    dated("2026-12-01")(copy)
    assert list(check_tag(Project(copy), f"v{version}")) == []
    heading = f"## [{version}]"
    replace("CHANGELOG.md", heading, f"## [Unreleased]\n\n- New.\n\n{heading}")(copy)

    assert section(Project(copy), "Unreleased") == "- New."
    [wrong] = check_tag(Project(copy), f"v{version}")
    assert "there are changes under Unreleased" in str(wrong)


def test_release_zip(tmp_path: Path) -> None:
    """The zip has the integration at its top, as HACS expects, and is reproducible."""
    first, second = tmp_path / "a" / "1.zip", tmp_path / "2.zip"

    write_zip(ROOT / INTEGRATION, first)
    write_zip(ROOT / INTEGRATION, second)

    assert first.read_bytes() == second.read_bytes()
    with ZipFile(first) as archive:
        archive.extractall(tmp_path / "unpacked")
        names = archive.namelist()
    assert not any("__pycache__" in name for name in names)
    for path in (ROOT / INTEGRATION).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(ROOT / INTEGRATION)
            assert (tmp_path / "unpacked" / name).read_bytes() == path.read_bytes()
