"""The coordinator of one portal: plan a poll, ask, apply the answers, show the result.

Which lines there are is decided in `lines`, when and whom to ask in `schedule`, what is
shown while a state is not certain in `grace`. What is held here is that a poll fails
safe: whatever exception it ends with, the lines follow the grace period.
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

from .bitrix24 import (
    Answers,
    Bitrix24Error,
    OperatingTime,
    PermanentError,
    SipConnector,
    SipRegistration,
    Telephony,
)
from .bitrix24.telephony import STATUS_METHOD
from .const import (
    CONF_FIND_LINES,
    CONF_GRACE_PERIOD,
    CONF_REG_IDS,
    DEFAULT_GRACE_PERIOD,
    DEFAULT_SCAN_INTERVAL,
    LOGGER,
)
from .devices import remove_line, rename_line, restore_lines
from .errors import UnexpectedError, action_error, log_unexpected, update_error
from .issues import async_update_issues
from .lines import Roster
from .schedule import Plan, Schedule
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
        self.telephony = telephony
        self.roster = Roster(
            grace=options.get(CONF_GRACE_PERIOD, DEFAULT_GRACE_PERIOD),
            find_lines=options.get(CONF_FIND_LINES, True),
            manual=options.get(CONF_REG_IDS, ()),
        )
        self.schedule = Schedule(interval)
        self.last_poll: LastPoll | None = None
        # Seconds from the last poll to the next one, as decided after it.
        self.next_poll_in: float | None = None
        self._connector: SipConnector | None = None
        self._failure: Bitrix24Error | None = None
        self._had_success = False
        self._polled_ids: list[int] = []  # all lines but those that nobody looks at
        self._without_status: frozenset[int] = frozenset()
        self._logged: set[str] = set()  # exceptions, until a poll succeeds
        self._time_limit: asyncio.Timeout | None = None
        self._cancel_next_change: CALLBACK_TYPE | None = None

    @override
    async def _async_setup(self) -> None:
        """Begin with the lines from before a restart."""
        restore_lines(self.hass, self.config_entry.entry_id, self.roster)

    @override
    async def async_shutdown(self) -> None:
        """End the poll that may be under way, too: nothing happens after the unload."""
        await super().async_shutdown()
        self.update_interval = None
        self._show_at(None)
        if self._time_limit and not self._time_limit.expired():
            self._time_limit.reschedule(self.hass.loop.time())

    @override
    async def async_refresh(self) -> None:
        """Refresh all lines, not only those that an early poll would ask."""
        self.schedule.request()
        await super().async_refresh()

    @override
    async def async_request_refresh(self) -> None:
        """Refresh all lines, also where a poll of some of them is under way."""
        self.schedule.request()
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
        self.roster.remove(reg_id)
        self._show()
        self.async_update_listeners()

    @override
    async def _async_update_data(self) -> PortalState:
        """Poll the portal; what it does not say stands for the grace period."""
        began = monotonic()
        self.last_poll = poll = LastPoll(dt_util.utcnow())
        try:
            limit = self.schedule.interval + OVERTIME
            async with asyncio.timeout(limit) as self._time_limit:
                await self._poll(poll, began)
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

    async def _poll(self, poll: LastPoll, began: float) -> None:
        """Ask for what is due, and apply the answers."""
        enabled = {context.reg_id for context in self.async_contexts()}
        lines = self._polled_ids = self.roster.to_poll(enabled)
        urgent = self.roster.urgent(lines, began)
        plan = self.schedule.plan(began, lines, urgent, self._used)
        poll.with_lines, poll.with_connector = plan.with_list, plan.with_connector
        answers = await self._ask(plan)
        lost = self._apply(answers, poll)
        more = self.roster.never_polled()
        if any(is_registered(answer) for answer in answers.registrations.values()):
            more += self.schedule.others(plan, urgent, self._used)
        if more:
            lines += (reg_id for reg_id in more if reg_id not in lines)
            lost += self._apply(await self._ask_more(more, began), poll)
        number = len(self._polled_ids)
        self.schedule.polled(plan, began, lines=number, used=self._used, lost=lost)
        self._failure = None
        self._show()
        if self.data.error is None:
            self._logged.clear()
        self._log_status_changes()
        self._update_issues(None)
        self._had_success = True
        now = monotonic()
        urgent = self.roster.urgent(self._polled_ids, now)
        self.next_poll_in = self.schedule.pause(now, urgent, self._used)
        self.update_interval = timedelta(seconds=self.next_poll_in)

    async def _ask(self, plan: Plan, seconds: float | None = None) -> Answers:
        """Ask the portal. seconds: for all of it; the polling interval by default."""
        answers = await self.telephony.poll(
            plan.reg_ids,
            with_lines=plan.with_list,
            with_connector=plan.with_connector,
            partial=plan.early,
            seconds=self.schedule.interval if seconds is None else seconds,
        )
        if self._shutdown_requested:  # while the answer came
            raise UpdateFailed
        return answers

    async def _ask_more(self, reg_ids: list[int], began: float) -> Answers:
        """Ask for further lines in a poll that was answered; an error is theirs alone."""
        seconds = began + self.schedule.interval - monotonic()
        try:
            return await self._ask(Plan(reg_ids, early=True), seconds)
        except Bitrix24Error as error:
            return Answers(dict.fromkeys(reg_ids, error))

    def _apply(self, answers: Answers, poll: LastPoll) -> list[int]:
        """Apply what the portal answered; return the lines that were lost."""
        now = monotonic()
        lost = self.roster.record(answers.registrations, now)
        poll.asked += len(answers.registrations)
        poll.failed += sum(
            isinstance(answer, Bitrix24Error)
            for answer in answers.registrations.values()
        )
        if isinstance(answers.lines, dict):
            self.schedule.got_list(now)
            changes = self.roster.record_list(answers.lines, now)
            entry_id = self.config_entry.entry_id
            for line in changes.renamed:
                rename_line(self.hass, entry_id, line)
            for reg_id in changes.gone:
                remove_line(self.hass, entry_id, reg_id)
                LOGGER.info("%s: the portal no longer has line %s", self.name, reg_id)
        if answers.connector is not None:
            known = isinstance(answers.connector, SipConnector)
            self.schedule.got_connector(now, known=known)
        if isinstance(answers.connector, SipConnector):
            self._connector = answers.connector
        return lost

    def _failed(self, exception: BaseException) -> Exception:
        """Take a poll that failed as a whole; return the exception to raise.

        An exception that nobody foresaw counts like a transient error of the portal.
        """
        error = exception if isinstance(exception, Bitrix24Error) else UnexpectedError()
        if error is not exception:
            self._log_once("unexpected error while polling", exception)
        began_failing, self._failure = self._failure is None, error
        if isinstance(error, PermanentError):
            self._connector = None
        pause, host = self.schedule.interval, self.telephony.client.webhook.host
        try:
            self.roster.record(dict.fromkeys(self._polled_ids, error), monotonic())
            urgent = self.roster.urgent(self._polled_ids, monotonic())
            pause = self.schedule.pause_after(error, urgent=bool(urgent))
            self._update_issues(error)
            state = self._snapshot()
        except Exception as second:  # noqa: BLE001 - whatever it is, fail safe
            self._log_once("unexpected error after a failed poll", second)
            state = self.data.blind(error)
        assert self.last_poll
        self.last_poll.asked = self.last_poll.failed = len(self._polled_ids)
        self.next_poll_in = pause
        if not self._had_success:
            # Home Assistant itself tries set-up again, and only what the portal said
            # keeps it from that.
            return update_error(error, host, error.retry_after)
        failure = update_error(error, host, pause)
        if began_failing and error is exception:
            LOGGER.warning("%s: polling fails: %s", self.name, failure)
        self.last_update_success = False  # logged already, so not by the base class
        self.data = state
        self.async_update_listeners()
        return failure

    def _show(self) -> None:
        """Show what is known now; nothing is known if that itself fails."""
        try:
            self.data = self._snapshot()
        except Exception as exception:  # noqa: BLE001 - whatever it is, fail safe
            self._log_once("unexpected error while updating the lines", exception)
            self.data = self.data.blind(UnexpectedError())

    def _snapshot(self) -> PortalState:
        """Return what is known now, and have it looked at again when that changes."""
        now = monotonic()
        polled = set(self._polled_ids)
        self._show_at(self.roster.next_change(polled, now))
        used = self._used
        return PortalState(
            self.roster.show(polled, now),
            self._connector,
            round(used.seconds, 1) if used else None,
            self._failure,
        )

    def _show_at(self, when: float | None) -> None:
        """Look again when the next grace period ends, even if no poll is due then."""
        if self._cancel_next_change:
            self._cancel_next_change()
            self._cancel_next_change = None
        if when is not None:
            job = HassJob(self._grace_period_ended, cancel_on_shutdown=True)
            delay = when - monotonic()
            self._cancel_next_change = async_call_later(self.hass, delay, job)

    @callback
    def _grace_period_ended(self, _now: datetime) -> None:
        """Show what is left of a line's state when its grace period is over."""
        self._cancel_next_change = None
        self._show()
        self.async_update_listeners()

    def _log_once(self, message: str, exception: BaseException) -> None:
        """Log an exception that nobody foresaw, once until a poll succeeds."""
        if message not in self._logged:
            self._logged.add(message)
            webhook = self.telephony.client.webhook
            log_unexpected(f"{self.name}: {message}", exception, webhook)

    def _log_status_changes(self) -> None:
        """Log once when the portal has no status for lines, and when it has again."""
        errors = self.roster.errors(self._polled_ids)
        begins = sorted(errors.keys() - self._without_status)
        ends = sorted((self._without_status - errors.keys()) & self.data.lines.keys())
        if begins:
            numbers = ", ".join(map(str, begins))
            LOGGER.warning(
                "%s: no status for %s: %s",
                self.name,
                numbers,
                action_error(errors[begins[0]], self.telephony.client.webhook.host),
            )
        if ends:
            numbers = ", ".join(map(str, ends))
            LOGGER.info("%s: status known again for %s", self.name, numbers)
        self._without_status = frozenset(errors)

    def _update_issues(self, error: Bitrix24Error | None) -> None:
        """Have the repair issues that there is a reason for."""
        entry_id, webhook = self.config_entry.entry_id, self.telephony.client.webhook
        async_update_issues(self.hass, entry_id, webhook, error, self._connector)

    @property
    def _used(self) -> OperatingTime | None:
        """The operating time of the one method that is asked all the time."""
        return self.telephony.client.operating.get(STATUS_METHOD)


def is_registered(answer: SipRegistration | Bitrix24Error) -> bool:
    """Return whether the portal answered that the line is registered."""
    return isinstance(answer, SipRegistration) and answer.registered
