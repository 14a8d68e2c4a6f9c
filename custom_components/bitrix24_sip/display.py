"""What is shown of a portal: the monitor's snapshot, taken anew whenever it changes.

Whatever exception that ends with, nothing of before is shown any longer as if it were known.
"""

from collections.abc import Callable
from datetime import datetime

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from .bitrix24 import Bitrix24Error
from .errors import UnexpectedError
from .monitor import PortalMonitor
from .poll_log import PollLog
from .state import PortalState


class Display:
    """Holds the snapshot of one portal that its entities read."""

    def __init__(
        self,
        hass: HomeAssistant,
        monitor: PortalMonitor,
        log: PollLog,
        changed: Callable[[], None],
    ) -> None:
        """Take what is shown, and what to call when it has changed without a poll."""
        self.state = PortalState()
        self._hass = hass
        self._monitor = monitor
        self._log = log
        self._changed = changed
        self._cancel_timer: CALLBACK_TYPE | None = None

    def update(self) -> None:
        """Take a new snapshot; nothing is known of the lines if that fails."""
        try:
            self.state, seconds = self._monitor.snapshot()
            self._update_again_in(seconds)
        except Exception as exception:  # noqa: BLE001 - whatever it is, fail safe
            self._log.unexpected("unexpected error while updating the lines", exception)
            self.state = self.state.blind(UnexpectedError())

    def blind(self, error: Bitrix24Error) -> None:
        """Show that nothing is known of the lines."""
        self.state = self.state.blind(error)

    def close(self) -> None:
        """Stop the timer."""
        self._update_again_in(None)

    def _update_again_in(self, seconds: float | None) -> None:
        """Update after so many seconds, when the next grace period ends."""
        if self._cancel_timer:
            self._cancel_timer()
            self._cancel_timer = None
        if seconds is not None:
            job = HassJob(self._grace_period_ended, cancel_on_shutdown=True)
            self._cancel_timer = async_call_later(self._hass, seconds, job)

    @callback
    def _grace_period_ended(self, _now: datetime) -> None:
        """Show what is left of a line's state when its grace period is over."""
        self._cancel_timer = None
        self.update()
        self._changed()
