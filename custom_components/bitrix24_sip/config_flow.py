"""The flows: a portal added, mended, changed; and its options."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import (
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlowWithReload,
)
from homeassistant.const import CONF_SCAN_INTERVAL, CONF_VERIFY_SSL, UnitOfTime
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

if TYPE_CHECKING:
    # What Home Assistant has under the name of voluptuous since 2026.9.
    import probatio as vol
else:
    import voluptuous as vol

from .bitrix24 import (
    Bitrix24Error,
    InvalidWebhookUrl,
    SipLine,
    SipRegistration,
    Telephony,
    Webhook,
)
from .bitrix24.telephony import parse_reg_id
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
from .errors import error_placeholders

_ADVANCED = "advanced"
_EXAMPLE = "https://example.bitrix24.com/rest/1/abcdefghij012345/"

_WEBHOOK_SELECTOR = TextSelector(
    # Not shown and not kept by the browser: whoever has it has the user's rights.
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
)
_REG_IDS_SELECTOR = SelectSelector(  # chips: there is nothing to select from
    SelectSelectorConfig(options=[], multiple=True, custom_value=True)
)


def _advanced(*, verify_ssl: bool) -> dict[vol.Marker, Any]:
    """Return the section for what hardly anybody needs."""
    fields = vol.Schema(
        {vol.Required(CONF_VERIFY_SSL, default=verify_ssl): BooleanSelector()}
    )
    return {vol.Required(_ADVANCED): section(fields, {"collapsed": True})}


def _seconds(minimum: int, maximum: int, step: int) -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(
            min=minimum,
            max=maximum,
            step=step,
            unit_of_measurement=UnitOfTime.SECONDS,
            mode=NumberSelectorMode.SLIDER,
        )
    )


_USER_SCHEMA = vol.Schema(
    {vol.Required(CONF_WEBHOOK): _WEBHOOK_SELECTOR, **_advanced(verify_ssl=True)}
)
_REAUTH_SCHEMA = vol.Schema({vol.Required(CONF_WEBHOOK): _WEBHOOK_SELECTOR})
_REG_IDS_SCHEMA = vol.Schema({vol.Required(CONF_REG_IDS): _REG_IDS_SELECTOR})
_OPTIONS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_SCAN_INTERVAL, default=DEFAULT_SCAN_INTERVAL): vol.All(
            _seconds(MIN_SCAN_INTERVAL, MAX_SCAN_INTERVAL, 15), vol.Coerce(int)
        ),
        vol.Required(CONF_GRACE_PERIOD, default=DEFAULT_GRACE_PERIOD): vol.All(
            _seconds(0, MAX_GRACE_PERIOD, 15), vol.Coerce(int)
        ),
        vol.Required(CONF_FIND_LINES, default=True): BooleanSelector(),
        vol.Optional(CONF_REG_IDS, default=list): _REG_IDS_SELECTOR,
    }
)


class _Form:
    """The errors of a form, and what its sentences name."""

    def __init__(self, **placeholders: str) -> None:
        """Begin with no error."""
        self.errors: dict[str, str] = {}
        self.placeholders = placeholders

    def fail(self, field: str, reason: str, **placeholders: str) -> None:
        """Put an error at a field."""
        self.errors[field] = reason
        self.placeholders |= placeholders

    def fail_with(self, field: str, error: Bitrix24Error, host: str) -> None:
        """Put an error of the portal at a field."""
        self.fail(field, error.reason, **error_placeholders(error, host))

    def webhook(self, text: str) -> Webhook | None:
        """Return the webhook that was pasted, None with an error where it is none."""
        try:
            return Webhook.parse(text)
        except InvalidWebhookUrl as error:
            self.fail(CONF_WEBHOOK, error.reason)
            return None

    async def lines(
        self, telephony: Telephony, field: str = CONF_WEBHOOK
    ) -> dict[int, SipLine] | None:
        """Return the portal's lines, None with an error where the webhook fails."""
        try:
            return await telephony.validate_webhook()
        except Bitrix24Error as error:
            self.fail_with(field, error, telephony.client.webhook.host)
            return None

    async def reg_ids(
        self, telephony: Telephony, texts: list[str], known: frozenset[int]
    ) -> list[int]:
        """Return the REG_IDs typed in; those not known already are asked for."""
        reg_ids: set[int] = set()
        for text in filter(str.strip, texts):
            if (reg_id := parse_reg_id(text)) is None:
                self.fail(CONF_REG_IDS, "not_a_reg_id", reg_id=text[:20])
                return []
            reg_ids.add(reg_id)
        new = sorted(reg_ids - known)
        if new:
            await self._check(telephony, new)
        return sorted(reg_ids)

    async def _check(self, telephony: Telephony, reg_ids: list[int]) -> None:
        try:
            answers = await telephony.ask_now(reg_ids)
        except Bitrix24Error as error:
            self.fail_with(CONF_REG_IDS, error, telephony.client.webhook.host)
            return
        for reg_id, answer in answers.items():
            if isinstance(answer, Bitrix24Error):
                self.fail_with(CONF_REG_IDS, answer, telephony.client.webhook.host)
                self.placeholders["reg_id"] = str(reg_id)
                return


