"""The config flows and the options flow, on every path."""

import asyncio
from collections.abc import Generator
import ssl
from threading import Thread
from typing import Any
from unittest.mock import AsyncMock

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import trustme

from custom_components.bitrix24_sip.bitrix24 import Telephony, Webhook
from custom_components.bitrix24_sip.const import (
    CONF_FIND_LINES,
    CONF_GRACE_PERIOD,
    CONF_REG_IDS,
    CONF_WEBHOOK,
    DOMAIN,
)
from dev.portal import Portal
from dev.portal.faults import ErrorReply
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.const import CONF_SCAN_INTERVAL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .conftest import MAIN, SALES, SUPPORT, SetUp, make_entry, state_of

REGISTRATION = "binary_sensor.main_line_registration"


OPTIONS: dict[str, Any] = {
    CONF_SCAN_INTERVAL: "30 s",
    CONF_GRACE_PERIOD: "2 min",
    CONF_FIND_LINES: True,
    CONF_REG_IDS: "",
}


def user_input(webhook: str, *, verify_ssl: bool = True) -> dict[str, Any]:
    """Return the input of the first form."""
    return {CONF_WEBHOOK: webhook, "advanced": {CONF_VERIFY_SSL: verify_ssl}}


async def begin(hass: HomeAssistant) -> str:
    """Open the first form; return the flow's id."""
    form = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    assert form["errors"] == {}
    return form["flow_id"]


async def submit(hass: HomeAssistant, flow_id: str, entered: dict[str, Any]) -> Any:
    """Submit a form, and wait until its effects are done."""
    result = await hass.config_entries.flow.async_configure(flow_id, entered)
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


async def test_lines_are_found(hass: HomeAssistant, portal: Portal) -> None:
    """A webhook is enough: the entry is created at once, with its lines."""
    result = await submit(hass, await begin(hass), user_input(f"  {portal.webhook} "))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == portal.host
    assert result["data"] == {CONF_WEBHOOK: portal.webhook, CONF_VERIFY_SSL: True}
    assert result["options"] == {}
    assert result["result"].unique_id == portal.host
    assert result["result"].state is ConfigEntryState.LOADED
    assert state_of(hass, REGISTRATION) == "on"


async def test_validation_is_one_request(hass: HomeAssistant, portal: Portal) -> None:
    """The webhook is validated by one request, before the entry is created."""
    portal.scopes.discard("telephony")
    await submit(hass, await begin(hass), user_input(portal.webhook))
    assert len(portal.requests) == 1
    assert not hass.config_entries.async_entries(DOMAIN)


async def test_no_lines_found(hass: HomeAssistant, portal: Portal) -> None:
    """If the portal lists no line, the flow asks for REG_IDs and checks each."""
    for reg_id in (MAIN, SALES, SUPPORT):
        portal.lines[reg_id].listed = False
    flow_id = await begin(hass)
    form = await submit(hass, flow_id, user_input(portal.webhook))
    assert form["step_id"] == "reg_ids"
    for entered, error in (
        ("", "no_lines"),
        (" ,;\n", "no_lines"),
        ("x", "not_a_reg_id"),
        ("-1", "not_a_reg_id"),
        (f"{MAIN} 999999", "registration_not_found"),
    ):
        form = await submit(hass, flow_id, {CONF_REG_IDS: entered})
        assert form["errors"] == {CONF_REG_IDS: error}
    assert form["description_placeholders"]["reg_id"] == "999999"
    result = await submit(hass, flow_id, {CONF_REG_IDS: f"{SALES}, {MAIN} "})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["options"] == {CONF_REG_IDS: [MAIN, SALES]}
    assert state_of(hass, f"binary_sensor.sip_line_{MAIN}_registration") == "on"


async def test_portal_fails_while_reg_ids_are_checked(
    hass: HomeAssistant, portal: Portal
) -> None:
    """A fault of the portal is shown at the field, and the step can be repeated."""
    for line in portal.lines.values():
        line.listed = False
    flow_id = await begin(hass)
    await submit(hass, flow_id, user_input(portal.webhook))
    portal.revoke()
    form = await submit(hass, flow_id, {CONF_REG_IDS: str(MAIN)})
    assert form["errors"] == {CONF_REG_IDS: "invalid_webhook"}


