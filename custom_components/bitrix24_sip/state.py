"""What is known of a portal and its lines at one moment: the snapshot entities read."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from .bitrix24 import (
    Bitrix24Error,
    OutgoingLine,
    SipConnector,
    SipLine,
    SipRegistration,
)


@dataclass(frozen=True, slots=True)
class LineState:
    """What is shown of a line.

    registration: the portal's answer that is shown, None where the line is not known;
    connected: whether the line is registered, None where that is not known;
    failure: the answer that tells why the line is not registered, None unless it is not.
    """

    line: SipLine
    registration: SipRegistration | None = None
    connected: bool | None = None
    failure: SipRegistration | None = None


@dataclass(frozen=True)
class PortalState:
    """What is shown of a portal.

    lines: by REG_ID; outgoing: the default line for outgoing calls, None where the portal
    does not tell it; operating_time: seconds of the status method in the last ten
    minutes, None where the portal does not report it; error: that of the last poll, None
    where the portal answered. The operating time grows with every poll, so it does not
    count as a change, for which all entities would be updated.
    """

    lines: dict[int, LineState] = field(default_factory=dict)
    connector: SipConnector | None = None
    outgoing: OutgoingLine | None = None
    operating_time: float | None = field(default=None, compare=False)
    error: Bitrix24Error | None = None

    @property
    def default_outgoing(self) -> int | None:
        """The REG_ID of the default outgoing line, None where it has none or is unknown."""
        return self.outgoing.reg_id if self.outgoing else None

    def count(self, *, connected: bool) -> int | None:
        """Return how many lines are (not) registered, None where no line is known."""
        if self.lines and self._counts[None] == len(self.lines):
            return None
        return self._counts[connected]

    @cached_property
    def _counts(self) -> Counter[bool | None]:
        """Count the lines once for the several entities that ask."""
        return Counter(state.connected for state in self.lines.values())

    def blind(self, error: Bitrix24Error) -> PortalState:
        """Return this snapshot with nothing known of any line."""
        lines = {reg_id: LineState(state.line) for reg_id, state in self.lines.items()}
        return replace(self, lines=lines, error=error)


@dataclass(slots=True)
class LastPoll:
    """The last poll, for diagnostics."""

    began: datetime
    seconds: float = 0.0
    asked: int = 0
    failed: int = 0
    with_lines: bool = False
    with_connector: bool = False
