"""The coordinator of one portal: runs the polls, and shows the results to the entities.

What a poll asks and records is in `monitor`. What is held here is that a poll fails safe:
whatever exception it ends with, the lines follow the grace period.
"""

import asyncio
from datetime import datetime, timedelta
from time import monotonic
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .bitrix24 import Bitrix24Error, Telephony
from .const import (
    CONF_FIND_LINES,
    CONF_GRACE_PERIOD,
    CONF_REG_IDS,
    DEFAULT_GRACE_PERIOD,
    DEFAULT_SCAN_INTERVAL,
    LOGGER,
)
from .devices import remove_line, rename_line, restore_lines
from .errors import UnexpectedError, update_error
from .issues import async_update_issues
from .lines import ListChanges, Roster
from .monitor import PortalMonitor
from .poll_log import PollLog
from .schedule import Schedule
from .state import LastPoll, PortalState
from .update_order import place_of

type Bitrix24SipConfigEntry = ConfigEntry[Bitrix24SipCoordinator]

# A poll that lasts this many seconds longer than the polling interval is ended.
OVERTIME = 30.0


class Bitrix24SipCoordinator(DataUpdateCoordinator[PortalState]):
    """Polls one portal."""

    config_entry: Bitrix24SipConfigEntry
    # Set once the portal's device is made; the lines' devices hang under it.
    portal_device_id: str

    def __init__(
        self, hass: HomeAssistant, entry: Bitrix24SipConfigEntry, telephony: Telephony
    ) -> None:
        """Take the telephony of the portal, and the entry's options."""
        options = entry.options
        interval: int = options.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL)
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(seconds=interval),
            always_update=False,
        )
        self.data = PortalState()
        roster = Roster(
            grace=options.get(CONF_GRACE_PERIOD, DEFAULT_GRACE_PERIOD),
            find_lines=options.get(CONF_FIND_LINES, True),
            manual=options.get(CONF_REG_IDS, ()),
        )
        schedule = Schedule(interval)
        self.monitor = PortalMonitor(telephony, roster, schedule, self._list_changed)
        self.webhook = telephony.client.webhook
        self._log = PollLog(self.name, self.webhook)
        self._had_success = False
        self._time_limit: asyncio.Timeout | None = None
        self._cancel_next_change: CALLBACK_TYPE | None = None

    @override
    async def _async_setup(self) -> None:
        """Begin with the lines from before a restart."""
        restore_lines(self.hass, self.config_entry.entry_id, self.monitor.roster)

    @override
    async def async_shutdown(self) -> None:
        """End the poll that may be under way, too: nothing happens after the unload."""
        await super().async_shutdown()
        self.monitor.closed = True
        self.update_interval = None
        self._show_again_in(None)
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
        """Update the entities in their order, and whoever else listens after them."""
        self._listeners = dict(sorted(self._listeners.items(), key=place_of))
        super().async_update_listeners()

    @callback
    def async_forget(self, reg_id: int) -> None:
        """Forget a line whose device a user deletes."""
        self.monitor.roster.remove(reg_id)
        self._show()
        self.async_update_listeners()

    @override
    async def _async_update_data(self) -> PortalState:
        """Poll the portal; what it does not say stands for the grace period."""
        began = monotonic()
        poll = self.monitor.last_poll = LastPoll(dt_util.utcnow())
        try:
            limit = self.monitor.schedule.interval + OVERTIME
            async with asyncio.timeout(limit) as self._time_limit:
                enabled = {context.reg_id for context in self.async_contexts()}
                await self.monitor.poll(enabled)
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
        return self.data

    def _succeeded(self) -> None:
        """Show what a poll brought, and plan the next one."""
        self._show()
        if self.data.error is None:
            self._log.succeeded()
        errors = self.monitor.roster.errors(self.monitor.polled_ids)
        self._log.status_changes(errors, self.data.lines.keys())
        self._update_issues(None)
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
            self._update_issues(error)
            self._show()
        except Exception as second:  # noqa: BLE001 - whatever it is, fail safe
            self._log.unexpected("unexpected error after a failed poll", second)
            self.data = self.data.blind(error)
        if not self._had_success:
            # Home Assistant itself tries set-up again, and only what the portal said
            # keeps it from that.
            return update_error(error, self.webhook.host, error.retry_after)
        failure = update_error(error, self.webhook.host, self.monitor.next_poll_in)
        if began_failing and error is exception:
            self._log.failed(failure)
        self.last_update_success = False  # logged already, so not by the base class
        self.async_update_listeners()
        return failure

    def _show(self) -> None:
        """Show what is known now; nothing is known if that itself fails."""
        try:
            self.data, seconds = self.monitor.snapshot()
            self._show_again_in(seconds)
        except Exception as exception:  # noqa: BLE001 - whatever it is, fail safe
            self._log.unexpected("unexpected error while updating the lines", exception)
            self.data = self.data.blind(UnexpectedError())

    def _show_again_in(self, seconds: float | None) -> None:
        """Show what is known again after so many seconds, even if no poll is due then."""
        if self._cancel_next_change:
            self._cancel_next_change()
            self._cancel_next_change = None
        if seconds is not None:
            job = HassJob(self._grace_period_ended, cancel_on_shutdown=True)
            self._cancel_next_change = async_call_later(self.hass, seconds, job)

    @callback
    def _grace_period_ended(self, _now: datetime) -> None:
        """Show what is left of a line's state when its grace period is over."""
        self._cancel_next_change = None
        self._show()
        self.async_update_listeners()

    def _list_changed(self, changes: ListChanges) -> None:
        """Have the devices that the portal's list says."""
        entry_id = self.config_entry.entry_id
        for line in changes.renamed:
            rename_line(self.hass, entry_id, line)
        for reg_id in changes.gone:
            remove_line(self.hass, entry_id, reg_id)
            self._log.gone(reg_id)

    def _update_issues(self, error: Bitrix24Error | None) -> None:
        """Have the repair issues that there is a reason for."""
        entry_id, connector = self.config_entry.entry_id, self.monitor.connector
        async_update_issues(self.hass, entry_id, self.webhook, error, connector)
