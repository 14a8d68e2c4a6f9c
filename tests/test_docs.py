"""What the documents say is what the code and the tables of the tests say."""

from collections.abc import Callable
from functools import partial
import json
from pathlib import Path
import re
from typing import Any

import pytest

from custom_components.bitrix24_sip import schedule
from custom_components.bitrix24_sip.bitrix24.sip_codes import (
    EXPLANATIONS,
    SIP_CODES,
    Cause,
)
from dev.outcomes import AT_ONCE, GRACE_PERIOD, MATRIX, REAUTH
from homeassistant.util.yaml import load_yaml_dict

ROOT = Path(__file__).parents[1]
TRANSLATIONS = ROOT / "custom_components" / "bitrix24_sip" / "translations"
SIP_CODES_DOCUMENT = ROOT / "docs" / "sip-codes.md"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
RUSSIAN = ROOT / "docs" / "ru"
ADDRESS = "https://github.com/bitrix24-sip/ha-bitrix24-sip"

# By language: the head of the table of errors, and what a poll's error does to the lines.
FAULTS_HEAD = {
    "en": ("error", "the lines", "the message"),
    "ru": ("ошибка", "линии", "сообщение"),
}
EFFECTS = {
    "en": {
        GRACE_PERIOD: "stand for the grace period, then unavailable",
        AT_ONCE: "unavailable at once",
        REAUTH: "unavailable at once; a new webhook is asked for",
    },
    "ru": {
        GRACE_PERIOD: "сохраняют состояние на время удержания, затем недоступны",
        AT_ONCE: "сразу недоступны",
        REAUTH: "сразу недоступны; запрашивается новый вебхук",
    },
}


def words(language: str) -> Any:
    """Return the translations into a language."""
    return json.loads((TRANSLATIONS / f"{language}.json").read_text())


def faults_table(language: str) -> str:
    """Return the table of errors, from the matrix and the translated sentences."""
    sentences = words(language)["config"]["error"]
    rows = [f"| {' | '.join(FAULTS_HEAD[language])} |", "| --- | --- | --- |"]
    effects = {row.reason: row.poll for row in MATRIX.values()}
    effects["insecure_connection"] = GRACE_PERIOD
    effects["registration_not_found"] = GRACE_PERIOD
    for reason in sorted(effects):
        sentence = re.sub(r"\{(\w+)\}", r"*\1*", sentences[reason])
        effect = EFFECTS[language][effects[reason]]
        rows.append(f"| `{reason}` | {effect} | {sentence} |")
    return "\n".join(rows)


def codes_table() -> str:
    """Return the table of SIP codes."""
    rows = ["| code | text | cause | in practice |", "| --- | --- | --- | --- |"]
    names = cause_names("en")
    for row in SIP_CODES:
        text = row.text if row.source == "RFC 3261" else f"{row.text} ({row.source})"
        rows.append(f"| {row.code} | {text} | {names[row.cause]} | {row.in_practice} |")
    return "\n".join(rows)


def causes_table() -> str:
    """Return the table of causes."""
    rows = [
        "| cause | in automations | what it means | what to do |",
        "| --- | --- | --- | --- |",
    ]
    for cause, name in cause_names("en").items():
        says, remedy = EXPLANATIONS[cause]
        rows.append(f"| {name} | `{cause}` | {says} | {remedy} |")
    return "\n".join(rows)


def cause_names(language: str) -> dict[Cause, str]:
    """Return the causes as Home Assistant shows them in a language."""
    names = words(language)["entity"]["sensor"]["problem"]["state"]
    return {cause: names[cause] for cause in Cause}


@pytest.mark.parametrize(
    ("document", "name", "table"),
    [
        (TROUBLESHOOTING, "faults", partial(faults_table, "en")),
        (RUSSIAN / "troubleshooting.md", "faults", partial(faults_table, "ru")),
        (SIP_CODES_DOCUMENT, "codes", codes_table),
        (SIP_CODES_DOCUMENT, "causes", causes_table),
    ],
)
def test_tables(document: Path, name: str, table: Callable[[], str]) -> None:
    """The tables in the documents are made of what the code has."""
    assert generated(document, name) == table(), f"put this there:\n{table()}"


def generated(document: Path, name: str) -> str:
    """Return the part of a document between the markers of a table."""
    match = re.search(
        rf"<!-- {name}:begin -->\n(.*)\n<!-- {name}:end -->",
        document.read_text(),
        re.DOTALL,
    )
    assert match
    return match[1]


def cells(table: str) -> list[list[str]]:
    """Return the cells of the rows of a table, without its head."""
    rows = table.splitlines()[2:]
    return [row.strip("| ").split(" | ") for row in rows]


@pytest.mark.parametrize(
    ("name", "table", "same"), [("codes", codes_table, 3), ("causes", causes_table, 2)]
)
def test_russian_sip_codes(name: str, table: Callable[[], str], same: int) -> None:
    """The Russian tables have the codes and the causes of the code, all explained."""
    english, russian = cause_names("en"), cause_names("ru")
    names = {english[cause]: russian[cause] for cause in Cause}
    expected = [[names.get(c, c) for c in row[:same]] for row in cells(table())]
    rows = cells(generated(RUSSIAN / "sip-codes.md", name))
    assert [row[:same] for row in rows] == expected
    for row in rows:
        assert len(row) == 4
        assert all(re.search("[а-я]", cell) for cell in row[same:]), row


def test_entities_are_documented() -> None:
    """Each entity is described by its name."""
    text = (ROOT / "docs" / "entities.md").read_text()
    for entities in words("en")["entity"].values():
        for entity in entities.values():
            assert entity["name"] in text


def test_figures_of_the_schedule() -> None:
    """The documents have the figures that the schedule uses."""
    text = (ROOT / "docs" / "how-it-works.md").read_text()
    for seconds in (schedule.EARLY_EVERY, schedule.FOLLOW_UP_AFTER):
        assert f"after {seconds:.0f} seconds" in text.lower()
    assert f"every {schedule.EARLY_EVERY:.0f} seconds" in text


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "README.ru.md",
        *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")),
    ],
)
def test_links_lead_somewhere(path: str) -> None:
    """The file and the heading of every link within the repository exist."""
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
    """Every picture is used by a document."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    text = "".join(path.read_text() for path in documents)
    for picture in (ROOT / "docs" / "images").iterdir():
        assert f"images/{picture.name}" in text


def test_publishing_links_the_jobs_of_validate() -> None:
    """The request for inclusion links the jobs by the names that the workflow has."""
    jobs = load_yaml_dict(ROOT / ".github/workflows/validate.yml")["jobs"]
    text = (ROOT / "docs/publishing.md").read_text(encoding="utf-8")

    linked = re.findall(r"\$\(job (\w+)\)", text)

    assert sorted(linked) == sorted(job["name"] for job in jobs.values())


def test_one_address() -> None:
    """The repository's address is the same everywhere."""
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
