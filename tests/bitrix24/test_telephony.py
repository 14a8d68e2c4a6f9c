"""A poll's requests, when some of them fail."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from time import monotonic, time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.bitrix24_sip.bitrix24 import (
    OutgoingLine,
    PortalLinks,
    SipConnector,
    SipRegistration,
    Telephony,
)
from custom_components.bitrix24_sip.bitrix24.errors import (
    ConnectionFailed,
    MissingPermission,
    OperatingTimeExceeded,
    RegistrationNotFound,
    RequestTimeout,
    ServerFault,
    Throttled,
    UnexpectedAnswer,
)
from dev.portal import METHODS, Portal
from dev.portal.faults import FAULTS, ErrorReply, Hang, Hold, Result
from tests.conftest import MAIN, SALES, SUPPORT, asked, until

STATUS = "voximplant.sip.status"
LINES = "voximplant.line.get"
# Longer than any answer of the simulated portal takes by itself, in seconds.
HANG_SECONDS_IN_TEST = 1.5
ALL = [MAIN, SALES, SUPPORT]


@pytest.fixture
def many(portal: Portal) -> list[int]:
    """Provide the REG_IDs of 120 lines: three batches."""
    reg_ids = list(range(300001, 300121))
    for reg_id in reg_ids:
        portal.add_line(reg_id)
    return reg_ids


async def test_all_in_one(telephony: Telephony, portal: Portal) -> None:
    """Everything else that is due is requested together with the statuses."""
    answers = await telephony.poll(
        ALL,
        with_lines=True,
        with_connector=True,
        with_outgoing=True,
        with_links=True,
    )
    assert len(portal.requests) == 1
    assert answers.registrations.keys() == set(ALL)
    assert isinstance(answers.lines, dict)
    assert answers.lines.keys() == set(ALL)
    assert isinstance(answers.connector, SipConnector)
    assert answers.outgoing == OutgoingLine(MAIN)
    page = f"{portal.url}/settings/license_phone_sip.php"
    assert answers.links == PortalLinks(buy_connector=page)
    assert (await telephony.poll(ALL)).lines is None


@pytest.mark.parametrize("permitted", [True, False])
async def test_a_portal_without_lines_and_without_the_newer_methods(
    telephony: Telephony, portal: Portal, permitted: bool
) -> None:
    """The list of lines alone decides whether the portal can be monitored."""
    portal.permitted = permitted
    portal.lines.clear()
    extras = ("voximplant.line.outgoing.get", "voximplant.url.get")
    older = {name: call for name, call in METHODS.items() if name not in extras}
    for methods in (older, METHODS):
        portal.methods = methods
        asking = telephony.poll(
            [], with_lines=True, with_outgoing=True, with_links=True
        )
        if permitted:
            assert (await asking).lines == {}
        else:
            with pytest.raises(MissingPermission):
                await asking


async def test_no_lines_to_poll(telephony: Telephony, portal: Portal) -> None:
    """Without lines, the poll still checks that the portal answers."""
    assert (await telephony.poll([])).registrations == {}
    assert portal.commands("voximplant.line.get") == 1
    portal.fault(FAULTS["nginx_503"])
    with pytest.raises(ServerFault):
        await telephony.poll([])


async def test_one_command_fails(telephony: Telephony, portal: Portal) -> None:
    """A failed command affects its own line only."""
    portal.lines[SALES].unreachable = True
    portal.lines[SUPPORT].raw = {"STATUS_RESULT": None}
    answers = (await telephony.poll(ALL)).registrations
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SALES], RegistrationNotFound)
    assert isinstance(answers[SUPPORT], UnexpectedAnswer)


async def test_the_list_is_malformed(telephony: Telephony, portal: Portal) -> None:
    """A malformed list does not affect the statuses of the lines."""
    portal.fault(Result("nonsense"), method="voximplant.line.get")
    portal.fault(Result([]), method="voximplant.sip.connector.status")
    answers = await telephony.poll(ALL, with_lines=True, with_connector=True)
    assert isinstance(answers.lines, UnexpectedAnswer)
    assert isinstance(answers.connector, UnexpectedAnswer)
    assert isinstance(answers.registrations[MAIN], SipRegistration)


async def test_the_list_is_refused(telephony: Telephony, portal: Portal) -> None:
    """So are list and connector, each for a reason of its own."""
    portal.fault(FAULTS["missing_permission"], method=LINES)
    portal.connector.fails = True
    answers = await telephony.poll(ALL, with_lines=True, with_connector=True)
    assert isinstance(answers.lines, MissingPermission)
    assert isinstance(answers.connector, ServerFault)
    assert isinstance(answers.registrations[MAIN], SipRegistration)


async def test_a_portal_that_fails_is_not_asked_again(
    telephony: Telephony, portal: Portal
) -> None:
    """An error of the only request is the poll's, even if the portal recovers at once."""
    portal.fault(FAULTS["nginx_502"], times=3)
    with pytest.raises(ServerFault):
        await telephony.poll(ALL)
    assert len(portal.requests) == 3


