"""translations/*.json: schema, sentence case, and every language with the same keys."""

from collections.abc import Iterator
import re
from typing import TYPE_CHECKING, Any

from homeassistant.helpers import config_validation as cv

from .project import Finding, Project
from .texts import fixed_text, key, leaves, placeholders, text

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

# Written with a capital in the middle of a sentence.
_NAMES = {"Assistant", "Bitrix24", "Cloud", "Connector", "Home"}
# Short texts: titles, names, labels, states, choices. Others quote menus as they are.
_LABELS = {"data", "menu_options", "name", "options", "state", "submit", "title"}


def check(project: Project) -> Iterator[Finding]:
    """Check English, and the other languages against it."""
    folder = project.integration / "translations"
    path = folder / "en.json"
    english = project.json(path)
    yield from project.fits(path, english, _SCHEMA, "see the backend's translations")
    yield from _sentence_case(project, english)
    yield from _descriptions(project, english)
    originals = dict(leaves(english))
    for other in sorted(folder.glob("*.json")):
        if other == path:
            continue
        data = project.json(other)
        name = project.name(other)
        yield from project.fits(other, data, _SCHEMA, "translate it anew")
        translated = dict(leaves(data))
        for missing in sorted(originals.keys() - translated.keys()):
            yield Finding(name, f"{'.'.join(missing)} is missing", "translate it")
        for extra in sorted(translated.keys() - originals.keys()):
            yield Finding(name, f"{'.'.join(extra)} is not in English", "delete it")
        for leaf in sorted(originals.keys() & translated.keys()):
            yield from _same_placeholders(name, leaf, originals[leaf], translated[leaf])


def _same_placeholders(
    name: str, leaf: tuple[str, ...], original: str, translated: str
) -> Iterator[Finding]:
    try:
        wanted, used = placeholders(original), placeholders(translated)
    except vol.Invalid:
        return  # The schema has said so.
    if wanted != used:
        yield Finding(
            name,
            f"{'.'.join(leaf)} has the placeholders {sorted(used)}",
            f"use those of English: {sorted(wanted)}",
        )


def _sentence_case(project: Project, english: dict[str, Any]) -> Iterator[Finding]:
    """Core writes "Polling interval", not "Polling Interval"."""
    name = project.name(project.integration / "translations" / "en.json")
    for path, value in leaves(english):
        if not _LABELS & set(path[-2:]):
            continue
        first, *others = re.findall(r"[\w{}]+", value) or [""]
        for word in others:
            plain = word.istitle() and len(word) > 1 and word.isalpha()
            if plain and word not in _NAMES and f". {word}" not in value:
                yield Finding(
                    name,
                    f"{'.'.join(path)}: {value!r} is not in sentence case",
                    f"write {word.lower()}",
                )
        if first[:1].islower() and "state" not in path:
            yield Finding(
                name,
                f"{'.'.join(path)}: {value!r} begins with a small letter",
                f"write {first.capitalize()}",
            )


def _descriptions(project: Project, english: dict[str, Any]) -> Iterator[Finding]:
    """Find descriptions of fields that a step does not have."""
    name = project.name(project.integration / "translations" / "en.json")
    for flow in ("config", "options"):
        steps = english.get(flow, {}).get("step", {})
        for step_id, step in steps.items():
            for part in (step, *step.get("sections", {}).values()):
                fields = part.get("data", {}).keys()
                for extra in part.get("data_description", {}).keys() - fields:
                    yield Finding(
                        name,
                        f"{flow}.step.{step_id} describes {extra}, which it lacks",
                        "name the field in data, or delete the description",
                    )


def _each(value: Any) -> Any:
    """Return the schema of an object with translation keys."""
    return cv.schema_with_slug_keys(value, slug_validator=key)


def _flow() -> dict[Any, Any]:
    """Return the schema of a config, options or repair flow."""
    fields = {
        vol.Optional("data"): {str: text},
        vol.Optional("data_description"): {str: text},
        vol.Optional("description"): text,
    }
    step = {
        **fields,
        vol.Optional("title"): text,
        vol.Optional("menu_options"): {str: text},
        vol.Optional("menu_option_descriptions"): {str: text},
        vol.Optional("submit"): text,
        vol.Optional("sections"): {str: {**fields, vol.Optional("name"): text}},
    }
    flow = {
        vol.Required("step"): {str: step},
        vol.Optional("flow_title"): text,
        vol.Optional("initiate_flow"): {vol.Required("user"): text},
    }
    for messages in ("abort", "create_entry", "error", "progress"):
        flow[vol.Optional(messages)] = {str: text}
    return flow


_STATES = _each(fixed_text)
_NAMED_FIELDS = _each(
    {
        vol.Required("name"): text,
        vol.Required("description"): text,
        vol.Optional("example"): text,
    }
)
_SCHEMA = vol.Schema(
    {
        vol.Optional("title"): text,
        vol.Optional("common"): {str: text},
        vol.Optional("config"): _flow(),
        vol.Optional("options"): _flow(),
        vol.Optional("device"): _each({vol.Optional("name"): text}),
        vol.Optional("entity"): cv.schema_with_slug_keys(
            _each(
                {
                    vol.Optional("name"): text,
                    vol.Optional("state"): _STATES,
                    vol.Optional("state_attributes"): _each(
                        {
                            vol.Optional("name"): fixed_text,
                            vol.Optional("state"): _STATES,
                        }
                    ),
                    vol.Optional("unit_of_measurement"): fixed_text,
                }
            ),
            slug_validator=cv.slug,
        ),
        vol.Optional("exceptions"): cv.schema_with_slug_keys(
            {vol.Required("message"): text}, slug_validator=cv.slug
        ),
        vol.Optional("issues"): {
            str: vol.All(
                cv.has_at_least_one_key("description", "fix_flow"),
                {
                    vol.Required("title"): text,
                    vol.Exclusive("description", "fixable"): text,
                    vol.Exclusive("fix_flow", "fixable"): _flow(),
                },
            )
        },
        vol.Optional("selector"): cv.schema_with_slug_keys(
            {
                vol.Optional("choices"): _each(text),
                vol.Optional("options"): _each(text),
                vol.Optional("unit_of_measurement"): _each(text),
            },
            slug_validator=cv.slug,
        ),
        vol.Optional("services"): _each(
            {
                vol.Required("name"): text,
                vol.Required("description"): text,
                vol.Optional("fields"): _NAMED_FIELDS,
                vol.Optional("sections"): _each(
                    {vol.Required("name"): text, vol.Optional("description"): text}
                ),
            }
        ),
        vol.Optional("system_health"): {vol.Optional("info"): _each(text)},
    }
)
