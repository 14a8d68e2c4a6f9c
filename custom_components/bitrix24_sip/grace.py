"""The grace period: what is shown of a line while its state is not certain.

A line's state is *settled* when the portal answers "success" or "error". Otherwise it is
in doubt: *unsettled* ("in_progress", "wait", or a word that is not documented), or
*silent* (no answer because of a transient error). The rules:

- What was last settled stands for the grace period, counted from the first answer in
  doubt. Changes between unsettled and silent within it do not prolong it.
- After it the line is not registered (unsettled) or not known (silent).
- When the grace period is over, a change from silent to unsettled, or back, begins a
  new one with what is shown then. So a registration that is under way after a long
  outage of the portal raises no alarm at once.
- A permanent error takes effect at once, and with a grace period of 0 so does everything.
- Why a line is not registered is what its latest settled answer tells, as long as it is
  not registered. A new attempt, which has no result yet, does not replace it.
"""

from .bitrix24 import Bitrix24Error, PermanentError, SipLine, SipRegistration
from .state import LineState

type Answer = SipRegistration | Bitrix24Error


class LineTracker:
    """Follows the answers for one line. All times are seconds on a monotonic clock."""

    __slots__ = (
        "_connected",
        "_doubt_ends",
        "_failure",
        "_latest",
        "_registration",
        "_shown",
        "line",
        "lost_since",
    )

    def __init__(self, line: SipLine) -> None:
        """Begin with nothing known."""
        self.line = line
        # What is shown while the doubt lasts, and for good when there is none.
        self._registration: SipRegistration | None = None
        self._connected: bool | None = None
        # The settled answer that the line is not registered, as long as it is not.
        self._failure: SipRegistration | None = None
        self._latest: Answer | None = None
        self._doubt_ends: float | None = None
        # Since when the portal has not answered that the line is registered. None where
        # its latest answer was that it is, or where it has not answered.
        self.lost_since: float | None = None
        self._shown = LineState(line)

    def record(self, answer: Answer, now: float, grace: float) -> None:
        """Take the answer of a poll."""
        previous, self._latest = self._latest, answer
        if isinstance(answer, SipRegistration):
            if answer.registered:
                self.lost_since = None
            elif self.lost_since is None:
                self.lost_since = now
            if answer.settled:
                if answer != self._registration:
                    self._registration = answer
                self._connected = answer.registered
                self._failure = None if answer.registered else self._registration
                self._doubt_ends = None
                return
        elif isinstance(answer, PermanentError):
            self._doubt_ends = now
            return
        was_silent = isinstance(previous, Bitrix24Error)
        is_silent = isinstance(answer, Bitrix24Error)
        if self._doubt_ends is None:
            self._doubt_ends = now + grace
        elif self._doubt_ends <= now and was_silent is not is_silent:
            self._registration, self._connected = self._after_doubt(was_silent)
            if was_silent:
                self._failure = None
            self._doubt_ends = now + grace
        if isinstance(answer, SipRegistration) and answer != self._registration:
            self._registration = answer

    def state(self, now: float) -> LineState:
        """Return what is shown now: the same object as long as it is the same."""
        registration, connected = self._registration, self._connected
        if self._doubt_ends is not None and self._doubt_ends <= now:
            silent = isinstance(self._latest, Bitrix24Error)
            registration, connected = self._after_doubt(silent)
        shown = self._shown
        if (
            shown.registration is not registration
            or shown.connected is not connected
            or shown.line is not self.line
        ):
            # The failure changes only together with one of these.
            failure = None if connected is not False else self._failure or registration
            self._shown = shown = LineState(self.line, registration, connected, failure)
        return shown

    def _after_doubt(self, silent: bool) -> tuple[SipRegistration | None, bool | None]:
        """Return what is shown when the grace period is over."""
        return (None, None) if silent else (self._registration, False)

    def doubt_ends(self, now: float) -> float | None:
        """Return when the grace period that is running ends, None where none is."""
        ends = self._doubt_ends
        return ends if ends is not None and ends > now else None

    @property
    def error(self) -> Bitrix24Error | None:
        """The error of the latest poll, None where the portal answered."""
        return self._latest if isinstance(self._latest, Bitrix24Error) else None
