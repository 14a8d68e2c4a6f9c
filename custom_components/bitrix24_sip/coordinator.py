"""What to ask the portal now, and when to ask again."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cached_property, partial
from time import monotonic
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .bitrix24 import (
    Answers,
    Bitrix24Error,
    OperatingTime,
    PermanentError,
    SipConnector,
    SipLine,
    SipRegistration,
    Telephony,
)
from .bitrix24.errors import InvalidWebhook, PortalMoved, RequestTimeout, Throttled
from .bitrix24.pacing import SOON, SoonerPolls, pause_between_polls
from .bitrix24.telephony import STATUS_METHOD
from .const import (
    ABSENT_READS,
    CONF_FIND_LINES,
    CONF_GRACE_PERIOD,
    CONF_REG_IDS,
    CONNECTOR_EVERY,
    DEFAULT_GRACE_PERIOD,
    DEFAULT_SCAN_INTERVAL,
    DOMAIN,
    LINES_EVERY,
    LOGGER,
    MIN_SCAN_INTERVAL,
)
from .grace import LineState, LineTracker
from .issues import async_update_issues

type Bitrix24SipConfigEntry = ConfigEntry[Bitrix24SipCoordinator]

# Seconds to the next poll after a fault that somebody has to mend.
_LASTING_PAUSE = 900.0
_REASON_PAUSES = {"plan_restricted": 3600.0, "telephony_missing": 3600.0}
# Seconds to the next poll after the portal throttled without saying for how long.
_THROTTLED_PAUSE = 60.0
_LONGEST_PAUSE = 3600.0
# Timers are rounded to whole seconds: a poll this early is the one that was meant.
_EARLY = 2.0


@dataclass(frozen=True)
class PortalState:
    """What is shown of a portal. error: that of the last poll, None where it answered."""

    lines: dict[int, LineState] = field(default_factory=dict)
    connector: SipConnector | None = None
    operating_time: float | None = None
    error: Bitrix24Error | None = None

    def count(self, *, connected: bool) -> int | None:
        """Return how many lines are (not) registered, None where none is known."""
        if self.lines and self._counts[None] == len(self.lines):
            return None
        return self._counts[connected]

    @cached_property
    def _counts(self) -> Counter[bool | None]:
        """How many lines are registered, are not, are not known: several entities ask."""
        return Counter(state.connected for state in self.lines.values())


@dataclass(slots=True)
class LastPoll:
    """The last poll, for diagnostics."""

    began: datetime
    seconds: float = 0.0
    asked: int = 0
    failed: int = 0
    with_lines: bool = False
    with_connector: bool = False


class Turn(Enum):
    """Whose turn it is to be told of an update: what explains it, then what alarms.

    Home Assistant runs the first steps of an automation within the write of the state
    that triggers it, and a message must find there why a line failed. And a turn of its
    own for each kind costs less than all kinds line by line: a tenth, of 500 lines.
    """

    LINE_STATUS_CODE = auto()
    LINE_ERROR_MESSAGE = auto()
    LINE_LAST_UPDATED = auto()
    LINE_STATUS = auto()
    LINE_REGISTRATION = auto()
    PORTAL_DETAILS = auto()
    PORTAL_STATE = auto()
    LINE_EVENT = auto()


# What an entity listens to: a line's changes by its REG_ID, or (None) every update.
type EntityContext = tuple[Turn, int | None]


class Bitrix24SipCoordinator(DataUpdateCoordinator[PortalState]):
    """Polls one portal."""

    config_entry: Bitrix24SipConfigEntry
    # Set once the portal's device is made; the lines' devices hang under it.
    portal_device_id: str

    def __init__(
        self, hass: HomeAssistant, entry: Bitrix24SipConfigEntry, telephony: Telephony
    ) -> None:
        """Take the telephony of the portal, and the entry's options."""
        self.chosen_interval: int = entry.options.get(
            CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL
        )
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(seconds=self.chosen_interval),
            always_update=False,
        )
        self.data = PortalState()
        self.telephony = telephony
        self.last_poll: LastPoll | None = None
        self.listed: frozenset[int] | None = None  # as the portal's list said last
        self._grace: int = entry.options.get(CONF_GRACE_PERIOD, DEFAULT_GRACE_PERIOD)
        self._find_lines: bool = entry.options.get(CONF_FIND_LINES, True)
        self._typed = frozenset[int](entry.options.get(CONF_REG_IDS, ()))
        self._trackers: dict[int, LineTracker] = {}
        self._absent: dict[int, int] = {}
        self._connector: SipConnector | None = None
        self._error: Bitrix24Error | None = None
        self._begun = False  # no poll was answered yet
        # Lines that were polled once: from then on their entities say whether to.
        self._introduced: set[int] = set()
        self._awake: list[int] = []  # the lines that the last poll was about
        self._not_known: frozenset[int] = frozenset()
        self._entities: dict[Turn, dict[int | None, list[CALLBACK_TYPE]]] = {
            turn: {} for turn in Turn
        }
        self._told: dict[int, LineState] = {}  # what they were told last
        # When what is due next, on the monotonic clock.
        self._all_due = self._lines_due = self._connector_due = 0.0
        self._sooner = SoonerPolls(self.chosen_interval)
        self._soon: list[int] = []  # the lines that the next poll asks, sooner than all
        self._expiry: tuple[float, CALLBACK_TYPE] | None = None
        entry.async_on_unload(self._cancel_expiry)

    @override
    async def _async_setup(self) -> None:
        """Begin with the lines of the registry.

        So a line that is there is not lost because the portal's list is late, and a line
        that went while Home Assistant was not running goes by the same rule as ever.
        """
        devices = dr.async_get(self.hass)
        entities = er.async_get(self.hass)
        entry_id = self.config_entry.entry_id
        for device in dr.async_entries_for_config_entry(devices, entry_id):
            if (reg_id := reg_id_of(device, entry_id)) is None:
                continue
            if not self._find_lines and reg_id not in self._typed:
                devices.async_remove_device(device.id)
                continue
            self._trackers[reg_id] = LineTracker(SipLine(reg_id, device.name or ""))
            known = er.async_entries_for_device(
                entities, device.id, include_disabled_entities=True
            )
            if known and all(entity.disabled for entity in known):
                self._introduced.add(reg_id)
        for reg_id in self._typed:
            self._trackers.setdefault(reg_id, LineTracker(SipLine(reg_id)))

    @callback
    @override
    def async_add_listener(
        self, update_callback: CALLBACK_TYPE, context: Any = None
    ) -> Callable[[], None]:
        """Listen to every update, or as the `EntityContext` of an entity says."""
        if context is None:
            return super().async_add_listener(update_callback)
        turn, reg_id = context
        self._entities[turn].setdefault(reg_id, []).append(update_callback)
        return partial(self._remove_entity, context, update_callback)

    @callback
    def _remove_entity(self, context: EntityContext, listener: CALLBACK_TYPE) -> None:
        """Tell an entity no more."""
        turn, reg_id = context
        listeners = self._entities[turn][reg_id]
        listeners.remove(listener)
        if not listeners:
            del self._entities[turn][reg_id]

    @callback
    @override
    def async_update_listeners(self) -> None:
        """Tell what has changed to those who listen to it.

        Most polls change nothing, so what one costs must not grow with the entities.
        """
        super().async_update_listeners()
        told, self._told = self._told, self.data.lines
        changed: list[int | None] = [None]
        changed += [r for r, s in self._told.items() if s is not told.get(r)]
        listeners = [
            (reg_id, listener)
            for entities in self._entities.values()
            for reg_id in changed
            for listener in entities.get(reg_id, ())
        ]
        for reg_id, listener in listeners:
            try:
                listener()
            except Exception:
                about = f"line {reg_id}" if reg_id else self.name
                self.logger.exception("Unexpected error updating %s", about)

    @override
    async def async_request_refresh(self) -> None:
        """Refresh all lines, as somebody asks for it."""
        self._soon.clear()
        await super().async_request_refresh()

    @override
    async def _async_update_data(self) -> PortalState:
        """Ask the portal what is due; what it does not say stands for the grace period."""
        now = monotonic()
        self._awake = self._polled()
        soon: list[int] = []
        if now + _EARLY < self._all_due:
            soon = [reg_id for reg_id in self._soon if reg_id in self._awake]
        self._soon = []
        reg_ids = soon or self._awake
        poll = LastPoll(
            dt_util.utcnow(),
            asked=len(reg_ids),
            with_lines=now + _EARLY >= self._lines_due,
            with_connector=now + _EARLY >= self._connector_due,
        )
        self.last_poll = poll
        try:
            await self._poll(poll, reg_ids, soon=bool(soon))
        except Bitrix24Error as error:
            self._all_failed(error)
            raise self._as_update_error(error) from None
        finally:
            poll.seconds = monotonic() - now
        if not soon:
            self._all_due = now + self._interval()
        self._error = None
        self.update_interval = timedelta(seconds=self._pause())
        self._update_issues(None)
        state = self._show()
        self._begun = True
        return state

    async def _poll(self, poll: LastPoll, reg_ids: list[int], *, soon: bool) -> None:
        """Ask for registrations, and for lines and connector where they are due.

        soon: some of the lines whose recovery is awaited. When one of them is back, the
        others may be, as one provider often has them all: they are asked at once.
        """
        ends = monotonic() + self.chosen_interval
        answers = await self.telephony.poll(
            reg_ids,
            with_lines=poll.with_lines,
            with_connector=poll.with_connector,
            seconds=self.chosen_interval,
        )
        self._take(answers, poll)
        more = [r for r in self._trackers if r not in self._introduced]
        self._awake += more
        if soon:
            self._sooner.asked(reg_ids)
            if any(is_registered(a) for a in answers.registrations.values()):
                others = [r for r in self._awaited() if r not in reg_ids]
                others = self._sooner.others(others, len(self._awake))
                self._sooner.asked(others)
                more += others
        if more:
            poll.asked += len(more)
            self._take(
                await self.telephony.poll(more, seconds=ends - monotonic()), poll
            )

    def _polled(self) -> list[int]:
        """Return the lines to poll: all but those whose entities are all disabled."""
        enabled = set[int | None]().union(*self._entities.values())
        return [
            reg_id
            for reg_id in self._trackers
            if reg_id in enabled or reg_id not in self._introduced
        ]

    def _take(self, answers: Answers, poll: LastPoll) -> None:
        """Take what the portal answered."""
        now = monotonic()
        self._introduced.update(answers.registrations)
        for reg_id, answer in answers.registrations.items():
            self._trackers[reg_id].take(answer, now, self._grace)
            poll.failed += isinstance(answer, Bitrix24Error)
        if isinstance(answers.lines, dict):
            self._take_lines(answers.lines)
            # A line that is absent may be gone: the next poll looks again.
            soon = bool(self._absent)
            self._lines_due = now + (0 if soon else LINES_EVERY.total_seconds())
        if isinstance(answers.connector, SipConnector):
            self._connector = answers.connector
            self._connector_due = now + CONNECTOR_EVERY.total_seconds()
        elif answers.connector:
            self._connector_due = now + LINES_EVERY.total_seconds()

    def _take_lines(self, listed: dict[int, SipLine]) -> None:
        """Take the portal's list: new lines come, renamed ones are renamed.

        A line goes when the list lacks it twice, unless somebody typed it in.
        """
        self.listed = frozenset(listed)
        for reg_id, line in listed.items():
            self._absent.pop(reg_id, None)
            if tracker := self._trackers.get(reg_id):
                if tracker.line != line:
                    tracker.line = line
                    self._rename(line)
            elif self._find_lines:
                self._trackers[reg_id] = LineTracker(line)
        for reg_id in self._trackers.keys() - listed.keys() - self._typed:
            self._absent[reg_id] = self._absent.get(reg_id, 0) + 1
            if self._absent[reg_id] >= ABSENT_READS:
                self._remove(reg_id)

    def _device(self, reg_id: int) -> dr.DeviceEntry | None:
        """Return the device of a line, where there is one yet."""
        entry_id = self.config_entry.entry_id
        return dr.async_get(self.hass).async_get_device_by_identifier(
            line_identifier(entry_id, reg_id), entry_id
        )

    def _rename(self, line: SipLine) -> None:
        """Give a line's device the title that the line has on the portal now."""
        if line.title and (device := self._device(line.reg_id)):
            dr.async_get(self.hass).async_update_device(device.id, name=line.title)

    def _remove(self, reg_id: int) -> None:
        """Forget a line that the portal no longer has; its entities go with its device."""
        del self._trackers[reg_id], self._absent[reg_id]
        self._introduced.discard(reg_id)
        if device := self._device(reg_id):
            dr.async_get(self.hass).async_remove_device(device.id)
        LOGGER.info("%s: line %s is gone from the portal", self.name, reg_id)

    def _all_failed(self, error: Bitrix24Error) -> None:
        """Take a poll that brought nothing; say so once."""
        self._update_issues(error)
        now = monotonic()
        for reg_id in self._awake:
            self._trackers[reg_id].take(error, now, self._grace)
        if isinstance(error, PermanentError):
            self._connector = None
        self.update_interval = timedelta(seconds=self.chosen_interval)
        if not self._begun:
            return  # Home Assistant itself says that set-up will be tried again
        if self._error is None:
            LOGGER.warning("%s: polling fails: %s", self.name, error)
            # What the base class would say, an error, is said already.
            self.last_update_success = False
        self._error = error
        self.data = self._show()
        self.async_update_listeners()

    def _update_issues(self, error: Bitrix24Error | None) -> None:
        """Have the repair issues that there is a reason for."""
        webhook = self.telephony.client.webhook
        async_update_issues(
            self.hass,
            self.config_entry.entry_id,
            webhook.base,
            error,
            error_placeholders(error, webhook.host)
            if error
            else {"portal": webhook.host},
            self._connector,
        )

    def _as_update_error(self, error: Bitrix24Error) -> Exception:
        """Return Home Assistant's exception for an error of the portal."""
        placeholders = error_placeholders(error, self.telephony.client.webhook.host)
        if isinstance(error, InvalidWebhook):
            return ConfigEntryAuthFailed(
                translation_domain=DOMAIN,
                translation_key=error.reason,
                translation_placeholders=placeholders,
            )
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=error.reason,
            translation_placeholders=placeholders,
            retry_after=self._pause_after(error),
        )

    def _pause_after(self, error: Bitrix24Error) -> float | None:
        """Return the seconds to the next poll, None for the usual ones.

        Until a first poll was answered it is Home Assistant that tries again, soon and
        ever more rarely, and only what the portal itself said keeps it from that.
        """
        pause = error.retry_after
        if self._begun:
            if isinstance(error, PermanentError):
                pause = _REASON_PAUSES.get(error.reason, _LASTING_PAUSE)
            elif isinstance(error, Throttled):
                pause = pause or _THROTTLED_PAUSE
            elif isinstance(error, RequestTimeout):
                pause = min(SOON, self.chosen_interval)
        if pause is None:
            return None
        return min(max(pause, MIN_SCAN_INTERVAL), _LONGEST_PAUSE)

    @property
    def _operating(self) -> OperatingTime | None:
        """The operating time of the one method that is asked all the time."""
        return self.telephony.client.operating.get(STATUS_METHOD)

    def _interval(self) -> float:
        """Return the seconds between polls, with the operating time in mind."""
        operating = self._operating
        if operating is None:
            return self.chosen_interval
        return pause_between_polls(
            self.chosen_interval,
            operating.seconds,
            operating.per_call * len(self._awake),
            operating.resets_in(),
        )

    def _pause(self) -> float:
        """Return the seconds to the next poll, and decide whom it asks."""
        now = monotonic()
        soon = min(SOON, self.chosen_interval)
        pause = max(self._all_due - now, soon)
        if self._interval() > self.chosen_interval or pause <= soon + _EARLY:
            return pause
        if self.telephony.planner.unsorted:
            self._all_due = now + soon
            return soon
        self._soon = self._sooner.some(self._awaited(), len(self._awake))
        return soon if self._soon else pause

    def _awaited(self) -> list[int]:
        """Return the lines whose recovery is awaited."""
        now = monotonic()
        return [
            reg_id
            for reg_id in self._awake
            if (tracker := self._trackers.get(reg_id)) and tracker.awaited(now)
        ]

    def _show(self) -> PortalState:
        """Return what is shown now; what did not change stays the same object."""
        now = monotonic()
        awake = set(self._awake)
        previous = self.data.lines
        lines = {}
        ends = []
        for reg_id, tracker in self._trackers.items():
            if reg_id in awake:
                state = tracker.state(now)
                if (end := tracker.expires_at(now)) is not None:
                    ends.append(end)
            else:
                state = LineState(tracker.line)
            before = previous.get(reg_id)
            lines[reg_id] = before if before == state else state
        self._expire_at(min(ends, default=None))
        if self._error is None:
            self._say_what_is_not_known()
        operating = self._operating
        return PortalState(
            lines,
            self._connector,
            round(operating.seconds, 1) if operating else None,
            self._error,
        )

    def _say_what_is_not_known(self) -> None:
        """Say once when the portal has no status for some lines, and when it has again."""
        silent = {
            reg_id: tracker.error
            for reg_id in self._awake
            if (tracker := self._trackers.get(reg_id)) and tracker.error
        }
        begins = silent.keys() - self._not_known
        ends = self._not_known - silent.keys()
        if begins:
            LOGGER.warning(
                "%s: no status for %s: %s",
                self.name,
                ", ".join(map(str, sorted(begins))),
                silent[min(begins)],
            )
        if ends:
            LOGGER.info(
                "%s: status known again for %s",
                self.name,
                ", ".join(map(str, sorted(ends))),
            )
        self._not_known = frozenset(silent)

    def _expire_at(self, when: float | None) -> None:
        """Look again when the next grace period ends, even if no poll is due then."""
        if self._expiry and self._expiry[0] == when:
            return
        self._cancel_expiry()
        if when is not None:
            cancel = async_call_later(self.hass, when - monotonic(), self._expired)
            self._expiry = (when, cancel)

    @callback
    def _expired(self, _now: datetime) -> None:
        """Show what a grace period that is over leaves."""
        self._expiry = None
        self.data = self._show()
        self.async_update_listeners()

    @callback
    def _cancel_expiry(self) -> None:
        """Cancel the look at the end of a grace period."""
        if self._expiry:
            self._expiry[1]()
            self._expiry = None


def is_registered(answer: SipRegistration | Bitrix24Error) -> bool:
    """Return whether the portal answered that the line is registered."""
    return isinstance(answer, SipRegistration) and answer.registered


def line_identifier(entry_id: str, reg_id: int) -> tuple[str, str]:
    """Return the identifier of a line's device."""
    return (DOMAIN, f"{entry_id}_{reg_id}")


def reg_id_of(device: dr.AnyDeviceEntry, entry_id: str) -> int | None:
    """Return the REG_ID of a line's device, None for a portal's."""
    for domain, identifier in device.identifiers:
        head, _, reg_id = identifier.rpartition("_")
        if domain == DOMAIN and head == entry_id and reg_id.isdecimal():
            return int(reg_id)
    return None


def error_placeholders(error: Bitrix24Error, host: str) -> dict[str, str]:
    """Return what the sentences about an error may name."""
    return {
        "portal": host,
        "code": error.code,
        "new_host": error.new_host if isinstance(error, PortalMoved) else "",
    }
