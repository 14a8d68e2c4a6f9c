"""Versions and addresses that appear in several places agree.

The versions of Home Assistant are named in pyproject.toml, the integration's own and
the repository's address in the manifest; the other places follow.
"""

from collections.abc import Iterator
import re
import tomllib
from typing import Any

from .project import Finding, Project

_HEADING = re.compile(
    r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\S+))?$", re.MULTILINE
)
# In place of a date, or as the heading of changes that have no version yet.
_UNRELEASED = "Unreleased"
_ADDRESS = re.compile(r"github\.com/([\w.-]+/ha-bitrix24-sip)\b")
_TEXTS = ("*.md", "docs/**/*.md", ".github/**/*", "blueprints/**/*.yaml")


def check(project: Project) -> Iterator[Finding]:
    """Check the versions of Home Assistant and of the integration, and the address."""
    manifest = project.json(project.integration / "manifest.json")
    yield from _home_assistant(project)
    yield from _changelog(project, str(manifest.get("version")))
    yield from _addresses(project, manifest)


def check_tag(project: Project, tag: str) -> Iterator[Finding]:
    """Check that a release's tag matches the work tree."""
    version = project.json(project.integration / "manifest.json").get("version")
    if tag != f"v{version}":
        yield Finding(
            project.name(project.integration / "manifest.json"),
            f"the version is {version}, the tag {tag}",
            "tag it as v and the version",
        )
    if _dates(project).get(str(version)) == _UNRELEASED:
        yield Finding(
            "CHANGELOG.md",
            f"{version} is still marked as unreleased",
            "replace Unreleased by the date of the release",
        )
    if section(project, _UNRELEASED):
        yield Finding(
            "CHANGELOG.md",
            "there are changes under Unreleased",
            "put them under the version that is released",
        )


def _dates(project: Project) -> dict[str, str | None]:
    """Return the versions that the changelog has, newest first, with their dates."""
    text = project.text(project.root / "CHANGELOG.md")
    return {h["version"]: h["date"] for h in _HEADING.finditer(text)}


def section(project: Project, version: str) -> str:
    """Return the changelog's section of a version, without the heading."""
    text = project.text(project.root / "CHANGELOG.md")
    headings = list(_HEADING.finditer(text))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        if heading["version"] == version:
            end = following.start() if following else len(text)
            # The links at the end of the file do not belong to a version.
            return re.sub(
                r"^\[[^\]]+\]: \S+$", "", text[heading.end() : end], flags=re.MULTILINE
            ).strip()
    return ""


def _home_assistant(project: Project) -> Iterator[Finding]:
    groups: dict[str, list[Any]] = tomllib.loads(
        project.text(project.root / "pyproject.toml")
    ).get("dependency-groups", {})
    pinned = {
        name: requirement.removeprefix("homeassistant==")
        for name, requirements in groups.items()
        for requirement in requirements
        if isinstance(requirement, str) and requirement.startswith("homeassistant==")
    }
    for name in ("oldest", "newest"):
        if name not in pinned:
            yield Finding(
                "pyproject.toml",
                f"the group {name} does not pin homeassistant",
                "add homeassistant==VERSION",
            )
    for name, version in pinned.items():
        path = project.root / "requirements" / f"{name}.txt"
        if f"homeassistant=={version}" not in project.text(path).splitlines():
            yield Finding(
                project.name(path),
                f"homeassistant is not {version}",
                "run scripts/lock",
            )
    oldest = pinned.get("oldest", "")
    if project.json(project.root / "hacs.json").get("homeassistant") != oldest:
        yield Finding(
            "hacs.json", "homeassistant is not the oldest tested", f"make it {oldest}"
        )
    month = oldest.removesuffix(".0")
    for readme in sorted(project.root.glob("README*.md")):
        if not re.search(rf"{re.escape(month)}(\.0)?\b", project.text(readme)):
            yield Finding(
                readme.name,
                "it does not name the oldest Home Assistant",
                f"say that {month} or newer is needed",
            )


def _changelog(project: Project, version: str) -> Iterator[Finding]:
    name = "CHANGELOG.md"
    versions = _dates(project)
    versions.pop(_UNRELEASED, None)
    newest = next(iter(versions), None)
    if newest != version:
        yield Finding(
            name,
            f"its newest version is not the manifest's {version}",
            "tell of it, or correct the manifest",
        )
    for told, date in versions.items():
        waits = told == newest and date == _UNRELEASED
        if not waits and not re.fullmatch(r"\d{4}-\d\d-\d\d", date or ""):
            yield Finding(name, f"{told} has no date", "## [VERSION] - YYYY-MM-DD")
        if not section(project, told):
            yield Finding(name, f"the section of {told} is empty", "describe it")


def _addresses(project: Project, manifest: dict[str, Any]) -> Iterator[Finding]:
    """Find mentions of the repository under another owner's name."""
    ours = _ADDRESS.search(str(manifest.get("documentation")))
    paths = [path for pattern in _TEXTS for path in project.root.glob(pattern)]
    paths.append(project.integration / "manifest.json")
    for path in sorted(set(paths)):
        if not path.is_file() or path.suffix == ".png":
            continue
        for address in sorted(set(_ADDRESS.findall(project.text(path)))):
            if not ours or address != ours[1]:
                yield Finding(
                    project.name(path),
                    f"the repository is called {address}",
                    "use the address of the manifest's documentation",
                )