@pytest.mark.parametrize(
    ("pasted", "error"),
    [
        ("nonsense text", "not_a_url"),
        ("ftp://acme.bitrix24.com/rest/1/abcdefghij012345/", "wrong_scheme"),
        ("https://acme bitrix24/rest/1/abcdefghij012345/", "wrong_host"),
        ("https://acme.bitrix24.com/rest/1/abcdefghij012345/a/b", "too_many_parts"),
        ("https://acme.bitrix24.com/company/", "not_a_webhook"),
        ("https://acme.bitrix24.com/rest/abcdefghij012345/", "no_user_id"),
        ("https://acme.bitrix24.com/rest/1/", "no_code"),
        ("https://me:pw@acme.bitrix24.com/rest/1/abcdefghij012345/", "user_info"),
        ("http://acme.bitrix24.com/rest/1/abcdefghij012345/", "insecure"),
    ],
)
async def test_not_a_webhook(
    hass: HomeAssistant, portal: Portal, pasted: str, error: str
) -> None:
    """Invalid input is refused with advice, and the step can be repeated."""
    flow_id = await begin(hass)
    form = await submit(hass, flow_id, user_input(pasted))
    assert form["errors"] == {CONF_WEBHOOK: error}
    result = await submit(hass, flow_id, user_input(portal.webhook))
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("switch", "value", "error"),
    [
        ("owner_active", False, "invalid_webhook"),
        # A portal may answer for a dismissed owner with an empty profile.
        ("empty_profile", True, "invalid_webhook"),
        # The list of scopes does not show that the permission is missing.
        ("permitted", False, "missing_permission"),
    ],
)
async def test_insufficient_webhook(
    hass: HomeAssistant, portal: Portal, switch: str, value: bool, error: str
) -> None:
    """A webhook without an owner or a permission is refused."""
    setattr(portal, switch, value)
    form = await submit(hass, await begin(hass), user_input(portal.webhook))
    assert form["errors"] == {CONF_WEBHOOK: error}


