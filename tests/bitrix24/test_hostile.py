"""A whole poll over HTTP with arbitrary answers: a value, unknown, or a typed error."""

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings, strategies as st

from custom_components.bitrix24_sip.bitrix24 import (
    Bitrix24Error,
    OutgoingLine,
    PermanentError,
    PortalLinks,
    SipConnector,
    SipLine,
    SipRegistration,
    Telephony,
    TransientError,
)
from dev.portal import Portal
from dev.portal.faults import Body
from tests.conftest import MAIN, SALES, SUPPORT

from .test_parsing import FIELDS, json_values

ALL = (MAIN, SALES, SUPPORT)

registrations = st.one_of(
    json_values,
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values)),
    st.just({"REG_ID": MAIN, "STATUS_RESULT": "success"}),
)
errors = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {}, optional={"error": json_values, "error_description": json_values}
    ),
)
EXTRAS = ("lines", "connector", "outgoing", "links")
keys = st.sampled_from([*(f"s{reg_id}" for reg_id in ALL), *EXTRAS, "0"])
parts = st.fixed_dictionaries(
    {},
    optional={
        "result": st.dictionaries(keys, registrations) | json_values,
        "result_error": st.dictionaries(keys, errors) | json_values,
        "result_time": st.dictionaries(keys, json_values) | json_values,
    },
)
answers = st.one_of(
    json_values,
    st.fixed_dictionaries({}, optional={"result": parts, "time": json_values}),
    st.fixed_dictionaries(
        {}, optional={"error": json_values, "error_description": json_values}
    ),
)
bodies = st.one_of(answers.map(json.dumps), st.text(), st.binary())
PATIENT = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@PATIENT
@example(body="[" * 100_000, status=200)
@example(body='{"result":' * 50_000, status=200)
@example(body='{"result":' + "9" * 5000 + "}", status=200)
@example(
    body='{"result":{"result":{"s201001":{"STATUS_RESULT":"\\ud800"}}}}', status=200
)
@given(body=bodies, status=st.sampled_from([200, 200, 200, 400, 401, 403, 404, 500]))
async def test_any_answer(
    telephony: Telephony, portal: Portal, body: str | bytes, status: int
) -> None:
    """An answer raises no other error, and never becomes the answer of another line."""
    portal.clear_faults()
    portal.fault(
        Body(body.encode("utf-8", "replace") if isinstance(body, str) else body, status)
    )
    try:
        outcome = await telephony.poll(
            ALL, **{f"with_{extra}": True for extra in EXTRAS}
        )
    except Bitrix24Error as error:
        assert isinstance(error, TransientError | PermanentError)  # noqa: PT017
        return
    assert outcome.registrations.keys() == set(ALL)
    for reg_id, answer in outcome.registrations.items():
        assert isinstance(answer, SipRegistration | Bitrix24Error)
        if isinstance(answer, SipRegistration):
            assert answer.reg_id == reg_id
            assert answer.registered <= (b"success" in _bytes(body).lower())
    lines: Any = outcome.lines
    assert isinstance(lines, Bitrix24Error) or all(
        isinstance(line, SipLine) for line in lines.values()
    )
    assert isinstance(outcome.connector, SipConnector | Bitrix24Error)
    assert isinstance(outcome.outgoing, OutgoingLine | Bitrix24Error)
    assert isinstance(outcome.links, PortalLinks | Bitrix24Error)


def _bytes(body: str | bytes) -> bytes:
    """Return a body as it was sent."""
    return body.encode("utf-8", "replace") if isinstance(body, str) else body