async def test_some_lines_are_refused(telephony: Telephony, portal: Portal) -> None:
    """What is refused to some lines of several is not refused to all."""
    portal.permitted = False
    answers = (await telephony.poll([MAIN], partial=True)).registrations
    assert isinstance(answers[MAIN], MissingPermission)
    assert len(portal.requests) == 1


async def test_samples(telephony: Telephony, portal: Portal) -> None:
    """The latest answer of each kind is kept as it came, for diagnostics."""
    await telephony.poll(ALL, with_lines=True, with_connector=True)
    portal.lines[SUPPORT].drop(487)
    await telephony.poll(ALL)
    assert telephony.samples.keys() == {"status", "lines", "connector"}
    assert telephony.samples["status"]["STATUS_CODE"] == 487
    assert telephony.samples["lines"][f"reg{MAIN}"] == "Main line"


async def test_the_list_is_requested_once(
    telephony: Telephony, portal: Portal, many: list[int]
) -> None:
    """The list and the connector are in the first request only."""
    portal.lines[many[0]].unreachable = True
    answers = await telephony.poll(many, with_lines=True, with_connector=True)
    assert isinstance(answers.registrations[many[0]], RegistrationNotFound)
    assert isinstance(answers.registrations[many[-1]], SipRegistration)
    assert [len(request.commands) for request in portal.requests] == [50, 50, 22]
    assert portal.commands(LINES) == 1


@pytest.mark.parametrize("slug", ["nginx_502", "nginx_504"])
async def test_an_error_of_an_earlier_request_is_kept(
    telephony: Telephony, portal: Portal, many: list[int], slug: str
) -> None:
    """Each line has the error of its own request."""
    portal.lines[many[0]].unreachable = True
    portal.fault(FAULTS[slug], skip=1)
    answers = (await telephony.poll(many)).registrations
    assert isinstance(answers[many[0]], RegistrationNotFound)
    assert isinstance(answers[many[1]], SipRegistration)
    assert isinstance(answers[many[50]], ServerFault | RequestTimeout)


async def test_a_later_request_fails(
    telephony: Telephony, portal: Portal, many: list[int]
) -> None:
    """Earlier answers are kept, and no further requests are sent."""
    portal.fault(FAULTS["nginx_502"], skip=1)
    answers = (await telephony.poll(many)).registrations
    assert all(isinstance(answers[r], SipRegistration) for r in many[:50])
    assert all(isinstance(answers[r], ServerFault) for r in many[50:])
    assert len(portal.requests) == 1 + 3
    portal.clear_faults()
    portal.requests.clear()
    answers = (await telephony.poll(many)).registrations
    first = portal.requests[0].commands[0]
    assert first[2] == {"REG_ID": str(many[100])}, "what was not reached comes first"
    assert all(isinstance(answers[r], SipRegistration) for r in many)


async def test_the_webhook_is_revoked_between_requests(
    telephony: Telephony, portal: Portal, many: list[int]
) -> None:
    """The lines of that request and of later ones get its error."""
    portal.fault(FAULTS["missing_permission"], skip=1)
    answers = (await telephony.poll(many)).registrations
    assert all(isinstance(answers[r], SipRegistration) for r in many[:50])
    assert all(isinstance(answers[r], MissingPermission) for r in many[50:])
    assert len(portal.requests) == 2
    with pytest.raises(MissingPermission):
        await telephony.poll(many)


