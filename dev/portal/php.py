"""What the portal's API has from PHP: its arrays, its query strings and its JSON."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl


def to_array(values: dict[str, Any]) -> Any:
    """Return a map as PHP encodes it: [] when empty, a list for the keys 0, 1 and so on."""
    if not values:
        return []
    if list(values) == [str(index) for index in range(len(values))]:
        return list(values.values())
    return values


def from_array(value: Any) -> dict[str, Any]:
    """Return what was posted as a PHP array; anything else counts as an empty one."""
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def is_true(value: Any) -> bool:
    """Return what a value is cast to: the text "0" is false, "false" is true."""
    return bool(value) and value != "0"


def parse_query(query: str) -> dict[str, Any]:
    """Parse a query string with PHP's brackets: `FILTER[TYPE]=cloud`."""
    params: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        head, *keys = re.findall(r"[^\[\]]+", name) or [name]
        target = params
        for key in keys:
            inner = target.setdefault(head, {})
            if not isinstance(inner, dict):
                break
            target, head = inner, key
        target[head] = value
    return params


def parse_body(body: bytes, content_type: str) -> dict[str, Any]:
    """Parse a posted body. Broken JSON counts as no parameters."""
    if content_type != "application/json":
        return parse_query(body.decode("utf-8", "replace"))
    try:
        return from_array(json.loads(body))
    except ValueError:
        return {}


def encode(value: Any) -> bytes:
    r"""Encode as the portal does: ASCII, `\/`, and \u003C for < > & ' and quotes."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    text = text.replace("/", "\\/").replace('\\"', "\\u0022")
    for char in "<>&'":
        text = text.replace(char, f"\\u{ord(char):04X}")
    return text.encode()


def upper_keys(params: Any) -> dict[str, Any]:
    """Return parameters with their names in upper case."""
    if not isinstance(params, dict):
        return {}
    return {str(name).upper(): value for name, value in params.items()}


def reg_id(params: dict[str, Any]) -> int | None:
    """Return the REG_ID of some parameters, None where there is no number."""
    text = str(upper_keys(params).get("REG_ID"))
    return int(text) if re.fullmatch(r"[0-9]+", text) else None
