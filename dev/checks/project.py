"""The project's files for the checks, and their findings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.yaml import load_yaml_dict

if TYPE_CHECKING:
    # What Home Assistant has under the name of voluptuous since 2026.9.
    import probatio as vol
else:
    import voluptuous as vol

DOMAIN = "bitrix24_sip"


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """A finding. file: relative to the project."""

    file: str
    wrong: str
    remedy: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return " ".join(f"{self.file}: {self.wrong}: {self.remedy}".split())


type Check = Callable[["Project"], Iterator[Finding]]


class UnreadableError(Exception):
    """A file that a check needs is missing or broken. finding: says so."""

    def __init__(self, finding: Finding) -> None:
        """Set the finding."""
        self.finding = finding
        super().__init__(str(finding))


class Project:
    """A work tree of the project."""

    def __init__(self, root: Path) -> None:
        """Set the folder that contains hacs.json."""
        self.root = root
        self.integration = root / "custom_components" / DOMAIN

    def name(self, path: Path) -> str:
        """Return a path relative to the project."""
        return path.relative_to(self.root).as_posix()

    def text(self, path: Path) -> str:
        """Return a file's text, or raise UnreadableError."""
        try:
            return path.read_text(encoding="utf-8")
        except OSError, UnicodeDecodeError:
            raise UnreadableError(
                Finding(
                    self.name(path),
                    "the file is missing or not UTF-8",
                    "write it",
                )
            ) from None

    def json(self, path: Path) -> dict[str, Any]:
        """Return a JSON file's object, or raise UnreadableError."""
        try:
            data = json.loads(self.text(path), object_pairs_hook=_without_duplicates)
        except ValueError as error:
            wrong = f"not valid JSON ({error})"
        else:
            if isinstance(data, dict):
                return data
            wrong = "not a JSON object"
        raise UnreadableError(Finding(self.name(path), wrong, "fix it"))

    def yaml(self, path: Path) -> dict[str, Any]:
        """Return a YAML file's mapping, or raise UnreadableError."""
        self.text(path)
        try:
            return dict(load_yaml_dict(path))
        except HomeAssistantError as error:
            raise UnreadableError(
                Finding(self.name(path), f"not valid YAML ({error})", "fix it")
            ) from None

    def fits(
        self, path: Path, data: Any, schema: vol.Schema, remedy: str
    ) -> Iterator[Finding]:
        """Find data of a file that does not match a schema."""
        try:
            schema(data)
        except vol.MultipleInvalid as invalid:
            errors = invalid.errors
        except vol.Invalid as invalid:
            errors = [invalid]
        else:
            return
        for error in errors:
            where = ".".join(str(part) for part in error.path)
            message = getattr(error, "msg", None) or str(error)
            yield Finding(
                self.name(path), f"{where}: {message}" if where else message, remedy
            )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, or raise ValueError for a duplicate key."""
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        duplicates = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"twice in one object: {', '.join(duplicates)}")
    return data
