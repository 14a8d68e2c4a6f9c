"""The coordinator of one portal: runs the polls, and shows the results to the entities.

What a poll asks and records is in `monitor`. What is held here is that a poll fails safe:
whatever exception it ends with, the lines follow the grace period.
"""

import asyncio
from datetime import timedelta
from time import monotonic
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.util import dt as dt_util

from .bitrix24 import Bitrix24Error, Telephony
from .const import LOGGER
from .devices import restore_lines, update_devices
from .display import Display
from .errors import UnexpectedError, update_error
from .issues import async_update_issues
from .lines import ListChanges
from .monitor import PortalMonitor
from .options import Options
from .poll_log import PollLog
from .state import LastPoll, PortalState
from .update_order import OrderedCoordinator
from .uptime_coordinator import UptimeCoordinator

type Bitrix24SipConfigEntry = ConfigEntry[Bitrix24SipCoordinator]

# A poll that lasts this many seconds longer than the polling interval is ended.
OVERTIME = 30.0


class Bitrix24SipCoordinator(OrderedCoordinator[PortalState]):
    """Polls one portal."""

    config_entry: Bitrix24SipConfigEntry
    # Set once the portal's device is made; the lines' devices hang under it.
    portal_device_id: str

    def __init__(
        self, hass: HomeAssistant, entry: Bitrix24SipConfigEntry, telephony: Telephony
    ) -> None:
        """Take the telephony of the portal, and the entry's options."""
        options = Options.of(entry.options)
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(seconds=options.scan_interval),
            always_update=False,
        )
        self.monitor = PortalMonitor(telephony, options, self._list_changed)
        self.webhook = telephony.client.webhook
        self.uptime = UptimeCoordinator(hass, entry)
        self._log = PollLog(self.name, self.webhook)
        self.display = Display(hass, self.monitor, self._log, self._state_changed)
        self.data = self.display.state
        self._had_success = False
        self._time_limit: asyncio.Timeout | None = None

    @override
    async def _async_setup(self) -> None:
        """Begin with the lines from before a restart."""
        restore_lines(self.hass, self.config_entry.entry_id, self.monitor.roster)
        await self.uptime.async_load()

    @override
    async def async_shutdown(self) -> None:
        """End the poll that may be under way, too: nothing happens after the unload."""
        await super().async_shutdown()
        self.monitor.closed = True
        self.update_interval = None
        self.display.close()
        if self._time_limit and not self._time_limit.expired():
            self._time_limit.reschedule(self.hass.loop.time())

    @override
    async def async_refresh(self) -> None:
        """Refresh all lines, not only those that an early poll would ask."""
        self.monitor.schedule.request()
        await super().async_refresh()

    @override
    async def async_request_refresh(self) -> None:
        """Refresh all lines, also where a poll of some of them is under way."""
        self.monitor.schedule.request()
        await super().async_request_refresh()

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Update the entities, and record for the uptime what they show."""
        super().async_update_listeners()
        self.uptime.async_record(self.data)

    @callback
    def async_forget(self, reg_id: int) -> None:
        """Forget a line whose device a user deletes."""
        self.monitor.roster.remove(reg_id)
        self.display.update()
        self._state_changed()

    @override
    async def _async_update_data(self) -> PortalState:
        """Poll the portal; what it does not say stands for the grace period."""
        began = monotonic()
        poll = self.monitor.last_poll = LastPoll(dt_util.utcnow())
        try:
            limit = self.monitor.schedule.interval + OVERTIME
            async with asyncio.timeout(limit) as self._time_limit:
                contexts = (*self.async_contexts(), *self.uptime.async_contexts())
                await self.monitor.poll({context.reg_id for context in contexts})
                self._succeeded()
        except (Exception, asyncio.CancelledError) as exception:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            if self._shutdown_requested:
                self.last_update_success = False  # the base class logs nothing then
                raise UpdateFailed from None
            raise self._failed(exception) from None
        finally:
            self._time_limit = None
            poll.seconds = monotonic() - began
        return self.display.state

    def _succeeded(self) -> None:
        """Show what a poll brought, and plan the next one."""
        self.display.update()
        if self.display.state.error is None:
            self._log.succeeded()
        errors = self.monitor.roster.errors(self.monitor.polled_ids)
        self._log.status_changes(errors, self.display.state.lines.keys())
        async_update_issues(self.hass, self.config_entry.entry_id, self.monitor, None)
        self._had_success = True
        assert self.monitor.next_poll_in is not None
        self.update_interval = timedelta(seconds=self.monitor.next_poll_in)

    def _failed(self, exception: BaseException) -> Exception:
        """Show that a poll failed as a whole; return the exception to raise.

        An exception that nobody foresaw counts like a transient error of the portal.
        """
        error = exception if isinstance(exception, Bitrix24Error) else UnexpectedError()
        if error is not exception:
            self._log.unexpected("unexpected error while polling", exception)
        began_failing = self.monitor.failure is None
        try:
            self.monitor.failed(error)
            async_update_issues(
                self.hass, self.config_entry.entry_id, self.monitor, error
            )
            self.display.update()
        except Exception as second:  # noqa: BLE001 - whatever it is, fail safe
            self._log.unexpected("unexpected error after a failed poll", second)
            self.display.blind(error)
        if not self._had_success:
            # Home Assistant itself tries set-up again, and only what the portal said
            # keeps it from that.
            return update_error(error, self.webhook.host, error.retry_after)
        failure = update_error(error, self.webhook.host, self.monitor.next_poll_in)
        if began_failing and error is exception:
            self._log.failed(failure)
        self.last_update_success = False  # logged already, so not by the base class
        self._state_changed()
        return failure

    @callback
    def _state_changed(self) -> None:
        """Have the entities read the state that is shown now."""
        self.data = self.display.state
        self.async_update_listeners()

    def _list_changed(self, changes: ListChanges) -> None:
        """Update the devices to the portal's list."""
        update_devices(self.hass, self.config_entry.entry_id, changes)
        self._log.gone(changes.gone)
