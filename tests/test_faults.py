"""Each fault in the flow, during setup, during a poll, and inside a batch."""

import json
import logging

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.bitrix24_sip.const import CONF_WEBHOOK, DOMAIN
from dev.outcomes import AT_ONCE, GRACE_PERIOD, MATRIX, REAUTH
from dev.portal import MISSING, Portal
from dev.portal.faults import FAULTS, Endless, Hang, Huge, Result
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntryState
from homeassistant.const import CONF_VERIFY_SSL, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant

from .conftest import MAIN, Poll, SetUp, portal_entity, state_of

STATUS = "voximplant.sip.status"
REGISTRATION = "binary_sensor.main_line_registration"
COMMANDS = [slug for slug, row in MATRIX.items() if row.command]
# The seconds that a fault asks to wait; from 2026.11 on, setup honours them.
WAITS = {"retry_after": 301, "maintenance": 601}
NOT_KNOWN = {GRACE_PERIOD: "on", AT_ONCE: STATE_UNAVAILABLE, REAUTH: STATE_UNAVAILABLE}


def assert_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Assert that no error and no stack trace is in the log."""
    for record in caplog.records:
        if "custom_components" in record.name or "homeassistant" in record.name:
            assert record.levelno < logging.ERROR, record.getMessage()
            assert record.levelno < logging.INFO or not record.exc_info


def requests_reauthentication(hass: HomeAssistant) -> bool:
    """Return whether a reauthentication flow is in progress."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return any(flow["context"]["source"] == SOURCE_REAUTH for flow in flows)


def test_every_fault_is_in_the_table() -> None:
    """Every fault of the simulated portal has its expected outcome."""
    assert MATRIX.keys() ^ FAULTS.keys() == set()
    assert len(MATRIX) >= 30


