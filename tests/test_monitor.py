"""Polls of one portal without Home Assistant: what is asked, recorded, and due next."""

from collections.abc import Collection
from datetime import UTC, datetime

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.bitrix24_sip.bitrix24 import SipConnector, Telephony
from custom_components.bitrix24_sip.bitrix24.errors import (
    MissingPermission,
    MissingScope,
    RegistrationNotFound,
    ServerFault,
    Throttled,
)
from custom_components.bitrix24_sip.grace import LineTracker
from custom_components.bitrix24_sip.lines import ListChanges
from custom_components.bitrix24_sip.monitor import MonitorClosedError, PortalMonitor
from custom_components.bitrix24_sip.options import Options
from custom_components.bitrix24_sip.state import LastPoll, PortalState
from dev.portal import Portal
from dev.portal.faults import FAULTS, Result

from .conftest import MAIN, SALES, SUPPORT, asked

STATUS = "voximplant.sip.status"
LINES = "voximplant.line.get"
CONNECTOR = "voximplant.sip.connector.status"
ALL = [MAIN, SALES, SUPPORT]
NEW = 201010


@pytest.fixture(autouse=True)
def custom_integrations() -> None:
    """Do without Home Assistant."""


class Monitored:
    """A portal's monitor, and a clock that stands still between its polls."""

    def __init__(
        self, telephony: Telephony, portal: Portal, freezer: FrozenDateTimeFactory
    ) -> None:
        """Monitor a portal with the default options."""
        self.portal, self.freezer = portal, freezer
        self.changes: list[ListChanges] = []
        self.monitor = PortalMonitor(telephony, Options.of({}), self.list_changed)
        # Whose entities are enabled; and how long it takes to have a list's devices.
        self.enabled: Collection[int] = [*ALL, NEW]
        self.list_takes = 0.0

    def list_changed(self, changes: ListChanges) -> None:
        """Take note of what a list has changed."""
        self.changes.append(changes)
        self.freezer.tick(self.list_takes)

    async def poll(self, after: float = 0.0) -> LastPoll:
        """Poll when so many seconds have passed; return what is told of the poll."""
        self.freezer.tick(after)
        self.portal.requests.clear()
        self.monitor.last_poll = LastPoll(datetime.now(UTC))
        await self.monitor.poll(self.enabled)
        return self.monitor.last_poll

    @property
    def state(self) -> PortalState:
        """What is known now."""
        return self.monitor.snapshot()[0]

    @property
    def changes_in(self) -> float | None:
        """The seconds until what is known changes by itself."""
        return self.monitor.snapshot()[1]

    @property
    def connected(self) -> dict[int, bool | None]:
        """Which lines are registered."""
        return {reg_id: line.connected for reg_id, line in self.state.lines.items()}


@pytest.fixture
def monitored(
    telephony: Telephony, portal: Portal, freezer: FrozenDateTimeFactory
) -> Monitored:
    """Provide a monitor that has not polled yet."""
    return Monitored(telephony, portal, freezer)


@pytest.fixture
async def running(monitored: Monitored) -> Monitored:
    """Provide a monitor that has polled once."""
    await monitored.poll()
    return monitored


def told(poll: LastPoll) -> tuple[int, int, bool, bool]:
    """Return the lines asked and failed, and whether list and connector were asked."""
    return poll.asked, poll.failed, poll.with_lines, poll.with_connector


async def test_before_the_first_poll(monitored: Monitored) -> None:
    """Nothing is known, and nothing is planned."""
    assert monitored.monitor.snapshot() == (PortalState(), None)
    assert monitored.monitor.next_poll_in is None
    assert not monitored.monitor.closed


async def test_the_first_poll_fails(monitored: Monitored) -> None:
    """There is no line yet that could have failed."""
    monitored.portal.fault(FAULTS["nginx_502"])
    with pytest.raises(ServerFault) as caught:
        await monitored.poll()
    monitored.monitor.failed(caught.value)
    assert told(monitored.monitor.last_poll) == (0, 0, True, True)
    assert monitored.state == PortalState(error=caught.value)
    assert monitored.monitor.next_poll_in == 30