class Bitrix24SipConfigFlow(ConfigFlow, domain=DOMAIN):
    """Adds a portal, takes a new webhook for it, moves it to a new address."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Begin with no webhook."""
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
        """Take a webhook, and prove it before anything is created."""
        form = _Form(example=_EXAMPLE)
        if user_input and (webhook := form.webhook(user_input[CONF_WEBHOOK])):
            await self.async_set_unique_id(webhook.portal)
            self._abort_if_unique_id_configured()
            self._webhook = webhook
            self._verify_ssl = user_input[_ADVANCED][CONF_VERIFY_SSL]
            async with self._telephony() as telephony:
                lines = await form.lines(telephony)
            if lines:
                return self._create({})
            if lines is not None:
                return await self.async_step_reg_ids()
        return self.async_show_form(
            step_id="user",
            data_schema=_USER_SCHEMA,
            errors=form.errors,
            description_placeholders=form.placeholders,
        )

    async def async_step_reg_ids(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take REG_IDs, where the portal lists no line."""
        assert self._webhook
        form = _Form(portal=self._webhook.host)
        if user_input:
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
        """Begin to replace a webhook that the portal no longer accepts."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take a new webhook of the same portal."""
        entry = self._get_reauth_entry()
        old = Webhook.parse(entry.data[CONF_WEBHOOK])
        form = _Form(portal=old.host, example=_EXAMPLE)
        if user_input and (webhook := form.webhook(user_input[CONF_WEBHOOK])):
            if webhook.portal != old.portal:
                form.fail(CONF_WEBHOOK, "wrong_portal", other=webhook.host)
            else:
                self._webhook = webhook
                self._verify_ssl = entry.data[CONF_VERIFY_SSL]
                async with self._telephony() as telephony:
                    if await form.lines(telephony) is not None:
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
        """Take a new webhook, the TLS switch, and a portal's new address."""
        entry = self._get_reconfigure_entry()
        old = Webhook.parse(entry.data[CONF_WEBHOOK])
        form = _Form(portal=old.host, example=_EXAMPLE)
        if user_input is not None:
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
                    **_advanced(verify_ssl=entry.data[CONF_VERIFY_SSL]),
                }
            ),
            errors=form.errors,
            description_placeholders=form.placeholders,
        )

    def _is_other_entrys(self, webhook: Webhook) -> bool:
        """Return whether another entry has the portal already."""
        return any(
            other.unique_id == webhook.portal
            for other in self._async_current_entries(include_ignore=False)
            if other.entry_id != self._get_reconfigure_entry().entry_id
        )

    async def _is_same_portal(self, form: _Form, old: Webhook) -> bool:
        """Return whether the webhook works, and is of the portal that is monitored.

        A new address is taken for the same portal when that knows a monitored line.
        """
        assert self._webhook
        async with self._telephony() as telephony:
            lines = await form.lines(telephony)
            if lines is None:
                return False
            monitored = self._monitored()
            if self._webhook.portal == old.portal or not lines.keys().isdisjoint(
                monitored
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
        return {r for r in found if r} | set(entry.options.get(CONF_REG_IDS, ()))

    def _moved(self, old: Webhook, webhook: Webhook) -> ConfigFlowResult:
        """Store the webhook; title and unique id go along with the address."""
        entry = self._get_reconfigure_entry()
        renamed = entry.title == old.host
        return self.async_update_reload_and_abort(
            entry,
            unique_id=webhook.portal,
            title=webhook.host if renamed else entry.title,
            data_updates=self._data(),
        )

    def _telephony(self) -> AbstractAsyncContextManager[Telephony]:
        """Return the telephony of the portal at hand, for an `async with`."""
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
    """How often to poll, what to bridge, which lines."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the options; REG_IDs that are new are checked on the portal."""
        entry = self.config_entry
        webhook = Webhook.parse(entry.data[CONF_WEBHOOK])
        form = _Form(portal=webhook.host)
        stored = entry.options.get(CONF_REG_IDS, [])
        if user_input is not None:
            async with async_open_telephony(
                self.hass, webhook, entry.data[CONF_VERIFY_SSL]
            ) as telephony:
                reg_ids = await form.reg_ids(
                    telephony, user_input[CONF_REG_IDS], frozenset(stored)
                )
            if not (form.errors or reg_ids or user_input[CONF_FIND_LINES]):
                form.fail(CONF_REG_IDS, "no_lines")
            if not form.errors:
                return self.async_create_entry(
                    data={**user_input, CONF_REG_IDS: reg_ids}
                )
        shown = user_input or {**entry.options, CONF_REG_IDS: [str(r) for r in stored]}
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_OPTIONS_SCHEMA, shown),
            errors=form.errors,
            description_placeholders=form.placeholders,
        )
