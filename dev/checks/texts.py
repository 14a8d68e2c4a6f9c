"""Rules for the texts of the user interface."""

from collections.abc import Iterator
import re
from string import Formatter
from typing import TYPE_CHECKING, Any

from homeassistant.helpers import config_validation as cv

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

_QUOTED_PLACEHOLDER = re.compile(r"'\{\w+\}'")
_URL = re.compile(r"\b(https?|ftps?|mqtts?|wss?|socks5?)://|\bwww\.\w", re.IGNORECASE)
_REFERENCE = re.compile(r"\[%|%\]")
_KEY = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")


def text(value: Any) -> str:
    """Accept a text that the frontend can show, or raise vol.Invalid."""
    checked = cv.string_with_no_html(value)
    if not isinstance(value, str) or not value:
        raise vol.Invalid("not a text")
    if value != value.strip():
        raise vol.Invalid("spaces at the beginning or the end")
    if _REFERENCE.search(value):
        raise vol.Invalid("a custom integration's texts refer to no others")
    if _URL.search(value):
        raise vol.Invalid("a URL in the text; hand it in as a placeholder")
    if _QUOTED_PLACEHOLDER.search(value):
        raise vol.Invalid("a placeholder within single quotes is not filled in")
    for placeholder in placeholders(value):
        if not placeholder.isidentifier():
            raise vol.Invalid(f"the placeholder {{{placeholder}}} is not a name")
    return checked


def placeholders(value: str) -> set[str]:
    """Return the names between braces, or raise vol.Invalid for unbalanced braces."""
    try:
        return {name for _, name, _, _ in Formatter().parse(value) if name is not None}
    except ValueError as error:
        raise vol.Invalid(f"braces that do not match ({error})") from error


def key(value: Any) -> str:
    """Accept a translation key."""
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise vol.Invalid("a key has a-z, 0-9, single _ and - between them only")
    return value


def leaves(data: Any, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path and the text of each leaf."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from leaves(value, *path, str(name))
    elif isinstance(data, str):
        yield path, data
