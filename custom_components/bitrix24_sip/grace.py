"""The one grace period: what is shown of a line while its state is not certain.

What was last known for certain stands for the grace period while the portal gives no
settled answer, be it "in_progress" or "wait", or no answer because of a passing fault.
After it the line is off (unsettled) or not known (no answer). Nothing is bridged that
does not pass by itself, nor with a grace period of 0.
"""

from dataclasses import dataclass

from .bitrix24 import Bitrix24Error, PermanentError, SipLine, SipRegistration
from .bitrix24.pacing import AWAITED_SECONDS


@dataclass(frozen=True, slots=True)
class LineState:
    """What is shown of a line.

    registration: the portal's answer that is shown, None where the line is not known;
    connected: whether the line is registered, None where that is not known.
    """

    line: SipLine
    registration: SipRegistration | None = None
    connected: bool | None = None


class LineTracker:
    """Follows the answers for one line. All times: seconds, on a monotonic clock."""

    __slots__ = (
        "_certain",
        "_certain_until",
        "_failing_since",
        "_latest",
        "_registration",
        "_shown",
        "line",
    )

    def __init__(self, line: SipLine) -> None:
        """Begin with nothing known."""
        self.line = line
        self._registration: SipRegistration | None = None
        self._latest: SipRegistration | Bitrix24Error | None = None
        self._certain: bool | None = None
        # None: it is certain now.
        self._certain_until: float | None = None
        self._failing_since: float | None = None
        self._shown = LineState(line)

    @property
    def failing(self) -> bool:
        """Whether the portal's latest answer was that the line is not registered."""
        return isinstance(self._latest, SipRegistration) and not self._latest.registered

    def awaited(self, now: float) -> bool:
        """Return whether the line is failing, and not for long yet."""
        since = self._failing_since
        return self.failing and since is not None and now - since < AWAITED_SECONDS

    @property
    def error(self) -> Bitrix24Error | None:
        """The error of the latest poll, None where the portal answered."""
        return self._latest if isinstance(self._latest, Bitrix24Error) else None

    def take(
        self, answer: SipRegistration | Bitrix24Error, now: float, grace: float
    ) -> None:
        """Take the outcome of a poll. Once it began, a grace period is not prolonged."""
        if answer is self._latest and self._certain_until is None:
            return  # as certain as before
        self._latest = answer
        if isinstance(answer, PermanentError):
            self._registration = self._certain = None
            self._certain_until = now
            return
        if isinstance(answer, SipRegistration):
            self._registration = answer
            if answer.registered:
                self._failing_since = None
            elif self._failing_since is None:
                self._failing_since = now
            if answer.settled:
                self._certain = answer.registered
                self._certain_until = None
                return
        if self._certain_until is None:
            self._certain_until = now + grace

    def expires_at(self, now: float) -> float | None:
        """Return when a grace period that is running ends, None where none is."""
        until = self._certain_until
        return until if until is not None and until > now else None

    def state(self, now: float) -> LineState:
        """Return what is to be shown now: the same object while it is the same."""
        registration, connected = self._registration, self._certain
        if self._certain_until is not None and self._certain_until <= now:
            if isinstance(self._latest, SipRegistration):
                connected = False
            else:
                registration = connected = None
        shown = self._shown
        if (
            shown.registration is not registration
            or shown.connected is not connected
            or shown.line is not self.line
        ):
            self._shown = shown = LineState(self.line, registration, connected)
        return shown
