"""The config flows to add, reauthenticate and reconfigure a portal, and its options."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import (
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlowWithReload,
)
from homeassistant.const import CONF_SCAN_INTERVAL, CONF_VERIFY_SSL
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

if TYPE_CHECKING:
    # What Home Assistant has under the name of voluptuous since 2026.9.
    import probatio as vol
else:
    import voluptuous as vol

from .bitrix24 import Bitrix24Error, SipRegistration, Telephony, Webhook
from .connection import async_open_telephony
from .const import (
    CONF_FIND_LINES,
    CONF_GRACE_PERIOD,
    CONF_REG_IDS,
    CONF_WEBHOOK,
    DEFAULT_GRACE_PERIOD,
    DEFAULT_SCAN_INTERVAL,
    DOMAIN,
    MAX_GRACE_PERIOD,
    MAX_SCAN_INTERVAL,
    MIN_SCAN_INTERVAL,
)
from .coordinator import Bitrix24SipConfigEntry
from .devices import reg_id_of
from .forms import Form, duration
from .options import Options

_ADVANCED = "advanced"
_EXAMPLE = "https://example.bitrix24.com/rest/1/abcdefghij012345/"

_WEBHOOK_SELECTOR = TextSelector(
    # Hidden, and not saved by the browser: the webhook grants the user's permissions.
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
)
# One text field for several REG_IDs; `Form.reg_ids` splits the text.
_REG_IDS_SELECTOR = TextSelector(TextSelectorConfig(multiline=True))


def _advanced(
    user_input: Mapping[str, Any] | None, form: Form, *, verify_ssl: bool = True
) -> dict[vol.Marker, Any]:
    """Return the section of advanced settings, with their present values.

    It is open if the certificate check is off or has failed.
    """
    if user_input:
        verify_ssl = user_input[_ADVANCED][CONF_VERIFY_SSL]
    fields = vol.Schema(
        {vol.Required(CONF_VERIFY_SSL, default=verify_ssl): BooleanSelector()}
    )
    failed = "insecure_connection" in form.errors.values()
    collapsed = verify_ssl and not failed
    return {vol.Required(_ADVANCED): section(fields, {"collapsed": collapsed})}


def _durations(*seconds: int) -> SelectSelector:
    """Return a selector of durations that also accepts other ones.

    The options are not translated: their units are the same in all languages.
    """
    return SelectSelector(
        SelectSelectorConfig(
            options=[duration(value) for value in seconds],
            custom_value=True,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )


_REAUTH_SCHEMA = vol.Schema({vol.Required(CONF_WEBHOOK): _WEBHOOK_SELECTOR})
_REG_IDS_SCHEMA = vol.Schema({vol.Required(CONF_REG_IDS): _REG_IDS_SELECTOR})
_OPTIONS_SCHEMA = vol.Schema(
    {
        vol.Required(
            CONF_SCAN_INTERVAL, default=duration(DEFAULT_SCAN_INTERVAL)
        ): _durations(15, 30, 60, 120, 300, 600, 1800, 3600),
        vol.Required(
            CONF_GRACE_PERIOD, default=duration(DEFAULT_GRACE_PERIOD)
        ): _durations(0, 30, 60, 120, 300, 600, 1800),
        vol.Required(CONF_FIND_LINES, default=True): BooleanSelector(),
        vol.Optional(CONF_REG_IDS, default=""): _REG_IDS_SELECTOR,
    }
)


class Bitrix24SipConfigFlow(ConfigFlow, domain=DOMAIN):
    """The flows to add, reauthenticate and reconfigure a portal."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Start without a webhook."""
        self._webhook: Webhook | None = None
        self._verify_ssl = True

    @staticmethod
    @callback
    @override
    def async_get_options_flow(
        config_entry: Bitrix24SipConfigEntry,
    ) -> Bitrix24SipOptionsFlow:
        """Return the flow for the options."""
        return Bitrix24SipOptionsFlow()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a webhook, and validate it before the entry is created."""
        form = Form(example=_EXAMPLE)
        if user_input:
            with form.fail_safe():
                if result := await self._connect(form, user_input):
                    return result
        return self.async_show_form(
            step_id="user",
            data_schema=vol.Schema(
                {
                    vol.Required(CONF_WEBHOOK): _WEBHOOK_SELECTOR,
                    **_advanced(user_input, form),
                }
            ),
            errors=form.errors,
            description_placeholders=form.placeholders,
        )

    async def _connect(
        self, form: Form, user_input: dict[str, Any]
    ) -> ConfigFlowResult | None:
        """Validate a webhook; return the next step, None with an error on the form."""
        if (webhook := form.webhook(user_input[CONF_WEBHOOK])) is None:
            return None
        await self.async_set_unique_id(webhook.portal)
        self._abort_if_unique_id_configured()
        self._webhook = webhook
        self._verify_ssl = user_input[_ADVANCED][CONF_VERIFY_SSL]
        async with self._telephony() as telephony:
            lines = await form.lines(telephony)
        if lines is None:
            return None
        return self._create({}) if lines else await self.async_step_reg_ids()

    async def async_step_reg_ids(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for REG_IDs if the portal lists no line."""
        assert self._webhook
        form = Form(portal=self._webhook.host)
        if user_input:
            with form.fail_safe():
                async with self._telephony() as telephony:
                    reg_ids = await form.reg_ids(
                        telephony, user_input[CONF_REG_IDS], frozenset()
                    )
                if not form.errors and not reg_ids:
                    form.fail(CONF_REG_IDS, "no_lines")
                if not form.errors:
                    return self._create({CONF_REG_IDS: reg_ids})
        return self.async_show_form(
            step_id="reg_ids",
            data_schema=self.add_suggested_values_to_schema(
                _REG_IDS_SCHEMA, user_input
            ),
            errors=form.errors,
            description_placeholders=form.placeholders,
        )

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Start to replace a webhook that the portal no longer accepts."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a new webhook of the same portal."""
        entry = self._get_reauth_entry()
        old = Webhook.parse(entry.data[CONF_WEBHOOK])
        form = Form(portal=old.host, example=_EXAMPLE)
        if user_input:
            with form.fail_safe():
                webhook = form.webhook(user_input[CONF_WEBHOOK])
                if webhook and webhook.portal != old.portal:
                    form.fail(CONF_WEBHOOK, "wrong_portal", other=webhook.host)
                elif webhook:
                    self._webhook = webhook
                    self._verify_ssl = entry.data[CONF_VERIFY_SSL]
                    async with self._telephony() as telephony:
                        lines = await form.lines(telephony)
                    if lines is not None:
                        return self.async_update_reload_and_abort(
                            entry, data_updates={CONF_WEBHOOK: webhook.url}
                        )
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=_REAUTH_SCHEMA,
            errors=form.errors,
            description_placeholders=form.placeholders,
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a new webhook, also of a new address, and the certificate check."""
        entry = self._get_reconfigure_entry()
        old = Webhook.parse(entry.data[CONF_WEBHOOK])
        form = Form(portal=old.host, example=_EXAMPLE)
        if user_input is not None:
            with form.fail_safe():
                text = user_input.get(CONF_WEBHOOK) or old.url
                if webhook := form.webhook(text):
                    self._webhook = webhook
                    self._verify_ssl = user_input[_ADVANCED][CONF_VERIFY_SSL]
                    if self._is_other_entrys(webhook):
                        return self.async_abort(reason="already_configured")
                    if await self._is_same_portal(form, old):
                        return self._moved(old, webhook)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=vol.Schema(
                {
                    vol.Optional(CONF_WEBHOOK): _WEBHOOK_SELECTOR,
                    **_advanced(
                        user_input, form, verify_ssl=entry.data[CONF_VERIFY_SSL]
                    ),
                }
            ),
            errors=form.errors,
            description_placeholders=form.placeholders,
        )

    def _is_other_entrys(self, webhook: Webhook) -> bool:
        """Return whether another entry has this portal."""
        return any(
            other.unique_id == webhook.portal
            for other in self._async_current_entries(include_ignore=False)
            if other.entry_id != self._get_reconfigure_entry().entry_id
        )

    async def _is_same_portal(self, form: Form, old: Webhook) -> bool:
        """Return whether the webhook is valid, and belongs to the monitored portal.

        A new address is that of the same portal if it has a monitored line, or if no
        line is monitored.
        """
        assert self._webhook
        async with self._telephony() as telephony:
            lines = await form.lines(telephony)
            if lines is None:
                return False
            monitored = self._monitored()
            if (
                self._webhook.portal == old.portal
                or not monitored
                or not lines.keys().isdisjoint(monitored)
            ):
                return True
            try:
                answers = await telephony.ask_now(sorted(monitored))
            except Bitrix24Error:
                answers = {}
        if any(isinstance(answer, SipRegistration) for answer in answers.values()):
            return True
        form.fail(CONF_WEBHOOK, "other_portal", other=self._webhook.host)
        return False

    def _monitored(self) -> set[int]:
        """Return the REG_IDs that the entry being reconfigured monitors."""
        entry = self._get_reconfigure_entry()
        devices = dr.async_entries_for_config_entry(
            dr.async_get(self.hass), entry.entry_id
        )
        found = {reg_id_of(device, entry.entry_id) for device in devices}
        return {r for r in found if r} | {*Options.of(entry.options).reg_ids}

    def _moved(self, old: Webhook, webhook: Webhook) -> ConfigFlowResult:
        """Store the webhook; title and unique ID change with the address."""
        entry = self._get_reconfigure_entry()
        renamed = entry.title == old.host
        return self.async_update_reload_and_abort(
            entry,
            unique_id=webhook.portal,
            title=webhook.host if renamed else entry.title,
            data_updates=self._data(),
        )

    def _telephony(self) -> AbstractAsyncContextManager[Telephony]:
        """Return the telephony of the entered portal, for an `async with`."""
        assert self._webhook
        return async_open_telephony(self.hass, self._webhook, self._verify_ssl)

    def _data(self) -> dict[str, Any]:
        """Return what the entry stores."""
        assert self._webhook
        return {CONF_WEBHOOK: self._webhook.url, CONF_VERIFY_SSL: self._verify_ssl}

    def _create(self, options: dict[str, Any]) -> ConfigFlowResult:
        """Create the entry."""
        assert self._webhook
        return self.async_create_entry(
            title=self._webhook.host, data=self._data(), options=options
        )


class Bitrix24SipOptionsFlow(OptionsFlowWithReload):
    """The options: polling interval, grace period, and lines."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the options; check new REG_IDs on the portal."""
        entry = self.config_entry
        webhook = Webhook.parse(entry.data[CONF_WEBHOOK])
        form = Form(portal=webhook.host)
        options = Options.of(entry.options)
        if user_input is not None:
            with form.fail_safe():
                interval = form.seconds(
                    CONF_SCAN_INTERVAL,
                    user_input[CONF_SCAN_INTERVAL],
                    MIN_SCAN_INTERVAL,
                    MAX_SCAN_INTERVAL,
                )
                grace = form.seconds(
                    CONF_GRACE_PERIOD,
                    user_input[CONF_GRACE_PERIOD],
                    0,
                    MAX_GRACE_PERIOD,
                )
                async with async_open_telephony(
                    self.hass, webhook, entry.data[CONF_VERIFY_SSL]
                ) as telephony:
                    reg_ids = await form.reg_ids(
                        telephony, user_input[CONF_REG_IDS], frozenset(options.reg_ids)
                    )
                if not (form.errors or reg_ids or user_input[CONF_FIND_LINES]):
                    form.fail(CONF_REG_IDS, "no_lines")
                if not form.errors:
                    return self.async_create_entry(
                        data={
                            CONF_SCAN_INTERVAL: interval,
                            CONF_GRACE_PERIOD: grace,
                            CONF_FIND_LINES: user_input[CONF_FIND_LINES],
                            CONF_REG_IDS: reg_ids,
                        }
                    )
        shown = user_input or {
            CONF_SCAN_INTERVAL: duration(options.scan_interval),
            CONF_GRACE_PERIOD: duration(options.grace_period),
            CONF_FIND_LINES: options.find_lines,
            CONF_REG_IDS: ", ".join(str(reg_id) for reg_id in options.reg_ids),
        }
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_OPTIONS_SCHEMA, shown),
            errors=form.errors,
            description_placeholders=form.placeholders,
        )
