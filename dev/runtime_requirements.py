"""Print the packages that Home Assistant would install at its first start.

Usage: runtime_requirements.py CONFIGURATION_YAML

Home Assistant installs what the manifests of an integration, of its dependencies
and of its after-dependencies name, when it sets the integration up. Installing
them beforehand makes a start fast and independent of the network. The same is done
here as in `homeassistant.requirements`, for the integrations that the
configuration names and those that are always set up. Runs in an environment that
has Home Assistant.
"""

import ast
from collections.abc import Iterator
import json
from pathlib import Path
import re
import sys
from typing import Any

import homeassistant
from homeassistant.bootstrap import CORE_INTEGRATIONS, DEFAULT_INTEGRATIONS

CORE = Path(homeassistant.__file__).parent
# Base platforms that are set up by the integrations that use them.
ALSO = {"calendar", "todo"}
# Integrations that discover others by a key of their manifest.
DISCOVERED_BY = {
    "dhcp": ("dhcp",),
    "mqtt": ("mqtt",),
    "ssdp": ("ssdp",),
    "zeroconf": ("zeroconf", "homekit"),
}


def configured(configuration: Path) -> set[str]:
    """Return the integrations that a configuration.yaml names at its top level."""
    text = configuration.read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z_0-9]+):", text, re.MULTILINE))


def manifest(domain: str) -> dict[str, Any] | None:
    """Return a built-in integration's manifest, None where there is none."""
    path = CORE / "components" / domain / "manifest.json"
    if not path.exists():
        return None
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def integration_requirements(domains: set[str]) -> Iterator[str]:
    """Yield what the integrations and all that they depend on require."""
    todo, done = set(domains), set[str]()
    while todo:
        domain = todo.pop()
        done.add(domain)
        if (found := manifest(domain)) is None:
            continue
        yield from found.get("requirements", ())
        todo |= {*found.get("dependencies", ()), *found.get("after_dependencies", ())}
        todo |= {
            by
            for by, keys in DISCOVERED_BY.items()
            if any(key in found for key in keys)
        }
        todo -= done


def auth_requirements() -> Iterator[str]:
    """Yield what the auth providers and the second factors require."""
    for path in (CORE / "auth").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case ast.Assign(targets=[ast.Name(id="REQUIREMENTS")], value=value):
                    yield from ast.literal_eval(value)


def main() -> None:
    """Print the requirements, one a line."""
    domains = configured(Path(sys.argv[1])) | ALSO
    domains |= CORE_INTEGRATIONS | DEFAULT_INTEGRATIONS
    requirements = {*integration_requirements(domains), *auth_requirements()}
    print("\n".join(sorted(requirements, key=str.lower)))


if __name__ == "__main__":
    main()
