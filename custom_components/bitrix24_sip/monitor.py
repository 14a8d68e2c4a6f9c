"""The monitor of one portal: asks what is due, and keeps what the answers say.

It puts together `schedule` (when to ask, and which lines), `telephony` (how to ask), and
`lines` (what an answer does to a line). It knows nothing of Home Assistant.
"""

from collections.abc import Callable, Collection
from time import monotonic

from .bitrix24 import (
    Answers,
    Bitrix24Error,
    OperatingTime,
    OutgoingLine,
    PermanentError,
    PortalLinks,
    SipConnector,
    SipRegistration,
    Telephony,
)
from .bitrix24.telephony import STATUS_METHOD
from .lines import ListChanges, Roster
from .options import Options
from .schedule import Plan, Schedule
from .state import LastPoll, PortalState


class MonitorClosedError(Exception):
    """The portal is no longer monitored, so an answer that still comes is not used."""


class PortalMonitor:
    """Monitors one portal."""

    # Set before each poll; the poll fills it in.
    last_poll: LastPoll

    def __init__(
        self,
        telephony: Telephony,
        options: Options,
        list_changed: Callable[[ListChanges], None],
    ) -> None:
        """Take what to ask, the options, and what to call when the list has changed."""
        self.telephony = telephony
        self.roster = Roster(
            grace=options.grace_period,
            find_lines=options.find_lines,
            manual=options.reg_ids,
        )
        self.schedule = Schedule(options.scan_interval)
        # Seconds from the last poll to the next one, as decided after it.
        self.next_poll_in: float | None = None
        self.connector: SipConnector | None = None
        self.outgoing: OutgoingLine | None = None
        self.links = PortalLinks()
        self.failure: Bitrix24Error | None = None
        self.polled_ids: list[int] = []  # all lines but those with no enabled entity
        self.closed = False
        self._list_changed = list_changed

    async def poll(self, enabled: Collection[int | None]) -> None:
        """Ask for what is due, and record the answers.

        enabled: the REG_IDs with an enabled entity. Raises a Bitrix24Error where the poll
        failed as a whole; call `failed` then, as after any other exception.
        """
        began, poll = monotonic(), self.last_poll
        lines = self.polled_ids = self.roster.to_poll(enabled)
        urgent = self.roster.urgent(lines, began)
        plan = self.schedule.plan(began, lines, urgent, self._used)
        poll.with_lines, poll.with_connector = plan.with_list, plan.with_connector
        answers = await self._ask(plan, self.schedule.interval)
        lost = self._record(answers)
        more = self.roster.never_polled()
        if any(_is_registered(answer) for answer in answers.registrations.values()):
            more += self.schedule.others(plan, urgent, self._used)
        if more:
            lines += (reg_id for reg_id in more if reg_id not in lines)
            left = began + self.schedule.interval - monotonic()
            lost += self._record(await self._ask_more(more, left))
        number = len(lines)
        self.schedule.polled(plan, began, lines=number, used=self._used, lost=lost)
        self.failure = None
        now = monotonic()
        urgent = self.roster.urgent(lines, now)
        self.next_poll_in = self.schedule.pause(now, urgent, self._used)

    def failed(self, error: Bitrix24Error) -> None:
        """Record that a poll failed as a whole: each line has that error."""
        self.failure = error
        self.next_poll_in = self.schedule.interval
        if isinstance(error, PermanentError):
            self.connector = None
            self.schedule.forget_connector()
        self.last_poll.asked = self.last_poll.failed = len(self.polled_ids)
        now = monotonic()
        self.roster.record(dict.fromkeys(self.polled_ids, error), now)
        urgent = bool(self.roster.urgent(self.polled_ids, now))
        self.next_poll_in = self.schedule.pause_after(error, urgent=urgent)

    def snapshot(self) -> tuple[PortalState, float | None]:
        """Return what is known now, and the seconds until that changes by itself."""
        now, used, polled = monotonic(), self._used, set(self.polled_ids)
        changes = self.roster.next_change(polled, now)
        seconds = round(used.seconds, 1) if used else None
        lines = self.roster.show(polled, now)
        state = PortalState(lines, self.connector, self.outgoing, seconds, self.failure)
        return state, None if changes is None else changes - now

    async def _ask(self, plan: Plan, seconds: float) -> Answers:
        """Ask the portal, within so many seconds altogether."""
        answers = await self.telephony.poll(
            plan.reg_ids,
            with_lines=plan.with_list,
            with_connector=plan.with_connector,
            with_outgoing=plan.with_outgoing,
            with_links=plan.with_links,
            partial=plan.early,
            seconds=seconds,
        )
        if self.closed:
            raise MonitorClosedError
        return answers

    async def _ask_more(self, reg_ids: list[int], seconds: float) -> Answers:
        """Ask for further lines in a poll that was answered; an error is theirs alone."""
        try:
            return await self._ask(Plan(reg_ids), seconds)
        except Bitrix24Error as error:
            return Answers(dict.fromkeys(reg_ids, error))

    def _record(self, answers: Answers) -> list[int]:
        """Record what the portal answered; return the lines that were lost."""
        now, poll = monotonic(), self.last_poll
        lost = self.roster.record(answers.registrations, now)
        poll.asked += len(answers.registrations)
        poll.failed += sum(
            isinstance(answer, Bitrix24Error)
            for answer in answers.registrations.values()
        )
        if isinstance(answers.lines, dict):
            self.schedule.got_list(now)
            self._list_changed(self.roster.record_list(answers.lines, now))
        if answers.connector is not None:
            known = isinstance(answers.connector, SipConnector)
            self.schedule.got_connector(now, known=known)
        if isinstance(answers.connector, SipConnector):
            self.connector = answers.connector
        self._record_extras(answers, now)
        return lost

    def _record_extras(self, answers: Answers, now: float) -> None:
        """Record what not every portal tells; a transient error changes nothing."""
        outgoing, links = answers.outgoing, answers.links
        if isinstance(outgoing, OutgoingLine | PermanentError):
            refused = isinstance(outgoing, PermanentError)
            self.outgoing = None if isinstance(outgoing, PermanentError) else outgoing
            self.schedule.got_outgoing(now, refused=refused)
        if isinstance(links, PortalLinks | PermanentError):
            self.links = links if isinstance(links, PortalLinks) else PortalLinks()
            self.schedule.got_links(now)

    @property
    def _used(self) -> OperatingTime | None:
        """The operating time of the one method that is asked all the time."""
        return self.telephony.client.operating.get(STATUS_METHOD)


def _is_registered(answer: SipRegistration | Bitrix24Error) -> bool:
    """Return whether the portal answered that the line is registered."""
    return isinstance(answer, SipRegistration) and answer.registered
