"""Translations: each language is complete, and English has exactly what the code uses.

The checks of one language are functions that yield their findings, so that a test can
also show that each finds a mistake, in a broken copy of the German texts.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
import json
from pathlib import Path
import re
from typing import TYPE_CHECKING, Any

import pytest
from pytest_homeassistant_custom_component.common import get_system_health_info

import custom_components.bitrix24_sip as integration
from custom_components.bitrix24_sip import issues
from custom_components.bitrix24_sip.bitrix24 import Bitrix24Error, Cause
from custom_components.bitrix24_sip.const import DOMAIN
from custom_components.bitrix24_sip.errors import UnexpectedError
from dev.checks.texts import leaves, placeholders, text
from dev.portal import Portal
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.generated.languages import LANGUAGES as HOME_ASSISTANT_LANGUAGES
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict

from .conftest import MAIN, SALES, Poll, SetUp, make_entry
from .test_config_flow import submit, user_input

if TYPE_CHECKING:
    # What Home Assistant has under the name of voluptuous since 2026.9.
    import probatio as vol
else:
    import voluptuous as vol

FOLDER = Path(integration.__file__).parent
TRANSLATIONS = FOLDER / "translations"
LANGUAGES = sorted({path.stem for path in TRANSLATIONS.glob("*.json")} - {"en"})

# Texts that are the same in a language as in English.
SAME_EVERYWHERE = {"REG_ID"}
SAME: dict[str, set[str]] = {
    "de": {"Labels", "Portal", "Problem", "REG_IDs", "Status"},
    "es": {"Error", "No", "Portal"},
    "fr": {"Incident"},
    "it": {"No"},
    "nl": {"Labels", "Status"},
    "pl": {"Portal", "Problem"},
    "pt-BR": {"Portal", "REG_IDs", "Status"},
    "tr": {"Portal"},
}
# Words that exist in English and in none of the other languages.
ENGLISH_WORDS = re.compile(
    r"\b(the|and|this|that|with|from|your|which|please)\b", re.IGNORECASE
)

type Texts = dict[str, Any]
type Check = Callable[[str, Texts], Iterable[str]]


def read(language: str) -> Texts:
    """Return a language's texts."""
    path = TRANSLATIONS / f"{language}.json"
    texts: Texts = json.loads(path.read_text(encoding="utf-8"))
    return texts


ENGLISH = read("en")
ORIGINALS = {".".join(path): value for path, value in leaves(ENGLISH)}


@pytest.fixture(autouse=True)
def custom_integrations() -> None:
    """Override the fixture of the other tests: most tests here need no Home Assistant."""


# The checks of one language.


def flat(texts: Texts) -> dict[str, str]:
    """Return the texts by their paths."""
    return {".".join(path): value for path, value in leaves(texts)}


def pairs(texts: Texts) -> Iterator[tuple[str, str, str]]:
    """Yield the path, the English and the translated text of each translation."""
    for path, value in flat(texts).items():
        if path in ORIGINALS:
            yield path, ORIGINALS[path], value


def keys(_: str, texts: Texts) -> Iterator[str]:
    """Find keys that are missing, unknown, or in another order than in English."""
    ours = list(flat(texts))
    yield from (f"{path} is missing" for path in ORIGINALS if path not in ours)
    yield from (f"{path} is not in English" for path in ours if path not in ORIGINALS)
    if sorted(ours) == sorted(ORIGINALS) and ours != list(ORIGINALS):
        yield "the order is not that of English"


def placeholder_names(_: str, texts: Texts) -> Iterator[str]:
    """Find placeholders that differ from those of English."""
    for path, original, ours in pairs(texts):
        if placeholders(ours) != placeholders(original):
            yield f"{path} has {sorted(placeholders(ours))}"
        # The frontend takes an apostrophe before a brace for the start of a quotation.
        if re.search(r"'[{}]", ours):
            yield f"{path} has an apostrophe before a brace"


