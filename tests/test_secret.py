"""The webhook's secret is nowhere, with every fault, and with debug logging."""

import json
import logging

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    get_system_health_info,
)
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.bitrix24_sip.bitrix24 import Webhook
from custom_components.bitrix24_sip.const import CONF_WEBHOOK, DOMAIN
from custom_components.bitrix24_sip.services import GET_REGISTRATION_STATUS
from dev.outcomes import MATRIX
from dev.portal import DEFAULT_CODE, Portal
from dev.portal.faults import FAULTS, Body, ErrorReply, Fault, Redirect
from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component

from .conftest import Poll, SetUp

# A portal or a proxy that repeats the secret in its answer.
ECHOES: dict[str, Fault] = {
    "echo_code": ErrorReply(DEFAULT_CODE, DEFAULT_CODE, 400),
    "echo_part": ErrorReply(f"X_{DEFAULT_CODE[2:9]}", "", 400),
    "echo_page": Body(f"<html>/rest/1/{DEFAULT_CODE}/batch</html>", 502, "text/html"),
    "echo_host": Redirect(f"https://{DEFAULT_CODE}.example.com{{path}}"),
    "echo_location": Redirect("http://example.com{path}"),
}


@pytest.mark.parametrize("slug", [*MATRIX, *ECHOES])
async def test_secret_is_nowhere(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    poll: Poll,
    slug: str,
    caplog: pytest.LogCaptureFixture,
    hass_client: ClientSessionGenerator,
) -> None:
    """It is not in logs, exceptions, forms, registries, states, issues or diagnostics."""
    caplog.set_level(logging.DEBUG)
    for component in ("diagnostics", "system_health"):
        assert await async_setup_component(hass, component, {})
    fault = portal.fault(FAULTS.get(slug) or ECHOES[slug])
    shown: list[object] = []
    flow = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    entered = {CONF_WEBHOOK: portal.webhook, "advanced": {CONF_VERIFY_SSL: True}}
    form = await hass.config_entries.flow.async_configure(flow["flow_id"], entered)
    assert form["errors"]
    assert form["data_schema"]
    shown += [form["errors"], form["description_placeholders"]]
    shown += [
        str(marker.default())
        for marker in form["data_schema"].schema
        if callable(marker.default)
    ]
    hass.config_entries.flow.async_abort(flow["flow_id"])
    failing = await set_up(portal)
    shown += [failing.reason, failing.title]
    await hass.config_entries.async_remove(failing.entry_id)
    fault.clear()
    entry = await set_up(portal)
    portal.fault(FAULTS.get(slug) or ECHOES[slug])
    await poll(3)
    shown += [
        repr(entry.runtime_data.last_exception),
        str(entry.runtime_data.last_exception),
    ]
    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(
            DOMAIN,
            GET_REGISTRATION_STATUS,
            {ATTR_CONFIG_ENTRY_ID: entry.entry_id},
            blocking=True,
            return_response=True,
        )
    shown += [
        repr(caught.value),
        str(caught.value),
        caught.value.translation_placeholders,
    ]
    shown += await everything_shown(hass, entry, hass_client)
    shown += [await get_system_health_info(hass, DOMAIN)]
    text = "\n".join([caplog.text, *(str(t) for t in shown)])
    assert portal.host in text, "or the look finds nothing at all"
    assert not Webhook.parse(portal.webhook).leaks_into(text)


async def everything_shown(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> list[object]:
    """Return everything about an entry that a user can see."""
    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return [
        *(state.as_dict() for state in hass.states.async_all()),
        *(device.dict_repr for device in devices),
        *(entity.extended_dict for entity in entities),
        *(issue.to_json() for issue in ir.async_get(hass).issues.values()),
        *hass.config_entries.flow.async_progress(),
        json.dumps(diagnostics),
    ]