async def test_all_commands_are_refused(telephony: Telephony, portal: Portal) -> None:
    """A permanent error that all commands have in common is the poll's error."""
    portal.permitted = False
    with pytest.raises(MissingPermission):
        await telephony.poll(ALL)
    with pytest.raises(MissingPermission):
        await telephony.poll(ALL, with_lines=True, with_connector=True)
    with pytest.raises(MissingPermission):
        await telephony.poll([], with_lines=True)


async def test_the_list_alone_is_refused(telephony: Telephony, portal: Portal) -> None:
    """Without any line, too, one of several refusals is not that of the poll."""
    portal.fault(FAULTS["missing_permission"], method=LINES)
    answers = await telephony.poll([], with_lines=True, with_connector=True)
    assert isinstance(answers.lines, MissingPermission)
    assert isinstance(answers.connector, SipConnector)


async def test_what_is_not_needed_is_refused(
    telephony: Telephony, portal: Portal
) -> None:
    """Without lines, too, that is no reason to refuse the poll."""
    portal.fault(FAULTS["missing_permission"], method="voximplant.line.outgoing.get")
    answers = await telephony.poll([], with_outgoing=True)
    assert isinstance(answers.outgoing, MissingPermission)


async def test_the_delay_is_measured(telephony: Telephony, portal: Portal) -> None:
    """Each answer tells how long the portal takes for a command."""
    await telephony.poll(ALL)
    assert telephony.planner.seconds_per_command > 0


async def test_all_commands_are_throttled(telephony: Telephony, portal: Portal) -> None:
    """The operating time limit stops the whole poll, even if the list is answered."""
    portal.fault(FAULTS["operation_time"], method=STATUS)
    with pytest.raises(OperatingTimeExceeded):
        await telephony.poll(ALL, with_lines=True)


async def test_some_commands_are_throttled(
    telephony: Telephony, portal: Portal
) -> None:
    """The limit may be reached in the middle of a batch."""
    portal.fault(FAULTS["operation_time"], method=STATUS, skip=2)
    answers = (await telephony.poll(ALL)).registrations
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SUPPORT], Throttled)


async def test_commands_fail_for_different_reasons(
    telephony: Telephony, portal: Portal
) -> None:
    """Each line then has its own error."""
    portal.fault(FAULTS["missing_permission"], method=STATUS, reg_id=MAIN)
    portal.fault(ErrorReply("NEW"), method=STATUS)
    answers = (await telephony.poll(ALL)).registrations
    assert isinstance(answers[MAIN], MissingPermission)
    assert answers[SALES].__class__ is answers[SUPPORT].__class__


async def test_hanging_lines_do_not_hide_the_others(
    telephony: Telephony, portal: Portal
) -> None:
    """After a batch is lost to a hanging line, the next poll has the other lines."""
    portal.cut_after = 1.0
    portal.lines[SALES].delay = 60
    answers = (await telephony.poll(ALL)).registrations
    assert all(isinstance(answer, RequestTimeout) for answer in answers.values())
    answers = (await telephony.poll(ALL)).registrations
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SUPPORT], SipRegistration)
    assert isinstance(answers[SALES], RequestTimeout)
    portal.requests.clear()
    answers = (await telephony.poll(ALL)).registrations
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SALES], RequestTimeout)
    assert len(portal.requests) == 1, "the line that hung rests"


async def test_a_single_line_that_hangs(telephony: Telephony, portal: Portal) -> None:
    """Its time-out affects only that line if the portal answers a cheap request."""
    portal.cut_after = 0.3
    portal.lines[MAIN].delay = 60
    for requests in (2, 2, 1):  # asked and cut off, cut off again on its own, resting
        portal.requests.clear()
        answers = await telephony.poll([MAIN])
        assert isinstance(answers.registrations[MAIN], RequestTimeout)
        assert isinstance(answers.lines, dict)
        assert answers.lines.keys() == set(ALL)
        assert len(portal.requests) == requests
        assert [name for _, name, _ in portal.requests[-1].commands] == [LINES]
    portal.fault(FAULTS["nginx_502"])
    with pytest.raises(ServerFault):
        await telephony.poll([MAIN])


async def test_neither_line_nor_portal_answers(
    telephony: Telephony, portal: Portal
) -> None:
    """If the cheap request also times out, that is the portal's fault."""
    portal.fault(FAULTS["nginx_504"])
    with pytest.raises(RequestTimeout):
        await telephony.poll(ALL)
    assert len(portal.requests) == 2


