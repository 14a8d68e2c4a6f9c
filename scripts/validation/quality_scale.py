"""quality_scale.yaml: every rule of the integration quality scale, honestly."""

from collections.abc import Iterator
from functools import cache
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeassistant import components
from homeassistant.const import Platform
from homeassistant.util.yaml import load_yaml_dict

from .project import Finding, Project

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

# What a rule that is done leaves in the code: the file, and a text in it.
_TRACES = {
    "action-setup": ("__init__.py", "async def async_setup("),
    "config-entry-unloading": ("__init__.py", "async def async_unload_entry("),
    "config-flow": ("config_flow.py", "async def async_step_user("),
    "diagnostics": ("diagnostics.py", "async def async_get_config_entry_diagnostics("),
    "reauthentication-flow": ("config_flow.py", "async def async_step_reauth("),
    "reconfiguration-flow": ("config_flow.py", "async def async_step_reconfigure("),
    "runtime-data": ("__init__.py", ".runtime_data"),
}


def check(project: Project) -> Iterator[Finding]:
    """Check that every rule has its answer, and what of it the code can show."""
    path = project.integration / "quality_scale.yaml"
    name = project.name(path)
    data = project.yaml(path)
    yield from project.fits(path, data, _SCHEMA, "write done, todo or exempt")
    answers: dict[str, Any] = data.get("rules") or {}
    rules = all_rules()
    for rule in sorted(rules - answers.keys()):
        yield Finding(name, f"the rule {rule} is missing", "answer it")
    for rule in sorted(answers.keys() - rules):
        yield Finding(
            name, f"{rule} is no rule of the installed Home Assistant", "delete it"
        )
    scale = project.json(project.integration / "manifest.json").get("quality_scale")
    for rule, answer in answers.items():
        status = answer.get("status") if isinstance(answer, dict) else answer
        if status == "todo" and scale == "platinum":
            yield Finding(
                name,
                f"{rule} is to be done, and the manifest claims platinum",
                "do it, or claim less",
            )
        if status == "done":
            yield from _traces(project, rule)


@cache
def all_rules() -> frozenset[str]:
    """Return the rules, as the platinum integrations of Home Assistant answer them."""
    rules: set[str] = set()
    for manifest in Path(components.__file__ or "").parent.glob("*/manifest.json"):
        if json.loads(manifest.read_bytes()).get("quality_scale") == "platinum":
            path = manifest.with_name("quality_scale.yaml")
            if path.is_file():
                rules |= load_yaml_dict(path)["rules"].keys()
    return frozenset(rules)


def _traces(project: Project, rule: str) -> Iterator[Finding]:
    """Find a rule that is called done where the code shows that it is not."""
    expected = [_TRACES[rule]] if rule in _TRACES else []
    if rule == "parallel-updates":
        expected = [
            (f"{platform}.py", "PARALLEL_UPDATES =")
            for platform in sorted(Platform)
            if (project.integration / f"{platform}.py").is_file()
        ]
    for file, trace in expected:
        path = project.integration / file
        if not path.is_file() or trace not in project.text(path):
            yield Finding(
                project.name(path),
                f"{rule} is called done, and there is no {trace!r}",
                "do it, or answer todo",
            )


def _answer(value: Any) -> Any:
    if value in ("done", "todo"):
        return value
    if isinstance(value, dict) and value.keys() <= {"status", "comment"}:
        status, comment = value.get("status"), value.get("comment")
        if status in ("done", "todo") or (status == "exempt" and comment):
            return value
    raise vol.Invalid("not done, todo, or exempt with a comment that says why")


_SCHEMA = vol.Schema({vol.Required("rules"): {str: _answer}})
