"""What the documents say of faults is what the table of the tests says."""

import json
from pathlib import Path
import re

import pytest

from dev.outcomes import AT_ONCE, BRIDGED, MATRIX, REAUTH

ROOT = Path(__file__).parents[1]
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
ADDRESS = "https://github.com/bitrix24-sip/ha-bitrix24-sip"

EFFECTS = {
    BRIDGED: "stand for the grace period, then unavailable",
    AT_ONCE: "unavailable at once",
    REAUTH: "unavailable at once; a new webhook is asked for",
}


def faults_table() -> str:
    """Return the table of errors, from the matrix and the English sentences."""
    words = json.loads(
        (ROOT / "custom_components/bitrix24_sip/translations/en.json").read_text()
    )
    rows = ["| error | the lines | what the form says |", "| --- | --- | --- |"]
    effects = {row.reason: row.poll for row in MATRIX.values()}
    effects["insecure_connection"] = BRIDGED
    effects["registration_not_found"] = BRIDGED
    for reason in sorted(effects):
        sentence = re.sub(r"\{(\w+)\}", r"*\1*", words["config"]["error"][reason])
        rows.append(f"| `{reason}` | {EFFECTS[effects[reason]]} | {sentence} |")
    return "\n".join(rows)


def test_troubleshooting_has_the_table() -> None:
    """The table in the documentation is made of the rows of the test."""
    text = TROUBLESHOOTING.read_text()
    match = re.search(
        r"<!-- faults:begin -->\n(.*)\n<!-- faults:end -->", text, re.DOTALL
    )
    assert match
    assert match[1] == faults_table(), f"put this there:\n{faults_table()}"


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "README.ru.md",
        *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
    ],
)
def test_links_lead_somewhere(path: str) -> None:
    """Every link to a file of the repository has its file, and in it its heading."""
    document = ROOT / path
    links = re.findall(r'(?:\]\(<?|src(?:set)?=")([^)">\s]+)', document.read_text())
    assert links or path != "README.md"
    for link in links:
        if "://" in link:
            continue
        name, _, heading = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        if heading:
            assert heading in headings(target.read_text()), link


def headings(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in found}


def test_pictures_are_shown() -> None:
    """No picture lies about that no document shows."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    text = "".join(path.read_text() for path in documents)
    for picture in (ROOT / "docs" / "images").iterdir():
        assert f"images/{picture.name}" in text


def test_one_address() -> None:
    """The repository's address is the same wherever it stands."""
    found = set()
    for pattern in (
        "*.md",
        "*.json",
        "*.yaml",
        "*.yml",
        "docs/**/*.md",
        "blueprints/**/*.yaml",
        "custom_components/*/manifest.json",
        ".github/**/*.yml",
    ):
        for path in ROOT.glob(pattern):
            found |= set(
                re.findall(
                    r"https://github\.com/[\w-]*bitrix24[\w-]*/[\w-]+", path.read_text()
                )
            )
    assert found == {ADDRESS}
