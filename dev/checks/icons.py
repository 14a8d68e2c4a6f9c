"""icons.json: schema, icons that the frontend has, keys that the translations have."""

from collections.abc import Iterator
from importlib.resources import files
import json
from typing import TYPE_CHECKING, Any

from homeassistant.helpers import config_validation as cv

from .project import Finding, Project
from .texts import key, leaves

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol


def check(project: Project) -> Iterator[Finding]:
    """Check the icons of entities and actions."""
    path = project.integration / "icons.json"
    icons = project.json(path)
    name = project.name(path)
    yield from project.fits(path, icons, _SCHEMA, "see the integration's icons")
    known = {f"mdi:{icon}" for icon in material_design_icons()}
    for leaf, icon in leaves(icons):
        if icon.startswith("mdi:") and icon not in known:
            yield Finding(
                name,
                f"{'.'.join(leaf)}: the frontend has no icon {icon}",
                "choose one that it has",
            )
    yield from _same_as_default(name, icons)
    yield from _without_translation(project, name, icons)


def material_design_icons() -> set[str]:
    """Return the names of the icons in the installed frontend."""
    names = files("hass_frontend") / "static" / "mdi" / "iconList.json"
    return {icon["name"] for icon in json.loads(names.read_text(encoding="utf-8"))}


def _same_as_default(name: str, icons: dict[str, Any]) -> Iterator[Finding]:
    for platform, entities in icons.get("entity", {}).items():
        for entity, section in entities.items():
            for state, icon in section.get("state", {}).items():
                if icon == section.get("default"):
                    yield Finding(
                        name,
                        f"entity.{platform}.{entity}.state.{state} is the default",
                        "delete it",
                    )


def _without_translation(
    project: Project, name: str, icons: dict[str, Any]
) -> Iterator[Finding]:
    """Find icons of entities and states that have no translation."""
    english = project.json(project.integration / "translations" / "en.json")
    for platform, entities in icons.get("entity", {}).items():
        translated = english.get("entity", {}).get(platform, {})
        for entity, section in entities.items():
            if entity not in translated:
                yield Finding(
                    name,
                    f"entity.{platform}.{entity} is in no translation",
                    "correct the key, or name the entity in translations/en.json",
                )
                continue
            states = translated[entity].get("state")
            for state in section.get("state", {}):
                # Without translated states it has those of its device class.
                if states is not None and state not in states:
                    yield Finding(
                        name,
                        f"entity.{platform}.{entity} has no state {state}",
                        "correct the state, or name it in translations/en.json",
                    )


def _icon(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("mdi:"):
        raise vol.Invalid("not an icon that begins with mdi:")
    return value


_ICONS = cv.schema_with_slug_keys(_icon, slug_validator=key)
_STATE_ICONS = {
    vol.Optional("default"): _icon,
    vol.Optional("range"): {str: _icon},
    vol.Optional("state"): _ICONS,
}
_FLOW = {vol.Required("step"): {str: {vol.Required("sections"): {str: _icon}}}}
_SCHEMA = vol.Schema(
    {
        vol.Optional("config"): _FLOW,
        vol.Optional("options"): _FLOW,
        vol.Optional("entity"): cv.schema_with_slug_keys(
            cv.schema_with_slug_keys(
                {
                    **_STATE_ICONS,
                    vol.Optional("state_attributes"): cv.schema_with_slug_keys(
                        _STATE_ICONS, slug_validator=key
                    ),
                },
                slug_validator=key,
            ),
            slug_validator=cv.slug,
        ),
        vol.Optional("conditions"): cv.schema_with_slug_keys(
            {vol.Required("condition"): _icon}, slug_validator=key
        ),
        vol.Optional("triggers"): cv.schema_with_slug_keys(
            {vol.Required("trigger"): _icon}, slug_validator=key
        ),
        vol.Optional("services"): cv.schema_with_slug_keys(
            {
                vol.Required("service"): _icon,
                vol.Optional("sections"): _ICONS,
            },
            slug_validator=key,
        ),
    }
)
