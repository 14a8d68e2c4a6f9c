"""A poll's requests, when some of them fail."""

import pytest

from custom_components.bitrix24_sip.bitrix24 import (
    SipConnector,
    SipRegistration,
    Telephony,
)
from custom_components.bitrix24_sip.bitrix24.errors import (
    MissingPermission,
    OperatingTimeExceeded,
    RegistrationNotFound,
    RequestTimeout,
    ServerFault,
    Throttled,
    UnexpectedAnswer,
)
from dev.portal import Portal
from dev.portal.faults import FAULTS, ErrorReply, Hang, Result
from tests.conftest import MAIN, SALES, SUPPORT

STATUS = "voximplant.sip.status"
ALL = [MAIN, SALES, SUPPORT]


@pytest.fixture
def many(portal: Portal) -> list[int]:
    """Provide the REG_IDs of 120 lines: three batches."""
    reg_ids = list(range(300001, 300121))
    for reg_id in reg_ids:
        portal.add_line(reg_id)
    return reg_ids


async def test_all_in_one(telephony: Telephony, portal: Portal) -> None:
    """List and connector come along with the statuses."""
    answers = await telephony.poll(ALL, with_lines=True, with_connector=True)
    assert len(portal.requests) == 1
    assert answers.registrations.keys() == set(ALL)
    assert isinstance(answers.lines, dict)
    assert answers.lines.keys() == set(ALL)
    assert isinstance(answers.connector, SipConnector)
    assert (await telephony.poll(ALL)).lines is None


async def test_nothing_to_ask(telephony: Telephony, portal: Portal) -> None:
    """Without any line, whether the portal answers is asked all the same."""
    assert (await telephony.poll([])).registrations == {}
    assert portal.commands("voximplant.line.get") == 1
    portal.fault(FAULTS["nginx_503"])
    with pytest.raises(ServerFault):
        await telephony.poll([])


async def test_a_command_fails(telephony: Telephony, portal: Portal) -> None:
    """It fails its line, not the others."""
    portal.lines[SALES].unreachable = True
    portal.lines[SUPPORT].raw = {"STATUS_RESULT": None}
    answers = await telephony.registration_statuses(ALL)
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SALES], RegistrationNotFound)
    assert isinstance(answers[SUPPORT], UnexpectedAnswer)


async def test_the_list_cannot_be_read(telephony: Telephony, portal: Portal) -> None:
    """The lines are known without it."""
    portal.fault(Result("nonsense"), method="voximplant.line.get")
    portal.fault(Result([]), method="voximplant.sip.connector.status")
    answers = await telephony.poll(ALL, with_lines=True, with_connector=True)
    assert isinstance(answers.lines, UnexpectedAnswer)
    assert isinstance(answers.connector, UnexpectedAnswer)
    assert isinstance(answers.registrations[MAIN], SipRegistration)


async def test_a_later_request_fails(
    telephony: Telephony, portal: Portal, many: list[int]
) -> None:
    """What was answered before is kept, and the portal is not bothered further."""
    portal.fault(FAULTS["nginx_502"], skip=1)
    answers = await telephony.registration_statuses(many)
    assert all(isinstance(answers[r], SipRegistration) for r in many[:50])
    assert all(isinstance(answers[r], ServerFault) for r in many[50:])
    assert len(portal.requests) == 1 + 3
    portal.clear_faults()
    portal.requests.clear()
    answers = await telephony.registration_statuses(many)
    first = portal.requests[0].commands[0]
    assert first[2] == {"REG_ID": str(many[100])}, "what was not reached comes first"
    assert all(isinstance(answers[r], SipRegistration) for r in many)


async def test_the_webhook_dies_between_requests(
    telephony: Telephony, portal: Portal, many: list[int]
) -> None:
    """What somebody has to mend concerns the whole poll."""
    portal.fault(FAULTS["missing_permission"], skip=1)
    with pytest.raises(MissingPermission):
        await telephony.registration_statuses(many)


async def test_all_commands_are_refused(telephony: Telephony, portal: Portal) -> None:
    """A batch of nothing but one lasting refusal is that refusal."""
    portal.permitted = False
    with pytest.raises(MissingPermission):
        await telephony.registration_statuses(ALL)
    with pytest.raises(MissingPermission):
        await telephony.poll(ALL, with_lines=True, with_connector=True)


async def test_all_commands_are_throttled(telephony: Telephony, portal: Portal) -> None:
    """The limit of operating time stops the whole poll, though the list is answered."""
    portal.fault(FAULTS["operation_time"], method=STATUS)
    with pytest.raises(OperatingTimeExceeded):
        await telephony.poll(ALL, with_lines=True)


async def test_some_commands_are_throttled(
    telephony: Telephony, portal: Portal
) -> None:
    """The limit may be reached in the middle of a batch."""
    portal.fault(FAULTS["operation_time"], method=STATUS, skip=2)
    answers = await telephony.registration_statuses(ALL)
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SUPPORT], Throttled)


async def test_commands_fail_for_different_reasons(
    telephony: Telephony, portal: Portal
) -> None:
    """Then no reason is common to all, and each line has its own."""
    portal.fault(FAULTS["missing_permission"], method=STATUS, reg_id=MAIN)
    portal.fault(ErrorReply("NEW"), method=STATUS)
    answers = await telephony.registration_statuses(ALL)
    assert isinstance(answers[MAIN], MissingPermission)
    assert answers[SALES].__class__ is answers[SUPPORT].__class__


async def test_hanging_lines_do_not_hide_the_others(
    telephony: Telephony, portal: Portal
) -> None:
    """A batch is lost to a line that hangs; in the next poll the others are known."""
    portal.cut_after = 1.0
    portal.lines[SALES].delay = 60
    with pytest.raises(RequestTimeout):
        await telephony.registration_statuses(ALL)
    answers = await telephony.registration_statuses(ALL)
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SUPPORT], SipRegistration)
    assert isinstance(answers[SALES], RequestTimeout)
    portal.requests.clear()
    answers = await telephony.registration_statuses(ALL)
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SALES], RequestTimeout)
    assert len(portal.requests) == 1, "the line that hung is left alone for a while"


async def test_time_runs_out(telephony: Telephony, portal: Portal) -> None:
    """What the poll has no time left for is not asked, and comes first next time."""
    portal.fault(Hang(), method="batch", times=1)
    with pytest.raises(RequestTimeout):
        await telephony.registration_statuses(ALL, seconds=1.2)
    portal.command_delay = 0.3
    answers = await telephony.registration_statuses(ALL, seconds=1.5)
    assert isinstance(answers[MAIN], SipRegistration)
    assert isinstance(answers[SUPPORT], RequestTimeout)
    portal.command_delay = 0
    answers = await telephony.registration_statuses(ALL)
    assert all(isinstance(answer, SipRegistration) for answer in answers.values())