def format_of_texts(_: str, texts: Texts) -> Iterator[str]:
    """Find texts that are empty, or have HTML or superfluous spaces."""
    for path, value in flat(texts).items():
        try:
            text(value)
        except vol.Invalid as error:
            yield f"{path}: {error}"
        if re.search(r"  | \n|\n ", value):
            yield f"{path} has a space too many"


def translated(language: str, texts: Texts) -> Iterator[str]:
    """Find texts that were left in English, and exceptions that are no longer needed."""
    allowed = SAME_EVERYWHERE | SAME.get(language, set())
    same = {ours for _, original, ours in pairs(texts) if ours == original}
    yield from (f"{ours!r} is English" for ours in sorted(same - allowed))
    yield from (f"{word!r} is not the same here" for word in sorted(allowed - same))
    for path, original, ours in pairs(texts):
        if found := ENGLISH_WORDS.search(ours):
            yield f"{path} has the English word {found[0]!r}"
        if left := runs(original) & runs(ours):
            yield f"{path} has the English words {min(left)!r}"


def runs(value: str) -> set[str]:
    """Return all sequences of three words.

    Names between straight quotes are left out: a portal that does not have the language
    shows them in English.
    """
    value = re.sub(r'"[^"]*"|\{\w+\}|["()]', ".", value)
    found = set()
    for part in re.split(r"[^\w\s]+", value):
        words = part.casefold().split()
        found |= {" ".join(words[at : at + 3]) for at in range(len(words) - 2)}
    return found


def agreement(_: str, texts: Texts) -> Iterator[str]:
    """Find errors that have one sentence in a form, and another one elsewhere."""
    forms = texts["config"]["error"]
    exceptions = {key: value["message"] for key, value in texts["exceptions"].items()}
    for others in (texts["options"]["error"], exceptions):
        for reason, message in others.items():
            if message != forms.get(reason, message):
                yield f"{reason} has two wordings"
    entities = texts["entity"]
    problems = entities["sensor"]["problem"]["state"]
    for event in entities["event"].values():
        for cause, name in event["state_attributes"]["cause"]["state"].items():
            if name != problems[cause]:
                yield f"{cause} has two wordings"


CHECKS: tuple[Check, ...] = (
    keys,
    placeholder_names,
    format_of_texts,
    translated,
    agreement,
)


def test_names_of_the_files() -> None:
    """Each file has Home Assistant's code of its language as its name."""
    assert set(LANGUAGES) <= HOME_ASSISTANT_LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("check", CHECKS)