async def test_the_cheap_request_is_refused(
    telephony: Telephony, portal: Portal
) -> None:
    """A permanent error fails the whole poll, another error does not."""
    portal.fault(FAULTS["nginx_504"], times=1)
    portal.fault(ErrorReply("ERROR_CORE", "", 500), method=LINES)
    answers = await telephony.poll(ALL, with_lines=True)
    assert isinstance(answers.registrations[MAIN], RequestTimeout)
    assert answers.lines is None
    portal.clear_faults()
    portal.fault(FAULTS["nginx_504"], times=1)
    portal.permitted = False
    with pytest.raises(MissingPermission):
        await Telephony(telephony.client).poll(ALL)
    portal.clear_faults()
    portal.permitted = True
    portal.fault(FAULTS["nginx_504"], times=1)
    portal.fault(FAULTS["operation_time"], method=LINES)
    with pytest.raises(OperatingTimeExceeded):
        await Telephony(telephony.client).poll(ALL)


async def test_time_runs_out(telephony: Telephony, portal: Portal) -> None:
    """Lines that the poll has no time left for are left to the next poll."""
    portal.fault(Hang(), times=2)
    began = monotonic()
    with pytest.raises(RequestTimeout):
        await telephony.poll(ALL, seconds=3.6)
    assert monotonic() - began < 5
    portal.command_delay = 0.9
    answers = (await telephony.poll(ALL, seconds=2.6)).registrations
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SUPPORT], RequestTimeout)
    portal.command_delay = 0
    portal.requests.clear()
    answers = (await telephony.poll(ALL)).registrations
    assert all(isinstance(answer, SipRegistration) for answer in answers.values())


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("seconds", [0.0, -1.0, 1.45])
async def test_no_time_at_all(
    telephony: Telephony, portal: Portal, seconds: float, slow: bool
) -> None:
    """Only the cheap request is sent then."""
    if slow:
        telephony.planner.answered(ALL, (), 3, 6.0)
    answers = (await telephony.poll(ALL, seconds=seconds)).registrations
    assert all(isinstance(answer, RequestTimeout) for answer in answers.values())
    assert portal.commands(STATUS) == 0


async def test_just_enough_time(
    telephony: Telephony, portal: Portal, freezer: FrozenDateTimeFactory
) -> None:
    """A third is kept back for the cheap request, and a second is enough for the rest."""
    answers = (await telephony.poll(ALL, seconds=1.5)).registrations
    assert all(isinstance(answer, SipRegistration) for answer in answers.values())


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("passed", "answer"), [(54.5, SipRegistration), (55.5, RequestTimeout)]
)
async def test_time_kept_back_for_the_cheap_request(
    telephony: Telephony,
    portal: Portal,
    advance: Callable[[float], None],
    passed: float,
    answer: type,
    apart: bool,
) -> None:
    """Of the minute that a poll may take, five seconds are left for it."""
    released = asyncio.Event()
    portal.fault(Hold(released), times=1)
    ask: Callable[..., Any] = telephony.ask_now if apart else telephony.poll
    task = asyncio.create_task(ask(ALL))
    await until(lambda: bool(portal.requests))
    advance(passed)
    released.set()
    result = await task
    answers = getattr(result, "registrations", result)
    assert {type(found) for found in answers.values()} == {answer}


async def test_a_line_whose_provider_hangs(
    telephony: Telephony, portal: Portal, freezer: FrozenDateTimeFactory
) -> None:
    """A slow answer isolates the lines without a status, and no others."""
    ticks = iter([10.0])

    def clock() -> float:
        freezer.tick(next(ticks, 0.0))
        return time()

    portal.clock = clock
    portal.lines[SALES].unreachable = True
    await telephony.poll(ALL)
    assert telephony.planner.isolated == {SALES}


async def test_no_time_is_kept_back_from_a_portal_that_answers(
    telephony: Telephony, portal: Portal, freezer: FrozenDateTimeFactory
) -> None:
    """After the first answer, the other requests have all of the time that is left."""
    telephony.planner.lost([SALES, SUPPORT], 2, 0.0)
    ticks = iter([3.5])

    def clock() -> float:
        freezer.tick(next(ticks, 0.0))
        return time()

    portal.clock = clock
    answers = (await telephony.poll(ALL, seconds=6.0)).registrations
    assert all(isinstance(answer, SipRegistration) for answer in answers.values())