async def test_the_first_poll(monitored: Monitored) -> None:
    """It finds the lines, and asks them in a second request."""
    monitored.portal.operating_cost[STATUS] = 0.123
    assert told(await monitored.poll()) == (3, 0, True, True)
    assert monitored.connected == dict.fromkeys(ALL, True)
    assert monitored.state.operating_time == 0.4
    assert isinstance(monitored.state.connector, SipConnector)
    assert monitored.changes_in is None
    assert monitored.monitor.next_poll_in == 30
    assert len(monitored.portal.requests) == 2


async def test_what_is_asked_when(running: Monitored) -> None:
    """The list every ten minutes, the connector every hour."""
    assert told(await running.poll(30)) == (3, 0, False, False)
    assert len(running.portal.requests) == 1
    assert told(await running.poll(570)) == (3, 0, True, False)
    assert told(await running.poll(3000)) == (3, 0, True, True)


async def test_a_connector_that_is_not_known(running: Monitored) -> None:
    """It is asked again with the next list; what was known of it stands."""
    connector = running.state.connector
    running.portal.fault(Result([]), method=CONNECTOR)
    assert told(await running.poll(3600)) == (3, 0, True, True)
    assert running.state.connector is connector
    running.portal.clear_faults()
    running.portal.connector.free_minutes = 7
    assert told(await running.poll(600)) == (3, 0, True, True)
    assert running.state.connector
    assert running.state.connector.free_minutes == 7


async def test_a_list_that_is_not_known(running: Monitored) -> None:
    """It is asked again in the next poll."""
    running.portal.fault(Result("nonsense"), method=LINES)
    assert told(await running.poll(600)) == (3, 0, True, False)
    assert told(await running.poll(30)) == (3, 0, True, False)
    assert len(running.changes) == 1


async def test_a_list_that_changed(running: Monitored) -> None:
    """Who has the devices hears of it."""
    running.portal.lines[MAIN].title = "Front desk"
    await running.poll(600)
    assert [line.title for line in running.changes[-1].renamed] == ["Front desk"]


async def test_a_new_line_beside_a_lost_one(running: Monitored) -> None:
    """Both requests of such a poll count, and the loss is followed up soon."""
    running.portal.add_line(NEW).unreachable = True
    running.portal.lines[MAIN].drop()
    running.portal.lines[SALES].unreachable = True
    assert told(await running.poll(600)) == (4, 2, True, False)
    assert asked(running.portal) == [*ALL, NEW]
    assert running.connected == {MAIN: False, SALES: True, SUPPORT: True, NEW: None}
    assert isinstance(running.monitor.roster.errors([NEW])[NEW], RegistrationNotFound)
    assert running.monitor.next_poll_in == 5


async def test_a_new_line_is_refused(running: Monitored) -> None:
    """That is its own error; the poll was answered."""
    running.portal.add_line(NEW)
    running.portal.fault(FAULTS["missing_permission"], reg_id=NEW, method=STATUS)
    assert told(await running.poll(600)) == (4, 1, True, False)
    assert isinstance(running.monitor.roster.errors([NEW])[NEW], MissingPermission)
    assert running.state.error is None
    assert running.connected[MAIN] is True


async def test_a_new_line_and_no_time(running: Monitored) -> None:
    """A poll has its interval, and no more: what is left over waits for the next one."""
    running.portal.add_line(NEW)
    running.list_takes = 30.0
    assert told(await running.poll(600)) == (4, 1, True, False)
    assert asked(running.portal) == ALL
    running.list_takes = 0.0
    assert told(await running.poll(30)) == (4, 0, False, False)
    assert running.connected[NEW] is True