def test_a_language(check: Check, language: str) -> None:
    """A language passes each check."""
    assert list(check(language, read(language))) == []


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_a_file(language: str) -> None:
    """Files are indented by two, without escaped letters, and end with a newline."""
    content = (TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8")
    again = json.dumps(json.loads(content), ensure_ascii=False, indent=2)
    assert content == f"{again}\n"


def broken(path: str, value: str | None) -> Texts:
    """Return the German texts with one of them replaced or deleted."""
    texts = deepcopy(read("de"))
    *parents, leaf = path.split(".")
    target = texts
    for key in parents:
        target = target[key]
    if value is None:
        del target[leaf]
    else:
        target[leaf] = value
    return texts


TIMEOUT = "exceptions.timeout.message"
TIMEOUT_OPTION = "options.error.timeout"


@pytest.mark.parametrize(
    ("check", "path", "value", "finding"),
    [
        (keys, TIMEOUT, None, f"{TIMEOUT} is missing"),
        (keys, "config.error.new", "Neu", "config.error.new is not in English"),
        (placeholder_names, TIMEOUT, "Zu langsam.", f"{TIMEOUT} has []"),
        (placeholder_names, TIMEOUT, "{host} ruht.", f"{TIMEOUT} has ['host']"),
        (
            placeholder_names,
            TIMEOUT,
            "Nichts von '{portal}.",
            f"{TIMEOUT} has an apostrophe before a brace",
        ),
        (format_of_texts, TIMEOUT, "", f"{TIMEOUT}: not a text"),
        (
            format_of_texts,
            TIMEOUT,
            "<b>{portal}</b>",
            f"{TIMEOUT}: the string should not contain",
        ),
        (
            format_of_texts,
            TIMEOUT,
            "{portal} ",
            f"{TIMEOUT}: spaces at the beginning or the end",
        ),
        (
            format_of_texts,
            TIMEOUT,
            "{portal}  ruht.",
            f"{TIMEOUT} has a space too many",
        ),
        (translated, "system_health.info.portals", "Portals", "'Portals' is English"),
        (
            translated,
            TIMEOUT,
            "{portal} did not answer, leider.",
            f"{TIMEOUT} has the English words 'did not answer'",
        ),
        (
            translated,
            TIMEOUT,
            "{portal}, please: schneller.",
            f"{TIMEOUT} has the English word 'please'",
        ),
        (agreement, TIMEOUT, "{portal} ruht.", "timeout has two wordings"),
        (agreement, TIMEOUT_OPTION, "{portal} ruht.", "timeout has two wordings"),
    ],
)
def test_a_check_finds(
    check: Check, path: str, value: str | None, finding: str
) -> None:
    """Each check finds its kind of mistake, and no others."""
    found = list(check("de", broken(path, value)))
    assert len(found) == 1
    assert found[0].startswith(finding)


def test_a_needless_exception_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is listed as the same as English has to be the same."""
    monkeypatch.setitem(SAME, "uk", {"Portal"})
    found = list(translated("uk", read("uk")))
    assert found == ["'Portal' is not the same here"]


def test_another_order_is_found() -> None:
    """All files have the order of English, which makes them easy to compare."""
    texts = read("de")
    turned = dict(reversed(texts.items()))
    assert list(keys("de", turned)) == ["the order is not that of English"]


# English has exactly the texts that the code uses.


def module(name: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse((FOLDER / name).read_text(encoding="utf-8"))


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Yield the calls of a function or a method by its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(name):
            yield node


def constants(values: Iterable[ast.expr | None]) -> set[str]:
    """Return the string constants among values."""
    return {
        value.value
        for value in values
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def keyword(tree: ast.AST, function: str, name: str) -> set[str]:
    """Return the string constants that are passed to a function by a keyword."""
    return constants(
        argument.value
        for call in calls(tree, function)
        for argument in call.keywords
        if argument.arg == name
    )


def assigned(tree: ast.AST, target: str) -> set[str]:
    """Return the string constants that are assigned to a target."""
    return constants(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == target
    )


def classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    """Return the classes of a module."""
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def reasons(error: type[Bitrix24Error] = Bitrix24Error) -> set[str]:
    """Return the reasons of all errors of the portal."""
    own = {error.reason} if hasattr(error, "reason") else set()
    return own.union(*(reasons(child) for child in error.__subclasses__()))


def webhook_reasons() -> set[str]:
    """Return the reasons for which a webhook is refused."""
    tree = module("bitrix24/webhook.py")
    given = [call.args[0] for call in calls(tree, "InvalidWebhookUrl")]
    names = {value.id for value in given if isinstance(value, ast.Name)}
    return constants(given).union(*(assigned(tree, name) for name in names))


def failures(tree: ast.AST) -> set[str]:
    """Return the errors that a form sets by itself."""
    return constants(call.args[1] for call in calls(tree, ".fail"))


def test_exceptions() -> None:
    """Each error of the portal has a message."""
    trees = [ast.parse(path.read_text("utf-8")) for path in FOLDER.glob("*.py")]
    raised = [
        {argument.arg: argument.value for argument in call.keywords}
        for tree in trees
        for call in calls(tree, "")
    ]
    own = constants(
        given.get("translation_key")
        for given in raised
        if "translation_domain" in given
    )
    assert ENGLISH["exceptions"].keys() == (
        reasons() | own | {"server_error_without_code"}
    )


def test_errors_of_the_flows() -> None:
    """Each flow has a text for each error that can occur in it."""
    flows = classes(module("config_flow.py"))
    known = reasons() - {UnexpectedError.reason} | {"server_error_without_code"}
    any_flow = known | failures(module("forms.py"))
    config, options = flows["Bitrix24SipConfigFlow"], flows["Bitrix24SipOptionsFlow"]
    assert ENGLISH["config"]["error"].keys() == (
        any_flow | webhook_reasons() | failures(config)
    )
    assert ENGLISH["options"]["error"].keys() == (
        any_flow | failures(options) | {"not_a_scan_interval", "not_a_grace_period"}
    )
    aborts = keyword(config, "async_abort", "reason")
    # Before 2026.10 Home Assistant has no texts of its own for these.
    aborts |= {"reauth_successful", "reconfigure_successful"}
    assert ENGLISH["config"]["abort"].keys() == aborts
    assert not keyword(options, "async_abort", "reason")


def fields(step: Texts) -> set[str]:
    """Return the names of a step's fields and sections that have texts."""
    return set(step.get("data", {})).union(
        *(
            {name, *(f"{name}.{field}" for field in fields(inner))}
            for name, inner in step.get("sections", {}).items()
        )
    )


def shown(schema: Any) -> set[str]:
    """Return the names of a form's fields and sections."""
    return {str(field) for field in schema.schema}.union(
        *(
            {f"{field}.{inner}" for inner in shown(value.schema)}
            for field, value in schema.schema.items()
            if isinstance(value, section)
        )
    )


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_forms(hass: HomeAssistant, portal: Portal) -> None:
    """Each field of each form has a name, and there are no other names."""
    portal.lines.clear()  # so that the second form is shown
    start = hass.config_entries.flow.async_init
    user = await start(DOMAIN, context={"source": SOURCE_USER})
    reg_ids = await submit(hass, user["flow_id"], user_input(portal.webhook))
    entry = make_entry(portal)
    entry.add_to_hass(hass)
    reauth = await entry.start_reauth_flow(hass)
    reconfigure = await entry.start_reconfigure_flow(hass)
    options = await hass.config_entries.options.async_init(entry.entry_id)
    for flow, forms in (
        ("config", (user, reg_ids, reauth, reconfigure)),
        ("options", (options,)),
    ):
        assert {form["step_id"]: shown(form["data_schema"]) for form in forms} == {
            step_id: fields(step) for step_id, step in ENGLISH[flow]["step"].items()
        }


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_entities(hass: HomeAssistant, portal: Portal, set_up: SetUp) -> None:
    """Each entity has a name, and each option of a sensor has a text."""
    entry = await set_up(portal)
    entries = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert {(entity.domain, entity.translation_key) for entity in entries} == {
        (domain, key) for domain, names in ENGLISH["entity"].items() for key in names
    }
    for entity in entries:
        texts = ENGLISH["entity"][entity.domain][entity.translation_key]
        capabilities = entity.capabilities or {}
        if entity.domain == "binary_sensor":
            assert texts.get("state", {}).keys() in (set(), {"off", "on"})
        else:
            assert texts.get("state", {}).keys() == set(capabilities.get("options", ()))
        if entity.domain == "event":
            types = texts["state_attributes"]["event_type"]["state"]
            assert types.keys() == set(capabilities["event_types"])


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_attributes_of_the_events(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, poll: Poll
) -> None:
    """Each attribute that an event has by itself has its name."""
    entry = await set_up(portal)
    incident = er.async_get(hass).async_get_entity_id(
        "event", DOMAIN, f"{entry.entry_id}_incident"
    )
    assert incident
    entities = {
        "registration_change": "event.main_line_registration_change",
        "incident": incident,
    }
    attributes: dict[str, set[str]] = {key: set() for key in entities}
    switches: set[tuple[str, str]] = set()
    for change in (
        portal.lines[MAIN].drop,
        portal.lines[SALES].drop,
        portal.lines[MAIN].recover,
        portal.lines[SALES].recover,
    ):
        change()
        await poll(4)
        for key, entity_id in entities.items():
            state = hass.states.get(entity_id)
            assert state is not None
            attributes[key] |= state.attributes.keys()
            for name, value in state.attributes.items():
                if isinstance(value, bool):
                    switches.add((key, name))
    usual = {"event_types", "friendly_name"}
    events = ENGLISH["entity"]["event"]
    for key, found in attributes.items():
        assert events[key]["state_attributes"].keys() == found - usual
    # Without a text, the frontend shows "true" and "false".
    assert switches == {
        ("registration_change", "unstable"),
        ("incident", "acknowledged"),
    }
    for key, name in switches:
        texts = events[key]["state_attributes"][name]
        assert texts["state"] == {"false": "No", "true": "Yes"}
    # A status and a cause are the same in the events as in the sensors.
    texts = events["registration_change"]["state_attributes"]
    status = ENGLISH["entity"]["sensor"]["status"]
    assert texts["status"] == {key: status[key] for key in ("name", "state")}
    problem = ENGLISH["entity"]["sensor"]["problem"]
    assert {"none": "No problem", **texts["cause"]["state"]} == problem["state"]
    assert texts["cause"]["state"].keys() == set(Cause)
    for key, name in problem["state_attributes"].items():
        assert texts[key] == name
    assert events["incident"]["state_attributes"]["cause"] == texts["cause"]
    assert status["state_attributes"] == {"cause": texts["cause"]}


def test_devices() -> None:
    """A device without a name of its own has a translated name."""
    used = assigned(module("devices.py"), "device['translation_key']")
    assert ENGLISH["device"].keys() == used


def test_issues() -> None:
    """Each issue has its texts, and the fixable one those of its flow."""
    assert ENGLISH["issues"].keys() == issues._PAGES.keys()
    flows = {
        key: issue["fix_flow"]
        for key, issue in ENGLISH["issues"].items()
        if "fix_flow" in issue
    }
    assert flows.keys() == {issues.PORTAL_MOVED}
    flow, tree = flows[issues.PORTAL_MOVED], module("repairs.py")
    assert flow.keys() == {"abort", "error", "step"}
    assert flow["error"].keys() == {"unknown"}
    assert flow["step"].keys() == keyword(tree, "async_show_form", "step_id")
    assert flow["abort"].keys() == keyword(tree, "async_abort", "reason")


def test_services() -> None:
    """Each action and each of its fields have a name."""
    services = load_yaml_dict(FOLDER / "services.yaml")
    assert {name: {*action["fields"]} for name, action in services.items()} == {
        name: {*action["fields"]} for name, action in ENGLISH["services"].items()
    }


@pytest.mark.parametrize("section", ["conditions", "triggers"])
def test_triggers_and_conditions(section: str) -> None:
    """Each, and each of its fields, has its name."""
    described = load_yaml_dict(FOLDER / f"{section}.yaml")
    assert {
        name: {*item["fields"]}
        for name, item in described.items()
        if not name.startswith(".")
    } == {name: {*item["fields"]} for name, item in ENGLISH[section].items()}


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_system_health(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """Each figure of the system information has a name."""
    assert await async_setup_component(hass, "system_health", {})
    await set_up(portal)
    info = await get_system_health_info(hass, DOMAIN)
    assert ENGLISH["system_health"]["info"].keys() == info.keys()


def test_dashboard() -> None:
    """Each text that the dashboard strategy shows is there, and each option's name."""
    script = (FOLDER / "frontend" / "bitrix24-sip.js").read_text(encoding="utf-8")
    used = set(re.findall(r"\btexts\.(\w+)", script))
    options = set(re.findall(r"\boptions\.(\w+)", script))
    assert ENGLISH["config_panel"].keys() == {"dashboard"}
    assert ENGLISH["config_panel"]["dashboard"].keys() == (
        used | {f"option_{option}" for option in options}
    )


def test_nothing_else() -> None:
    """The tests above cover all sections."""
    assert ENGLISH.keys() == {
        *("conditions", "config", "config_panel", "device", "entity", "exceptions"),
        *("issues", "options", "services", "system_health", "triggers"),
    }
    assert ENGLISH["config"].keys() == {"abort", "error", "step"}
    assert ENGLISH["options"].keys() == {"error", "step"}