async def test_waiting_for_the_lock_is_not_the_portals_delay(
    telephony: Telephony, portal: Portal
) -> None:
    """A poll that waits for an action does not change batch sizes or isolate a line."""
    portal.lines[SALES].unreachable = True
    released = asyncio.Event()
    portal.fault(Hold(released), times=1)
    action = asyncio.create_task(telephony.ask_now([MAIN]))
    await asyncio.sleep(0)
    poll = asyncio.create_task(telephony.poll(ALL))
    await asyncio.sleep(HANG_SECONDS_IN_TEST)
    released.set()
    await action
    await poll
    assert telephony.planner.seconds_per_command < HANG_SECONDS_IN_TEST / 3
    assert telephony.planner.isolated == frozenset()


async def test_the_lock_is_not_released_in_time(
    telephony: Telephony, portal: Portal
) -> None:
    """The wait counts towards the poll's time, and batch sizes do not change."""
    released = asyncio.Event()
    portal.fault(Hold(released), times=1)
    action = asyncio.create_task(telephony.ask_now([MAIN]))
    await asyncio.sleep(0)
    with pytest.raises(RequestTimeout) as caught:
        await telephony.poll(ALL, seconds=1.6)
    assert caught.value.seconds is None
    assert telephony.planner.isolated == frozenset()
    released.set()
    assert isinstance((await action)[MAIN], SipRegistration)
    assert portal.commands(STATUS) == 1


async def test_the_lock_is_not_released_for_a_later_request(
    telephony: Telephony,
    portal: Portal,
    many: list[int],
    advance: Callable[[float], None],
) -> None:
    """Lines that are not reached for this reason, too, come first in the next poll."""
    first, second = asyncio.Event(), asyncio.Event()
    portal.fault(Hold(first), times=1)
    portal.fault(Hold(second), skip=1, times=1)
    poll = asyncio.create_task(telephony.poll(many[:100], seconds=20))
    await until(lambda: bool(portal.requests))
    action = asyncio.create_task(telephony.ask_now([MAIN]))
    await asyncio.sleep(0)
    first.set()
    await until(lambda: len(portal.requests) == 2)
    advance(21)
    answers = (await poll).registrations
    assert all(isinstance(answers[r], SipRegistration) for r in many[:50])
    assert all(isinstance(answers[r], RequestTimeout) for r in many[50:100])
    second.set()
    await action
    await telephony.poll(many[:100])
    assert asked(portal)[51:101] == many[50:100]


async def test_ask_now(telephony: Telephony, portal: Portal) -> None:
    """All lines are requested, also those that hang; later polls are not affected."""
    portal.cut_after = 0.3
    portal.lines[SALES].delay = 60
    for _ in range(3):
        await telephony.poll(ALL)
    assert telephony.planner.isolated == {SALES}
    before = (
        asdict(telephony.client.statistics),
        dict(telephony.samples),
        telephony.planner.seconds_per_command,
    )
    portal.requests.clear()
    answers = await telephony.ask_now(ALL)
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SALES], RequestTimeout)
    assert portal.requests[1].commands[0][2] == {"REG_ID": str(SALES)}
    portal.cut_after = 60
    portal.lines[SALES].delay = 0
    portal.lines[SALES].drop()
    answer = (await telephony.ask_now([SALES]))[SALES]
    assert isinstance(answer, SipRegistration)
    assert answer.status_code == 403
    assert telephony.planner.isolated == {SALES}
    assert before == (
        asdict(telephony.client.statistics),
        telephony.samples,
        telephony.planner.seconds_per_command,
    )
    assert isinstance((await telephony.poll(ALL)).registrations[SALES], RequestTimeout)


async def test_the_session_closes_during_a_poll(
    telephony: Telephony, portal: Portal, many: list[int]
) -> None:
    """Home Assistant does that when it unloads the entry during a poll."""
    released = asyncio.Event()
    portal.fault(Hold(released), times=1)
    action = asyncio.create_task(telephony.ask_now([MAIN]))
    poll = asyncio.create_task(telephony.poll(many))
    await asyncio.sleep(0.05)
    await telephony.client._session.close()
    released.set()
    with pytest.raises(ConnectionFailed):
        await action
    with pytest.raises(ConnectionFailed):
        await poll