async def test_disabled_lines(running: Monitored) -> None:
    """A line without an enabled entity is not polled, and not known."""
    running.enabled = [MAIN]
    assert told(await running.poll(30)) == (1, 0, False, False)
    assert running.connected == {MAIN: True, SALES: None, SUPPORT: None}


async def lose_all(running: Monitored, cost: float = 10.0) -> None:
    """Lose all lines, with operating time for some of them only in an early poll."""
    running.portal.operating_cost[STATUS] = cost
    for line in running.portal.lines.values():
        line.drop()
    await running.poll(30)
    assert running.monitor.next_poll_in == 5
    await running.poll(5)
    assert running.monitor.next_poll_in == 15


async def test_lost_lines_are_asked_in_turn(running: Monitored) -> None:
    """An early poll asks as many of them as there is operating time for."""
    await lose_all(running)
    assert told(await running.poll(15)) == (1, 0, False, False)
    assert told(await running.poll(15)) == (3, 0, False, False)


async def test_one_of_the_lost_lines_is_back(running: Monitored) -> None:
    """Then the others are asked at once; those that are well are not."""
    await lose_all(running)
    for line in running.portal.lines.values():
        line.recover()
    assert told(await running.poll(15)) == (3, 0, False, False)
    assert len(running.portal.requests) == 2
    assert running.connected == dict.fromkeys(ALL, True)


async def test_one_of_several_lost_lines_is_back(running: Monitored) -> None:
    """It need not be all of those that the early poll asked."""
    await lose_all(running, cost=4.0)
    running.portal.lines[MAIN].recover()
    running.portal.lines[SUPPORT].recover()
    assert told(await running.poll(15)) == (3, 0, False, False)
    assert [len(request.commands) for request in running.portal.requests] == [2, 1]
    assert running.connected == {MAIN: True, SALES: False, SUPPORT: True}


@pytest.mark.parametrize(
    ("slug", "seconds"),
    [("nginx_502", 15.0), ("missing_scope", 900.0), ("retry_after", 300.0)],
)
async def test_a_poll_that_failed(
    running: Monitored, slug: str, seconds: float
) -> None:
    """All lines have the error. What passes by itself is bridged, and asked early."""
    running.portal.fault(FAULTS[slug])
    transient = slug != "missing_scope"
    connector = running.state.connector
    with pytest.raises((ServerFault, MissingScope, Throttled)) as caught:
        await running.poll(30)
    running.monitor.failed(caught.value)
    assert told(running.monitor.last_poll) == (3, 3, False, False)
    assert running.state.error is caught.value
    assert running.monitor.roster.errors(ALL) == dict.fromkeys(ALL, caught.value)
    assert running.connected == dict.fromkeys(ALL, True if transient else None)
    assert running.state.connector is (connector if transient else None)
    assert running.changes_in == (120 if transient else None)
    assert running.monitor.next_poll_in == seconds
    running.freezer.tick(50)
    assert running.changes_in == (70 if transient else None)
    running.portal.clear_faults()
    assert told(await running.poll(seconds - 50)) == (3, 0, *[not transient] * 2)
    assert running.state.error is None
    assert running.state.connector == connector
    assert running.connected == dict.fromkeys(ALL, True)
    assert running.changes_in is None
    assert running.monitor.next_poll_in == 30


async def test_a_failure_that_cannot_be_recorded(
    running: Monitored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next poll comes at the interval, however long the last pause was."""
    running.monitor.failed(MissingScope())
    assert running.monitor.next_poll_in == 900

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(LineTracker, "record", fail)
    with pytest.raises(RuntimeError):
        running.monitor.failed(ServerFault())
    assert running.monitor.next_poll_in == 30


async def test_closed_under_a_poll(running: Monitored) -> None:
    """An answer that comes after the end is not used."""
    running.portal.lines[MAIN].drop()
    running.monitor.closed = True
    with pytest.raises(MonitorClosedError):
        await running.poll(30)
    assert running.connected[MAIN] is True
