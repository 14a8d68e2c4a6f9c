"""services.yaml, and its actions' texts and icons."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from homeassistant.helpers import config_validation as cv, selector

from .project import Finding, Project

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol


def check(project: Project) -> Iterator[Finding]:
    """Check the actions, and that each has its texts and its icon."""
    path = project.integration / "services.yaml"
    name = project.name(path)
    services = project.yaml(path) if path.is_file() else {}
    yield from project.fits(path, services, _SCHEMA, "see the actions' documentation")

    english = project.integration / "translations" / "en.json"
    icons = project.integration / "icons.json"
    translated = project.json(english).get("services", {})
    with_icon = project.json(icons).get("services", {})
    for action in sorted(services.keys() - with_icon.keys()):
        yield Finding(
            project.name(icons), f"the action {action} has no icon", "give it one"
        )
    for file, names in ((english, translated), (icons, with_icon)):
        for action in sorted(names.keys() - services.keys()):
            yield Finding(
                project.name(file),
                f"the action {action} is not in services.yaml",
                "delete it here, or describe it there",
            )
    for action, description in services.items():
        if action not in translated:
            yield Finding(
                project.name(english),
                f"the action {action} has no name and description",
                "write them",
            )
            continue
        fields, sections = _fields((description or {}).get("fields", {}))
        texts = translated[action]
        for kind, wanted in (("fields", set(fields)), ("sections", sections)):
            given = texts.get(kind, {}).keys()
            for missing in sorted(wanted - given):
                yield Finding(
                    project.name(english),
                    f"services.{action}.{kind}.{missing} is missing",
                    "write it",
                )
            for extra in sorted(given - wanted):
                yield Finding(
                    project.name(english),
                    f"services.{action}.{kind}.{extra} is not in services.yaml",
                    "delete it",
                )
        choices = project.json(english).get("selector", {})
        for field, content in fields.items():
            for options in ((content or {}).get("selector") or {}).values():
                selected = (options or {}).get("translation_key")
                if selected is not None and selected not in choices:
                    yield Finding(
                        name,
                        f"{action}.{field}: the texts of {selected} are missing",
                        "write them under selector in translations/en.json",
                    )


def _fields(fields: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return all fields, those in sections too, and the sections' names."""
    flat: dict[str, Any] = {}
    sections = set()
    for name, content in fields.items():
        if content and "fields" in content:
            sections.add(name)
            flat |= content["fields"]
        else:
            flat[name] = content
    return flat, sections


def _present(value: Any) -> Any:
    if value is None:
        raise vol.Invalid("empty")
    return value


_FIELD = {
    vol.Optional("required"): bool,
    vol.Optional("advanced"): bool,
    vol.Optional("default"): _present,
    vol.Optional("example"): _present,
    vol.Optional("selector"): selector.validate_selector,
}
_SECTION = {vol.Optional("collapsed"): bool, vol.Required("fields"): {str: _FIELD}}
_SCHEMA = vol.Schema(
    {
        cv.slug: vol.Any(
            None,
            {
                vol.Optional("target"): vol.Any(
                    None, selector.TargetSelector.CONFIG_SCHEMA
                ),
                vol.Optional("fields"): {str: vol.Any(_FIELD, _SECTION)},
            },
        )
    }
)
