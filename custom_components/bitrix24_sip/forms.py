"""What the forms of all flows share: errors, and the validation of input."""

from collections.abc import Iterator
from contextlib import contextmanager
import re

from homeassistant.data_entry_flow import AbortFlow

from .bitrix24 import Bitrix24Error, InvalidWebhookUrl, SipLine, Telephony, Webhook
from .bitrix24.telephony import parse_reg_id
from .const import CONF_REG_IDS, CONF_WEBHOOK
from .errors import error_placeholders, log_unexpected, translation_key

_UNITS = {"s": 1, "min": 60, "h": 3600}
_DURATION = re.compile(r"\s*(?P<number>[0-9]{1,6})\s*(?P<unit>s|min|h)?\s*")


def duration(seconds: int) -> str:
    """Return seconds as a user chooses or enters them: `45 s`, `2 min`, `1 h`."""
    unit = next(
        unit
        for unit in ("h", "min", "s")
        if unit == "s" or (seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0)
    )
    return f"{seconds // _UNITS[unit]} {unit}"


class Form:
    """The errors of a form, and the placeholders of its texts."""

    def __init__(self, **placeholders: str) -> None:
        """Start without errors."""
        self.errors: dict[str, str] = {}
        self.placeholders = placeholders
        self._webhook: Webhook | None = None  # must not appear in the log

    def fail(self, field: str, reason: str, **placeholders: str) -> None:
        """Set the error of a field."""
        self.errors[field] = reason
        self.placeholders |= placeholders

    def fail_with(
        self, field: str, error: Bitrix24Error, host: str, reg_id: int | None = None
    ) -> None:
        """Set an error of the portal for a field. reg_id: the failed one, if any."""
        placeholders = error_placeholders(error, host, reg_id)
        self.fail(field, translation_key(error), **placeholders)

    @contextmanager
    def fail_safe(self) -> Iterator[None]:
        """Show an error on the form after an unexpected exception."""
        try:
            yield
        except AbortFlow:
            raise
        except Exception as exception:  # noqa: BLE001 - the dialog goes on
            log_unexpected("Unexpected error in a flow", exception, self._webhook)
            self.fail("base", "unknown")

    def seconds(self, field: str, text: str, shortest: int, longest: int) -> int:
        """Return the seconds of a duration, or set an error on the form."""
        if match := _DURATION.fullmatch(text):
            seconds = int(match["number"]) * _UNITS[match["unit"] or "s"]
            if shortest <= seconds <= longest:
                return seconds
        self.fail(field, f"not_a_{field}")
        return shortest

    def webhook(self, text: str) -> Webhook | None:
        """Return the pasted webhook, or None with an error on the form."""
        try:
            self._webhook = Webhook.parse(text)
        except InvalidWebhookUrl as error:
            self.fail(CONF_WEBHOOK, error.reason)
        return self._webhook

    async def lines(
        self, telephony: Telephony, field: str = CONF_WEBHOOK
    ) -> dict[int, SipLine] | None:
        """Return the portal's lines, or None with an error on the form."""
        self._webhook = telephony.client.webhook
        try:
            return await telephony.validate_webhook()
        except Bitrix24Error as error:
            self.fail_with(field, error, telephony.client.webhook.host)
            return None

    async def reg_ids(
        self, telephony: Telephony, entered: str, known: frozenset[int]
    ) -> list[int]:
        """Return the entered REG_IDs; check new ones on the portal."""
        self._webhook = telephony.client.webhook
        reg_ids: set[int] = set()
        for text in re.findall(r"[^\s,;]+", entered):
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
                host = telephony.client.webhook.host
                self.fail_with(CONF_REG_IDS, answer, host, reg_id)
                return
