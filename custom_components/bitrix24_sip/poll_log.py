"""What the log says about the polls of one portal: each change once, not each poll."""

from collections.abc import Collection, Iterable, Mapping

from .bitrix24 import Bitrix24Error, Webhook
from .const import LOGGER
from .errors import action_error, log_unexpected


class PollLog:
    """Logs the polls of one portal."""

    def __init__(self, name: str, webhook: Webhook) -> None:
        """Take the portal's name, and the webhook, which no log line may contain."""
        self._name = name
        self._webhook = webhook
        self._unexpected: set[str] = set()  # what was logged since the last good poll
        self._without_status: frozenset[int] = frozenset()

    def unexpected(self, message: str, exception: BaseException) -> None:
        """Log an exception that nobody foresaw, once until a poll succeeds."""
        if message not in self._unexpected:
            self._unexpected.add(message)
            log_unexpected(f"{self._name}: {message}", exception, self._webhook)

    def failed(self, failure: Exception) -> None:
        """Log that the polls begin to fail."""
        LOGGER.warning("%s: polling failed: %s", self._name, failure)

    def succeeded(self) -> None:
        """Have exceptions logged again."""
        self._unexpected.clear()

    def gone(self, reg_ids: Iterable[int]) -> None:
        """Log that the portal no longer has these lines."""
        for reg_id in reg_ids:
            LOGGER.info("%s: the portal no longer has line %s", self._name, reg_id)

    def status_changes(
        self, errors: Mapping[int, Bitrix24Error], lines: Collection[int]
    ) -> None:
        """Log once when the portal has no status for lines, and when it has again.

        errors: by REG_ID, of the lines without a status; lines: all that there are.
        """
        begins = sorted(errors.keys() - self._without_status)
        ends = sorted(r for r in self._without_status - errors.keys() if r in lines)
        if begins:
            LOGGER.warning(
                "%s: no status for %s: %s",
                self._name,
                ", ".join(map(str, begins)),
                action_error(errors[begins[0]], self._webhook.host, begins[0]),
            )
        if ends:
            numbers = ", ".join(map(str, ends))
            LOGGER.info("%s: status known again for %s", self._name, numbers)
        self._without_status = frozenset(errors)
