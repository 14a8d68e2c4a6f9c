"""manifest.json, and what it promises about the integration's files."""

import ast
from collections.abc import Iterator
from pathlib import Path
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from awesomeversion import (
    AwesomeVersion,
    AwesomeVersionException,
    AwesomeVersionStrategy,
)

from homeassistant import components
from homeassistant.const import Platform

from .project import DOMAIN, Finding, Project

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

# Integrations that any other may import from without a dependency on them.
_ALWAYS_THERE = {
    *(platform.value for platform in Platform),
    "automation",
    "frontend",
    "group",
    "homeassistant",
    "person",
    "persistent_notification",
    "script",
    "sun",
    "system_health",
    "system_log",
    "websocket_api",
    "zone",
}
_REGISTERS_ACTIONS = re.compile(
    r"services\.(async_)?register\b|async_register_\w*(service|entity_service)\b"
)


def check(project: Project) -> Iterator[Finding]:
    """Check the manifest, and the files beside it against the manifest."""
    path = project.integration / "manifest.json"
    manifest = project.json(path)
    yield from project.fits(path, manifest, _SCHEMA, "see the manifest's documentation")
    name = project.name(path)
    in_order = sorted(
        manifest, key=lambda key: ({"domain": 0, "name": 1}.get(key, 2), key)
    )
    if list(manifest) != in_order:
        yield Finding(
            name,
            f"the keys are in the order {', '.join(manifest)}",
            "order them: domain, name, then the others by the alphabet",
        )
    if manifest.get("domain") != project.integration.name:
        yield Finding(name, "domain is not the folder's name", f"make it {DOMAIN}")
    if manifest.get("requirements"):
        yield Finding(
            name,
            f"requirements has {', '.join(manifest['requirements'])}",
            "use what Home Assistant has: nothing is to be installed at run time",
        )
    yield from _folders(project)
    yield from _flow(project, manifest)
    yield from _imports(project, manifest)
    yield from _yaml_schema(project)


def _folders(project: Project) -> Iterator[Finding]:
    """HACS and the Marketplace install the first folder, the loader the one named so."""
    folder = project.integration.parent
    others = [
        project.name(path)
        for path in sorted(folder.iterdir())
        if path.is_dir() and path.name not in (DOMAIN, "__pycache__")
    ]
    for other in others:
        yield Finding(other, "a second integration", "one repository holds one only")
    if (Path(components.__file__ or "").parent / DOMAIN).exists():
        yield Finding(
            project.name(project.integration),
            "Home Assistant has an integration of this domain",
            "choose another domain",
        )
    for legacy in ("strings.json", ".translations"):
        if (project.integration / legacy).exists():
            yield Finding(
                project.name(project.integration / legacy),
                "a custom integration has none",
                "put the texts into translations/en.json",
            )
    for path in sorted(project.integration.rglob("*.json")):
        project.json(path)


def _flow(project: Project, manifest: dict[str, Any]) -> Iterator[Finding]:
    has_flow = (project.integration / "config_flow.py").is_file()
    if has_flow != bool(manifest.get("config_flow")):
        yield Finding(
            project.name(project.integration / "manifest.json"),
            f"config_flow is {manifest.get('config_flow')}, config_flow.py "
            f"{'is' if has_flow else 'is not'} there",
            "make them agree",
        )
    if not (project.integration / "services.yaml").is_file() and any(
        _REGISTERS_ACTIONS.search(project.text(path))
        for path in project.integration.rglob("*.py")
    ):
        yield Finding(
            project.name(project.integration),
            "actions are registered and there is no services.yaml",
            "describe them there",
        )


def _imports(project: Project, manifest: dict[str, Any]) -> Iterator[Finding]:
    """Find imports from integrations that need not be there."""
    allowed = {
        *_ALWAYS_THERE,
        *manifest.get("dependencies", []),
        *manifest.get("after_dependencies", []),
    }
    # A platform of another integration (diagnostics.py, repairs.py) is loaded by it.
    allowed |= {path.stem for path in project.integration.glob("*.py")}
    for path in sorted(project.integration.rglob("*.py")):
        for integration in sorted(_imported(ast.parse(project.text(path))) - allowed):
            yield Finding(
                project.name(path),
                f"imports from the integration {integration}",
                "name it in the manifest's dependencies or after_dependencies",
            )


def _imported(module: ast.Module) -> set[str]:
    """Return the integrations of Home Assistant that a module imports from."""
    only_for_types = {
        id(node)
        for block in ast.walk(module)
        if isinstance(block, ast.If)
        and isinstance(block.test, ast.Name)
        and block.test.id == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    names: set[str] = set()
    for node in ast.walk(module):
        if id(node) in only_for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    prefix = "homeassistant.components."
    return {
        name.removeprefix(prefix).split(".")[0]
        for name in names
        if name.startswith(prefix)
    }


def _yaml_schema(project: Project) -> Iterator[Finding]:
    path = project.integration / "__init__.py"
    module = ast.parse(project.text(path))
    functions = {
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assigned = {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    if functions & {"setup", "async_setup"} and "CONFIG_SCHEMA" not in assigned:
        yield Finding(
            project.name(path),
            "async_setup without CONFIG_SCHEMA",
            "set CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)",
        )


def _https_url(value: Any) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if not parts or parts.scheme != "https" or not parts.netloc:
        raise vol.Invalid("not a URL with https")
    return str(value)


def _documentation(value: Any) -> str:
    if urlsplit(_https_url(value)).netloc == "www.home-assistant.io":
        raise vol.Invalid("home-assistant.io documents no custom integration")
    return str(value)


def _version(value: Any) -> str:
    """Accept what the loader accepts; another version keeps it from loading."""
    try:
        AwesomeVersion(
            value,
            ensure_strategy=[
                AwesomeVersionStrategy.CALVER,
                AwesomeVersionStrategy.SEMVER,
                AwesomeVersionStrategy.SIMPLEVER,
                AwesomeVersionStrategy.BUILDVER,
                AwesomeVersionStrategy.PEP440,
            ],
        )
    except AwesomeVersionException as error:
        raise vol.Invalid("not a version that the loader accepts") from error
    return str(value)


def _owner(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"@[\w/-]+", value):
        raise vol.Invalid("not a GitHub name with @")
    return value


_SCHEMA = vol.Schema(
    {
        vol.Required("domain"): str,
        vol.Required("name"): str,
        vol.Required("codeowners"): vol.All([_owner], vol.Length(min=1)),
        vol.Required("documentation"): _documentation,
        # hassfest can do without these four, HACS and this project cannot.
        vol.Required("issue_tracker"): _https_url,
        vol.Required("version"): vol.All(str, _version),
        vol.Required("integration_type"): vol.In(
            ["device", "entity", "hardware", "helper", "hub", "service", "system"]
        ),
        vol.Required("iot_class"): vol.In(
            [
                "assumed_state",
                "calculated",
                "cloud_polling",
                "cloud_push",
                "local_polling",
                "local_push",
            ]
        ),
        vol.Optional("config_flow"): bool,
        vol.Optional("quality_scale"): vol.In(["bronze", "silver", "gold", "platinum"]),
        vol.Optional("requirements"): [str],
        vol.Optional("dependencies"): [str],
        vol.Optional("after_dependencies"): [str],
        vol.Optional("loggers"): [str],
        vol.Optional("single_config_entry"): bool,
        vol.Optional("import_executor"): bool,
    }
)
