"""hacs.json and other files that HACS and the Marketplace use."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from awesomeversion import AwesomeVersion

from .project import DOMAIN, Finding, Project

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol


def check(project: Project) -> Iterator[Finding]:
    """Check hacs.json and the files around it."""
    path = project.root / "hacs.json"
    name = project.name(path)
    data = project.json(path)
    yield from project.fits(path, data, _SCHEMA, "HACS takes these keys only")
    manifest = project.json(project.integration / "manifest.json")
    if data.get("name") != manifest.get("name"):
        yield Finding(name, "name is not the manifest's", "use one name")
    if data.get("zip_release"):
        if data.get("filename") != f"{DOMAIN}.zip":
            yield Finding(
                name,
                f"filename is {data.get('filename')!r}",
                f"name the zip of the release: {DOMAIN}.zip",
            )
        if not data.get("hide_default_branch"):
            yield Finding(
                name,
                "the branch is offered, and has no zip to install",
                "set hide_default_branch",
            )
    path = project.root / ".github" / "repository.json"
    about = project.json(path)
    yield from project.fits(path, about, _ABOUT_SCHEMA, "GitHub takes no other")
    yield from _manifests(project)
    for file in ("README.md", "LICENSE"):
        if not (project.root / file).is_file():
            yield Finding(file, "HACS and its users look for it", "write it")


def _manifests(project: Project) -> Iterator[Finding]:
    """Find manifests other than the integration's.

    The checks of hacs/default refuse a repository with several files whose names end
    like this, and hassfest checks every manifest.json of the repository.
    """
    own = project.integration / "manifest.json"
    for folder, folders, files in project.root.walk():
        folders[:] = [name for name in folders if name[0] != "." and name != "build"]
        for path in (folder / name for name in files):
            if path.name.endswith("manifest.json") and path != own:
                yield Finding(
                    project.name(path),
                    "HACS's default list takes a repository with one manifest only",
                    "write it at run time, or call it something else",
                )


def _version(value: Any) -> str:
    if not isinstance(value, str) or not AwesomeVersion(value).valid:
        raise vol.Invalid("not a version")
    return value


# What GitHub shows about the repository; docs/publishing.md has the commands to set it.
_ABOUT_SCHEMA = vol.Schema(
    {
        vol.Required("description"): vol.All(str, vol.Length(min=1, max=350)),
        vol.Required("homepage"): vol.Match(r"https://\S+$"),
        vol.Required("topics"): vol.All(
            [vol.Match(r"[a-z0-9][a-z0-9-]{0,49}$")], vol.Length(min=1, max=20)
        ),
    }
)
_SCHEMA = vol.Schema(
    {
        vol.Required("name"): str,
        # HACS does not require it, but users need it.
        vol.Required("homeassistant"): _version,
        vol.Optional("content_in_root"): False,
        vol.Optional("country"): vol.Any(str, [str]),
        vol.Optional("filename"): str,
        vol.Optional("hacs"): _version,
        vol.Optional("hide_default_branch"): bool,
        vol.Optional("persistent_directory"): str,
        vol.Optional("render_readme"): bool,
        vol.Optional("zip_release"): bool,
    }
)
