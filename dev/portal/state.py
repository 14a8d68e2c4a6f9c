"""What a portal has and knows: its lines, its webhook, and the switches that tests change."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
import time
from typing import Any, Final

from aiohttp import web

from .faults import ActiveFault, Fault
from .limits import LeakyBucket, OperatingTime

DEFAULT_CODE: Final = "q7w8e9r0t1y2u3i4"
TELEPHONY: Final = "telephony"


@dataclass(slots=True)
class Line:
    """A Cloud PBX line, and what the telephony provider knows of its registration."""

    reg_id: int
    title: str = ""
    owner: str = "ui"  # "ui", "webhook" or "app"
    status: str = "success"
    code: int | None = 200
    message: str | None = ""
    last_updated: str | None = "2026-09-10 00:26:40"
    listed: bool = True
    delay: float = 0.0  # real seconds that the provider takes to answer
    unreachable: bool = False  # the provider does not answer for this line
    # Fields that replace those of the answer.
    raw: dict[str, Any] = field(default_factory=dict)
    stored_code: int | None = 0
    stored_message: str = ""

    def set(
        self, status: str, code: int | None = None, message: str | None = ""
    ) -> None:
        """Change what the provider says, and when it changed."""
        self.status, self.code, self.message = status, code, message
        self.last_updated = datetime.fromtimestamp(time.time(), UTC).strftime(
            "%Y-%m-%d %H:%M:%S"
        )

    def drop(self, code: int = 403, message: str = "Forbidden") -> None:
        """Lose the registration."""
        self.set("error", code, message)

    def recover(self) -> None:
        """Restore the registration."""
        self.set("success", 200)

    @property
    def config_id(self) -> int:
        """The number of the line's settings, another one than its REG_ID."""
        return self.reg_id % 1000 + 2


@dataclass(slots=True)
class Connector:
    """The paid option without which lines stop working."""

    paid: Any = True
    free_minutes: Any = 0
    paid_until: str | None = "2027-12-31T03:00:00+03:00"
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. commands: key, method and parameters; one for a call."""

    method: str
    commands: list[tuple[str, str, dict[str, Any]]]
    verb: str
    headers: Mapping[str, str]
    size: int
    at: float


type Method = Callable[[PortalState, dict[str, Any]], Awaitable[Any]]


class PortalState:
    """The state of a portal. Its attributes may be changed at any time."""

    methods: Mapping[str, Method]

    def __init__(
        self,
        *,
        user_id: int = 1,
        code: str = DEFAULT_CODE,
        prefix: str = "",
        time_flavour: str = "cloud2026",
        status_flavour: str = "server",
        rate: tuple[float, float] | None = None,
        operating_limit: float | None = 480.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Create a portal without lines.

        rate: what the leaky bucket drains a second, and its size; clock: unix seconds.
        """
        self.user_id, self.code, self.prefix = user_id, code, prefix
        self.time_flavour, self.status_flavour = time_flavour, status_flavour
        self.rate, self.operating_limit = rate, operating_limit
        self.clock: Callable[[], float] = clock or self._now
        self.lines: dict[int, Line] = {}
        self.office_lines: dict[int, str] = {}
        self.numbers: dict[str, str] = {}
        self.connector = Connector()
        # The default line for outgoing calls: `regREG_ID`, `sipID` or a number. None
        # stands for the first Cloud PBX line.
        self.outgoing: str | None = None
        self.scopes = {TELEPHONY, "user_brief"}
        self.permitted = self.plan = self.owner_active = True
        self.telephony_installed = self.allow_http = True
        self.deleted = self.overloaded = self.empty_profile = False
        self.code_is_valid = True
        self.moved_to: str | None = None
        self.cut_after = 60.0
        self.command_delay = 0.0
        self.operating_cost = {
            "voximplant.sip.status": 0.15,
            "voximplant.sip.connector.status": 0.11,
        }
        self.url = self.host = ""
        self.secure = False

        # What happened, for tests to look at.
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.notifications: list[tuple[int, int]] = []  # REG_ID and code
        self.refused = 0  # calls, for their operating time
        self.max_concurrent = 0
        self.command_counts: dict[str, int] = defaultdict(int)

        self.active_faults: list[ActiveFault] = []
        self.bucket = LeakyBucket()
        self.operating_time = OperatingTime()
        self.stopping = asyncio.Event()

    @staticmethod
    def _now() -> float:
        """Return the time of day, which a test may have frozen."""
        return time.time()

    @property
    def webhook(self) -> str:
        """The inbound webhook, with a slash at its end."""
        return f"{self.url}{self.prefix}/rest/{self.user_id}/{self.code}/"

    def add_line(
        self,
        reg_id: int,
        title: str = "",
        *,
        owner: str = "ui",
        status: str = "success",
        code: int | None = 200,
        message: str | None = "",
    ) -> Line:
        """Add a Cloud PBX line."""
        line = Line(reg_id, title, owner, status, code, message)
        self.lines[reg_id] = line
        return line

    def remove_line(self, reg_id: int) -> None:
        """Remove a line from the list and from the provider."""
        del self.lines[reg_id]

    def revoke(self) -> None:
        """Delete the webhook; `new_webhook` creates another."""
        self.code_is_valid = False

    def new_webhook(self) -> str:
        """Create a webhook in place of the old one, and return it."""
        self.code = self.code[::-1] if self.code != self.code[::-1] else f"{self.code}x"
        self.code_is_valid = True
        return self.webhook

    def commands(self, method: str) -> int:
        """Return how many times a method was called, singly and in batches."""
        return self.command_counts[method]

    def operating(self, method: str) -> float:
        """Return the operating time of a method in the last ten minutes, in seconds."""
        return self.operating_time.used(method, self.clock())

    def book(self, method: str, seconds: float = 0.0) -> None:
        """Book the operating time of a call: what it costs, or took where that is more."""
        cost = max(self.operating_cost.get(method, 0.0), seconds)
        self.operating_time.book(method, cost, self.clock())

    def fault(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        reg_id: int | None = None,
        times: int | None = None,
        skip: int = 0,
    ) -> ActiveFault:
        """Switch a fault on: for every request, or for one method or line.

        An `ErrorReply` or a `Result` for a method also applies to its commands in a
        batch. times: how often it applies; skip: how many requests it lets pass first.
        """
        active = ActiveFault(fault, method, reg_id, times, skip, self._clear_fault)
        self.active_faults.append(active)
        return active

    def _clear_fault(self, active: ActiveFault) -> None:
        if active in self.active_faults:
            self.active_faults.remove(active)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self.active_faults.clear()

    async def sleep(self, seconds: float) -> None:
        """Sleep real seconds, unless the portal stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
            raise web.HTTPServiceUnavailable