@pytest.mark.parametrize("slug", MATRIX)
async def test_flow(hass: HomeAssistant, portal: Portal, slug: str) -> None:
    """The flow shows the error, and goes on when the fault has ended."""
    fault = portal.fault(FAULTS[slug])
    form = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    entered = {CONF_WEBHOOK: portal.webhook, "advanced": {CONF_VERIFY_SSL: True}}
    configure = hass.config_entries.flow.async_configure
    form = await configure(form["flow_id"], entered)
    assert form["errors"] == {CONF_WEBHOOK: MATRIX[slug].reason}
    assert not hass.config_entries.async_entries(DOMAIN)
    fault.clear()
    result = await configure(form["flow_id"], entered)
    assert result["type"] == "create_entry"
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize("slug", MATRIX)
async def test_set_up(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    wait: Poll,
    slug: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Setup is retried, or starts reauthentication."""
    fault = portal.fault(FAULTS[slug])
    entry = await set_up(portal)
    reauth = MATRIX[slug].poll == REAUTH
    assert requests_reauthentication(hass) is reauth
    if reauth:
        assert entry.state is ConfigEntryState.SETUP_ERROR
        return
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert_quiet(caplog)
    fault.clear()
    await wait(WAITS.get(slug, 10))
    assert state_of(hass, REGISTRATION) == "on"


@pytest.mark.parametrize("slug", MATRIX)
async def test_poll(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    wait: Poll,
    slug: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The portal's sensor shows the fault at once, the lines as the table says."""
    caplog.clear()
    fault = portal.fault(FAULTS[slug])
    await poll()
    row = MATRIX[slug]
    assert portal_entity(hass, entry, "portal") == "off"
    assert state_of(hass, REGISTRATION) == NOT_KNOWN[row.poll]
    assert requests_reauthentication(hass) is (row.poll == REAUTH)
    assert entry.runtime_data.last_exception.translation_key == row.reason
    assert_quiet(caplog)
    await wait(121)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    for key in ("lines", "registered_lines"):
        assert portal_entity(hass, entry, key) == STATE_UNAVAILABLE
    fault.clear()
    if row.poll != REAUTH:
        await wait(3601)
        assert state_of(hass, REGISTRATION) == "on"
        assert portal_entity(hass, entry, "portal") == "on"
    assert_quiet(caplog)


@pytest.mark.parametrize("slug", COMMANDS)
async def test_command(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    poll: Poll,
    wait: Poll,
    slug: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Inside a batch the fault affects the lines of the failed commands only."""
    caplog.clear()
    row = MATRIX[slug]
    assert row.command
    fault = portal.fault(FAULTS[slug], method=STATUS, reg_id=MAIN)
    await poll()
    assert portal_entity(hass, entry, "portal") == "on"
    assert state_of(hass, REGISTRATION) == NOT_KNOWN[row.command]
    assert state_of(hass, "binary_sensor.sales_registration") == "on"
    await wait(121)
    assert state_of(hass, REGISTRATION) == STATE_UNAVAILABLE
    assert state_of(hass, "binary_sensor.sales_registration") == "on"
    fault.clear()
    await poll(2)
    assert state_of(hass, REGISTRATION) == "on"
    assert_quiet(caplog)


@pytest.mark.parametrize("fault", [Hang(), Endless(), Huge(500 * 1024 * 1024)])
async def test_faults_that_take_time(
    hass: HomeAssistant,
    portal: Portal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Hang | Endless | Huge,
) -> None:
    """A poll of a portal that hangs or never stops sending ends at its time limit."""
    monkeypatch.setattr(
        "custom_components.bitrix24_sip.bitrix24.client.REQUEST_SECONDS", 2.0
    )
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="acme",
        data={CONF_WEBHOOK: portal.webhook, CONF_VERIFY_SSL: True},
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    switched_on = portal.fault(fault)
    await entry.runtime_data.async_refresh()
    assert portal_entity(hass, entry, "portal") == "off"
    assert state_of(hass, REGISTRATION) == "on"
    switched_on.clear()
    await entry.runtime_data.async_refresh()
    assert portal_entity(hass, entry, "portal") == "on"
    assert_quiet(caplog)


TITLES = {
    "long": ("x" * 5000, "x" * 99 + "…"),
    "html": ("<b>Main</b> & 'line'", "<b>Main</b> & 'line'"),
    "control": ("Main\x00\x1b[31m\nline", "Main [31m line"),
    "braces": ("{line} {{ states }} %s", "{line} {{ states }} %s"),
    "emoji": ("☎️ Главная 😀", "☎️ Главная 😀"),
    "twice": ("Sales", f"Sales ({MAIN})"),
}


@pytest.mark.parametrize("slug", TITLES)
async def test_titles(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, slug: str
) -> None:
    """Titles are cleaned and truncated."""
    title, shown = TITLES[slug]
    portal.lines[MAIN].title = title
    entry = await set_up(portal)
    state = entry.runtime_data.data.lines[MAIN]
    assert state.line.title == shown
    assert len(hass.states.async_entity_ids("binary_sensor")) == 3 + 3
    assert portal_entity(hass, entry, "registered_lines") == "3"


@pytest.mark.parametrize(
    ("raw", "registration", "entity", "value"),
    [
        ({"ERROR_MESSAGE": "x" * 10_000}, "on", "error_message", "x" * 254 + "…"),
        ({"ERROR_MESSAGE": None}, "on", "error_message", ""),
        ({"STATUS_CODE": 10**40}, "on", "status_code", "unknown"),
        ({"STATUS_CODE": "200"}, "on", "status_code", "200"),
        ({"LAST_UPDATED": "yesterday"}, "on", "last_updated", "unknown"),
        ({"LAST_UPDATED": []}, "on", "last_updated", "unknown"),
        ({"STATUS_RESULT": "error", "STATUS_CODE": 10**40}, "off", "problem", "other"),
        ({"STATUS_RESULT": "ok"}, "unknown", "status", "unknown"),
        ({"STATUS_RESULT": MISSING}, "unavailable", "status", "unavailable"),
        ({"STATUS_RESULT": 1}, "unavailable", "status", "unavailable"),
        ({"REG_ID": 7}, "unavailable", "status", "unavailable"),
        ({"REG_ID": MISSING}, "on", "status", "success"),
    ],
)
@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_fields(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    raw: dict[str, object],
    registration: str,
    entity: str,
    value: str,
) -> None:
    """A malformed field is unknown, and does not affect other lines."""
    portal.lines[MAIN].raw = raw
    await set_up(portal)
    assert state_of(hass, REGISTRATION) == registration
    assert state_of(hass, f"sensor.main_line_{entity}") == value
    assert state_of(hass, "binary_sensor.sales_registration") == "on"


async def test_keys_of_the_list(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """Only keys of `reg` and a positive number are lines."""
    keys = ("reg", "regabc", "reg-5", "reg0", "sip7", "74951230000", f"reg{MAIN}")
    portal.fault(Result(dict.fromkeys(keys, "Main line")), method="voximplant.line.get")
    entry = await set_up(portal)
    assert list(entry.runtime_data.data.lines) == [MAIN]
    assert json.dumps(hass.states.async_entity_ids()).count("main_line_problem") == 1