async def test_same_portal_twice(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """The same portal is refused, even with another webhook, and without a request."""
    requests = len(portal.requests)
    result = await submit(
        hass,
        await begin(hass),
        user_input(portal.webhook.replace("/rest/1/", "/rest/9/")),
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert len(portal.requests) == requests


async def test_reauthentication(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """A revoked webhook is replaced by a new one of the same portal only."""
    portal.revoke()
    await entry.runtime_data.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["step_id"] == "reauth_confirm"
    flow_id = flow["flow_id"]
    other = "https://other.bitrix24.com/rest/1/abcdefghij012345/"
    form = await submit(hass, flow_id, {CONF_WEBHOOK: other})
    assert form["errors"] == {CONF_WEBHOOK: "wrong_portal"}
    assert form["description_placeholders"]["other"] == "other.bitrix24.com"
    assert form["description_placeholders"]["portal"] == portal.host
    form = await submit(hass, flow_id, {CONF_WEBHOOK: "x y"})
    assert form["errors"] == {CONF_WEBHOOK: "not_a_url"}
    form = await submit(hass, flow_id, {CONF_WEBHOOK: portal.webhook})
    assert form["errors"] == {CONF_WEBHOOK: "invalid_webhook"}
    new = portal.new_webhook()
    result = await submit(hass, flow_id, {CONF_WEBHOOK: new})
    assert result["reason"] == "reauth_successful"
    assert entry.data[CONF_WEBHOOK] == new
    assert state_of(hass, REGISTRATION) == "on"


async def reconfigure(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    """Open the form that changes a connection; return the flow's id."""
    form = await entry.start_reconfigure_flow(hass)
    assert form["step_id"] == "reconfigure"
    return form["flow_id"]


async def test_reconfigure_webhook(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """A new webhook of the same portal is accepted after validation."""
    flow_id = await reconfigure(hass, entry)
    form = await submit(hass, flow_id, user_input("nonsense text"))
    assert form["errors"] == {CONF_WEBHOOK: "not_a_url"}
    new = portal.new_webhook()
    form = await submit(hass, flow_id, user_input(new[:-3] + "xy/"))
    assert form["errors"] == {CONF_WEBHOOK: "invalid_webhook"}
    result = await submit(hass, flow_id, user_input(new))
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {CONF_WEBHOOK: new, CONF_VERIFY_SSL: True}


async def test_reconfigure_tls_only(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """The certificate check can be changed without pasting the webhook again."""
    result = await submit(
        hass, await reconfigure(hass, entry), {"advanced": {CONF_VERIFY_SSL: False}}
    )
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {CONF_WEBHOOK: portal.webhook, CONF_VERIFY_SSL: False}
    assert state_of(hass, REGISTRATION) == "on"


async def test_portal_was_renamed(
    hass: HomeAssistant, portal: Portal, other_portal: Portal, entry: MockConfigEntry
) -> None:
    """A new host with a monitored line is the same portal: entities and devices stay."""
    before = {
        (e.entity_id, e.unique_id)
        for e in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    }
    other_portal.add_line(SALES, "Sales")
    other_portal.add_line(SUPPORT, "Support")
    result = await submit(
        hass, await reconfigure(hass, entry), user_input(other_portal.webhook)
    )
    assert result["reason"] == "reconfigure_successful"
    assert entry.title == other_portal.host
    assert entry.unique_id == other_portal.host
    after = {
        (e.entity_id, e.unique_id)
        for e in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    }
    assert after == before
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, entry.entry_id), entry.entry_id
    )
    assert device
    assert device.configuration_url == f"{other_portal.url}/telephony/"


async def test_portal_was_renamed_and_lists_nothing(
    hass: HomeAssistant, portal: Portal, other_portal: Portal, entry: MockConfigEntry
) -> None:
    """A line that the new host does not list is requested; custom names stay."""
    hass.config_entries.async_update_entry(entry, title="Head office")
    other_portal.lines[MAIN].listed = False
    result = await submit(
        hass, await reconfigure(hass, entry), user_input(other_portal.webhook)
    )
    assert result["reason"] == "reconfigure_successful"
    assert entry.title == "Head office"


async def test_other_portal(
    hass: HomeAssistant, portal: Portal, other_portal: Portal, entry: MockConfigEntry
) -> None:
    """A host that has none of the lines is another portal, and is refused by name."""
    other_portal.remove_line(MAIN)
    flow_id = await reconfigure(hass, entry)
    form = await submit(hass, flow_id, user_input(other_portal.webhook))
    assert form["errors"] == {CONF_WEBHOOK: "other_portal"}
    assert form["description_placeholders"]["other"] == other_portal.host
    other_portal.fault(
        ErrorReply("ACCESS_DENIED", "Access denied!", 403),
        method="voximplant.sip.status",
    )
    form = await submit(hass, flow_id, user_input(other_portal.webhook))
    assert form["errors"] == {CONF_WEBHOOK: "other_portal"}
    assert entry.data[CONF_WEBHOOK] == portal.webhook


async def test_reconfigure_to_another_entrys_portal(
    hass: HomeAssistant,
    portal: Portal,
    other_portal: Portal,
    entry: MockConfigEntry,
) -> None:
    """A portal that has an entry of its own is refused."""
    make_entry(other_portal).add_to_hass(hass)
    result = await submit(
        hass, await reconfigure(hass, entry), user_input(other_portal.webhook)
    )
    assert result["reason"] == "already_configured"


async def test_options(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry
) -> None:
    """Options are checked, stored as numbers, and take effect without a restart."""
    portal.add_line(201009, "Hidden").listed = False
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert form["step_id"] == "init"
    entered = {
        CONF_SCAN_INTERVAL: "45",
        CONF_GRACE_PERIOD: "0",
        CONF_FIND_LINES: True,
        CONF_REG_IDS: "999999",
    }
    configure = hass.config_entries.options.async_configure
    form = await configure(form["flow_id"], entered)
    assert form["errors"] == {CONF_REG_IDS: "registration_not_found"}
    form = await configure(form["flow_id"], entered | {CONF_REG_IDS: "line"})
    assert form["errors"] == {CONF_REG_IDS: "not_a_reg_id"}
    form = await configure(
        form["flow_id"], entered | {CONF_REG_IDS: "", CONF_FIND_LINES: False}
    )
    assert form["errors"] == {CONF_REG_IDS: "no_lines"}
    result = await configure(form["flow_id"], entered | {CONF_REG_IDS: "201009"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.options == {
        CONF_SCAN_INTERVAL: 45,
        CONF_GRACE_PERIOD: 0,
        CONF_FIND_LINES: True,
        CONF_REG_IDS: [201009],
    }
    assert state_of(hass, "binary_sensor.sip_line_201009_registration") == "on"
    assert entry.runtime_data.update_interval.total_seconds() == pytest.approx(
        45, abs=1
    )
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert suggested(form) == {
        CONF_SCAN_INTERVAL: "45 s",
        CONF_GRACE_PERIOD: "0 s",
        CONF_FIND_LINES: True,
        CONF_REG_IDS: "201009",
    }


async def change_options(
    hass: HomeAssistant, entry: MockConfigEntry, **entered: Any
) -> Any:
    """Submit the form of the options; return what follows."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    result = await hass.config_entries.options.async_configure(
        form["flow_id"], OPTIONS | entered
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


def suggested(form: Any) -> dict[str, Any]:
    """Return the suggested values of a form's fields."""
    return {
        str(marker): (marker.description or {}).get("suggested_value")
        for marker in form["data_schema"].schema
    }


@pytest.mark.parametrize(
    "interval",
    ["14 s", "3601", "2 h", "", "half a minute", "-30", "30.5", "60 min 1", "1 d"],
)
async def test_invalid_intervals(
    hass: HomeAssistant, entry: MockConfigEntry, interval: str
) -> None:
    """Invalid, too short and too long intervals are refused; other input stays."""
    entered = {
        CONF_SCAN_INTERVAL: interval,
        CONF_GRACE_PERIOD: "3601",
        CONF_FIND_LINES: False,
        CONF_REG_IDS: str(MAIN),
    }
    form = await change_options(hass, entry, **entered)
    assert form["errors"] == {
        CONF_SCAN_INTERVAL: "not_a_scan_interval",
        CONF_GRACE_PERIOD: "not_a_grace_period",
    }
    assert suggested(form) == entered


@pytest.mark.parametrize(
    ("interval", "grace", "seconds", "shown"),
    [
        ("15", "3600", (15, 3600), ("15 s", "1 h")),
        ("1 h", "0 s", (3600, 0), ("1 h", "0 s")),
        (" 90s ", "3min", (90, 180), ("90 s", "3 min")),
        ("60 min", "59 min", (3600, 3540), ("1 h", "59 min")),
    ],
)
async def test_custom_durations(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    interval: str,
    grace: str,
    seconds: tuple[int, int],
    shown: tuple[str, str],
) -> None:
    """They are entered with or without a unit, and shown with the largest unit."""
    result = await change_options(
        hass, entry, scan_interval=interval, grace_period=grace
    )
    stored = result["data"]
    assert (stored[CONF_SCAN_INTERVAL], stored[CONF_GRACE_PERIOD]) == seconds
    fields = suggested(await hass.config_entries.options.async_init(entry.entry_id))
    assert (fields[CONF_SCAN_INTERVAL], fields[CONF_GRACE_PERIOD]) == shown


async def test_durations_to_choose_from(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Usual durations can be chosen, the defaults among them."""
    form: Any = await hass.config_entries.options.async_init(entry.entry_id)
    schema = {
        str(marker): (marker, field)
        for marker, field in form["data_schema"].schema.items()
    }
    marker, field = schema[CONF_SCAN_INTERVAL]
    usual = ["30 s", "1 min", "2 min", "5 min", "10 min", "30 min"]
    assert field.config["options"] == ["15 s", *usual, "1 h"]
    assert marker.default() == "30 s"
    marker, field = schema[CONF_GRACE_PERIOD]
    assert field.config["options"] == ["0 s", *usual]
    assert marker.default() == "2 min"


@pytest.mark.parametrize(
    "pasted",
    [
        f"{MAIN}, {SALES}",
        f"{MAIN},{SALES};{SUPPORT}",
        f"{MAIN} {SALES}",
        f"{MAIN}\n{SALES}\t {SUPPORT} ",
        f"{MAIN}\r\n{SALES}\r\n",
        f" {MAIN} ,;{SALES};{MAIN}",
        f"{MAIN}\u00a0{SALES}",
    ],
)
async def test_reg_ids_that_are_pasted_together(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, pasted: str
) -> None:
    """They are split at commas, semicolons and white space."""
    result = await change_options(hass, entry, find_lines=False, reg_ids=pasted)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    expected = [r for r in (MAIN, SALES, SUPPORT) if str(r) in pasted]
    assert result["data"][CONF_REG_IDS] == expected
    await hass.async_block_till_done(wait_background_tasks=True)
    shown = suggested(await hass.config_entries.options.async_init(entry.entry_id))
    assert shown[CONF_REG_IDS] == ", ".join(str(reg_id) for reg_id in expected)


async def test_options_while_the_portal_is_down(
    hass: HomeAssistant, portal: Portal, set_up: SetUp
) -> None:
    """Existing REG_IDs are not checked again, so other options can change."""
    entry = await set_up(portal, reg_ids=[MAIN])
    portal.revoke()
    result = await change_options(
        hass, entry, scan_interval="60", find_lines=False, reg_ids=str(MAIN)
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_secret_is_not_in_forms(hass: HomeAssistant, portal: Portal) -> None:
    """A form with an error does not repeat the webhook."""
    portal.permitted = False
    form = await submit(hass, await begin(hass), user_input(portal.webhook))
    assert form["errors"]
    fields = [
        (str(marker), marker.description, getattr(marker, "default", None))
        for marker in form["data_schema"].schema
    ]
    shown = repr({**form, "data_schema": fields})
    assert CONF_WEBHOOK in shown
    assert not Webhook.parse(portal.webhook).leaks_into(shown)


def section_of(form: Any) -> tuple[bool, bool]:
    """Return whether the advanced section is open, and its switch for the certificate."""
    [section] = [
        field
        for marker, field in form["data_schema"].schema.items()
        if marker == "advanced"
    ]
    return not section.options["collapsed"], section.schema({})[CONF_VERIFY_SSL]


async def test_the_certificate_check_stays_after_an_error(
    hass: HomeAssistant, portal: Portal, other_portal: Portal, entry: MockConfigEntry
) -> None:
    """The section is open if the check is off, also in the reconfiguration."""
    portal.permitted = other_portal.permitted = False
    flow_id = await begin(hass)
    webhook = other_portal.webhook
    form = await submit(hass, flow_id, user_input(webhook, verify_ssl=False))
    assert form["errors"] == {CONF_WEBHOOK: "missing_permission"}
    assert section_of(form) == (True, False)
    form = await submit(hass, flow_id, user_input(webhook))
    assert section_of(form) == (False, True)
    flow_id = await reconfigure(hass, entry)
    form = await submit(hass, flow_id, {"advanced": {CONF_VERIFY_SSL: False}})
    assert form["errors"] == {CONF_WEBHOOK: "missing_permission"}
    assert section_of(form) == (True, False)
    portal.permitted = True
    await submit(hass, flow_id, {"advanced": {CONF_VERIFY_SSL: False}})
    form = await entry.start_reconfigure_flow(hass)
    assert section_of(form) == (True, False)


@pytest.fixture
def secure_portal(socket_enabled: None) -> Generator[Portal]:
    """Provide a portal with an untrusted certificate.

    It has its own event loop, because a refused handshake is an error there.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    portal = Portal()
    portal.add_line(MAIN, "Main line")
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    thread = Thread(target=loop.run_forever)
    thread.start()
    start = portal.start(ssl_context=context)
    asyncio.run_coroutine_threadsafe(start, loop).result()
    yield portal
    asyncio.run_coroutine_threadsafe(portal.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_certificate(hass: HomeAssistant, secure_portal: Portal) -> None:
    """A self-signed certificate is refused, unless the check is turned off."""
    flow_id = await begin(hass)
    form = await submit(hass, flow_id, user_input(secure_portal.webhook))
    assert form["errors"] == {CONF_WEBHOOK: "insecure_connection"}
    assert section_of(form) == (True, True), "here it can be turned off"
    assert not secure_portal.requests
    result = await submit(
        hass, flow_id, user_input(secure_portal.webhook, verify_ssl=False)
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert state_of(hass, REGISTRATION) == "on"


@pytest.mark.parametrize("verify_ssl", [True, False])
async def test_certificate_of_an_entry(
    hass: HomeAssistant, secure_portal: Portal, verify_ssl: bool
) -> None:
    """The entry's polls use the chosen setting."""
    entry = make_entry(secure_portal)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_VERIFY_SSL: verify_ssl}
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    if verify_ssl:
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert "certificate" in (entry.reason or "")
        assert not secure_portal.requests
    else:
        assert entry.state is ConfigEntryState.LOADED
        assert state_of(hass, REGISTRATION) == "on"


async def test_portal_without_lines_is_renamed(
    hass: HomeAssistant, portal: Portal, other_portal: Portal, set_up: SetUp
) -> None:
    """Without monitored lines, the new host cannot be compared and is accepted."""
    portal.lines.clear()
    entry = await set_up(portal)
    result = await submit(
        hass, await reconfigure(hass, entry), user_input(other_portal.webhook)
    )
    assert result["reason"] == "reconfigure_successful"
    assert entry.unique_id == other_portal.host


@pytest.mark.parametrize(
    "where", ["user", "reg_ids", "reauth", "reconfigure", "options"]
)
async def test_an_unexpected_exception(
    hass: HomeAssistant,
    portal: Portal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
) -> None:
    """The form shows an error, the log has no webhook, and the flow goes on."""
    entry = make_entry(portal)
    configure = hass.config_entries.flow.async_configure
    webhook = {CONF_WEBHOOK: portal.webhook}
    advanced = {"advanced": {CONF_VERIFY_SSL: True}}
    entered: dict[str, Any] = webhook | advanced
    if where == "reg_ids":
        for line in portal.lines.values():
            line.listed = False
        flow_id = await begin(hass)
        await submit(hass, flow_id, entered)
        entered = {CONF_REG_IDS: str(MAIN)}
    elif where == "user":
        flow_id = await begin(hass)
    else:
        entry.add_to_hass(hass)
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    if where == "reauth":
        entered = webhook
        flow_id = (await entry.start_reauth_flow(hass))["flow_id"]
    elif where == "reconfigure":
        flow_id = await reconfigure(hass, entry)
    elif where == "options":
        configure = hass.config_entries.options.async_configure
        form = await hass.config_entries.options.async_init(entry.entry_id)
        flow_id = form["flow_id"]
        entered = OPTIONS | {CONF_REG_IDS: str(MAIN)}

    caplog.clear()
    for text, details in (("it broke", True), (f"no {portal.webhook}", False)):
        with monkeypatch.context() as patch:
            for method in ("validate_webhook", "ask_now"):
                patch.setattr(Telephony, method, AsyncMock(side_effect=KeyError(text)))
            form = await configure(flow_id, entered)
        assert form["type"] is FlowResultType.FORM
        assert form["errors"] == {"base": "unknown"}
        assert ("it broke" in caplog.text) is details
        assert ("details hidden" in caplog.text) is not details
        assert not Webhook.parse(portal.webhook).leaks_into(caplog.text)
        caplog.clear()
    result = await configure(flow_id, entered)
    assert result["type"] in (FlowResultType.CREATE_ENTRY, FlowResultType.ABORT)
    await hass.async_block_till_done(wait_background_tasks=True)
