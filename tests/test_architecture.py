"""Which modules may import which."""

import ast
from collections.abc import Iterator
from pathlib import Path
import sys

import pytest

ROOT = Path(__file__).parents[1]
INTEGRATION = ROOT / "custom_components" / "bitrix24_sip"
LIBRARY = sorted((INTEGRATION / "bitrix24").glob("*.py"))
# From the inside out: a module imports from its own layer and from those before it.
LAYERS = (
    ("bitrix24", "const"),
    ("options", "settled", "state", "update_order"),
    ("grace", "uptime", "uptime_history"),
    ("lines",),
    ("schedule",),
    ("incidents",),
    ("connection", "devices", "errors", "frontend", "targets"),
    ("issues", "monitor", "poll_log", "uptime_coordinator"),
    ("display",),
    ("coordinator", "forms"),
    ("entity",),
    (
        "binary_sensor",
        "config_flow",
        "diagnostics",
        "event",
        "repairs",
        "sensor",
        "services",
        "system_health",
    ),
    ("line_condition", "settled_trigger"),
    ("condition", "trigger"),
    ("__init__",),
)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield level and first name of each import of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield node.level, (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.name)
def test_library_imports(path: Path) -> None:
    """The portal's API imports only aiohttp and the standard library."""
    for level, name in imports(path):
        assert level == 1 or (
            level == 0 and (name == "aiohttp" or name in sys.stdlib_module_names)
        ), name


def test_layers() -> None:
    """Each module has a layer, and imports only from its own and from earlier layers."""
    layer_of = {name: at for at, layer in enumerate(LAYERS) for name in layer}
    modules = sorted(INTEGRATION.glob("*.py"))
    packages = {path.parent.name for path in INTEGRATION.glob("*/__init__.py")}
    assert {path.stem for path in modules} | packages == layer_of.keys()
    for path in modules:
        for level, name in imports(path):
            if level == 1:
                assert layer_of[name] <= layer_of[path.stem], f"{path.stem}: {name}"


def test_simulated_portal_imports() -> None:
    """It imports neither the integration nor Home Assistant."""
    for path in sorted((ROOT / "dev" / "portal").glob("*.py")):
        for level, name in imports(path):
            assert (level, name) == (1, name) or name not in (
                "custom_components",
                "dev",
                "homeassistant",
                "tests",
            ), path.name


def test_nothing_imports_the_tests() -> None:
    """Only the tests import from the tests."""
    for folder in ("custom_components", "dev", "scripts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            assert (0, "tests") not in set(imports(path)), path
