"""The Russian documents have the headings, tables and YAML of the English ones."""

from pathlib import Path
import re
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
RUSSIAN = (ROOT / "README.ru.md", *sorted((ROOT / "docs" / "ru").glob("*.md")))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


def english_of(document: Path) -> Path:
    """Return the English document that a Russian one is a translation of."""
    if document.parent == ROOT:
        return ROOT / document.name.replace(".ru", "")
    return document.parents[1] / document.name


def headings(text: str) -> list[int]:
    """Return the levels of all headings, in order."""
    return [len(level) for level in re.findall(r"^(#+) ", text, re.MULTILINE)]


def tables(text: str) -> list[tuple[int, int]]:
    """Return rows and columns of all tables, in order."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [(table.count("\n"), table.split("\n")[0].count("|")) for table in found]


def figures(text: str) -> list[list[str]]:
    """Return the numbers in each row of all tables, in order, but for names and links."""
    rows = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    plain = (re.sub(r"`[^`]*`|\]\(<?[^)]*\)", "", row) for row in rows)
    return [sorted(re.findall(r"\d+", row)) for row in plain]


def differs(english: Any, russian: Any) -> str | None:
    """Return what is not the same in two values, but for texts in Russian."""
    if isinstance(english, dict) and isinstance(russian, dict):
        if list(english) != list(russian):
            return f"{list(english)} != {list(russian)}"
        pairs = [(english[key], russian[key]) for key in english]
    elif isinstance(english, list) and isinstance(russian, list):
        if len(english) != len(russian):
            return f"{len(english)} items != {len(russian)} items"
        pairs = list(zip(english, russian, strict=True))
    else:
        translated = isinstance(russian, str) and CYRILLIC.search(russian)
        same = english == russian or translated
        return None if same else f"{english!r} != {russian!r}"
    return next((d for pair in pairs if (d := differs(*pair))), None)


@pytest.mark.parametrize("document", RUSSIAN, ids=lambda path: path.stem)
def test_russian_is_like_english(document: Path) -> None:
    """A part that is added in one language is missing nowhere in the other."""
    russian, english = document.read_text(), english_of(document).read_text()
    assert CYRILLIC.search(russian)
    plain_russian, plain_english = FENCED.sub("", russian), FENCED.sub("", english)
    assert headings(plain_russian) == headings(plain_english)
    assert tables(plain_russian) == tables(plain_english)
    assert figures(plain_russian) == figures(plain_english)
    ours, theirs = FENCED.findall(russian), FENCED.findall(english)
    assert [kind for kind, _ in ours] == [kind for kind, _ in theirs]
    for (kind, text), (_, other) in zip(ours, theirs, strict=True):
        if kind == "yaml":
            assert differs(yaml.safe_load(other), yaml.safe_load(text)) is None
        else:
            assert text == other


def test_each_language_links_to_the_other() -> None:
    """A reader of either language finds the other one."""
    for document in RUSSIAN:
        english = english_of(document)
        assert f"({document.relative_to(english.parent)})" in english.read_text()
        assert f"{english.name})" in document.read_text()
