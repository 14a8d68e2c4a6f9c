"""The telephony methods of the portal's REST API, and what they answer.

All of them need the scope `telephony`, and the permission "Manage numbers: change" of
the webhook's owner. Not used: `voximplant.sip.get`, which answers SIP passwords.

What cannot be read is an `UnexpectedAnswer` for that one thing; it never becomes a
wrong value. Numbers may arrive as strings, and an empty object as PHP's `[]`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
import html
import re
from time import monotonic
from typing import Any

from .batching import BatchPlanner
from .client import MAX_COMMANDS, Bitrix24Client
from .errors import (
    Bitrix24Error,
    InvalidWebhook,
    MissingScope,
    PermanentError,
    RequestTimeout,
    Throttled,
    UnexpectedAnswer,
)
from .sip_codes import Cause, cause_of

SCOPE = "telephony"
STATUS_METHOD = "voximplant.sip.status"
LINES_METHOD = "voximplant.line.get"
CONNECTOR_METHOD = "voximplant.sip.connector.status"

MAX_TITLE = 100  # characters of a line's title that are kept
MAX_MESSAGE = 255  # characters of an error message that are kept
MAX_REG_ID = 2**63 - 1
# A request that can have no more than this many seconds is not begun.
SHORTEST_REQUEST = 1.0
# Kept back for asking whether the portal answers at all, as long as it did not.
PROBE_SECONDS = 5.0

# `PAID` is a boolean in the documentation, and passed on from elsewhere by the server.
_YES_NO = {"true": True, "1": True, "y": True, "false": False, "0": False, "n": False}
_REG_KEY = re.compile(r"reg([1-9][0-9]{0,18})")
_NOT_SHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\s]+"
)


class RegistrationStatus(StrEnum):
    """The documented values of `STATUS_RESULT`."""

    SUCCESS = "success"
    ERROR = "error"
    IN_PROGRESS = "in_progress"
    WAIT = "wait"


_DOCUMENTED = {status.value: status for status in RegistrationStatus}


@dataclass(frozen=True, slots=True)
class SipRegistration:
    """One answer of `voximplant.sip.status`.

    reg_id: `REG_ID`; status_result: `STATUS_RESULT` as the portal says it, which may be
    a word that is not documented; status_code: the SIP response code of the REGISTER,
    None while there is none; error_message: the text for it, "" where there is none;
    last_updated: "date and time of the last update of the status", as the documentation
    has it since March 2026, read as UTC (the portal names no zone).
    """

    reg_id: int
    status_result: str
    status_code: int | None = None
    error_message: str = ""
    last_updated: datetime | None = None

    @property
    def status(self) -> RegistrationStatus | None:
        """The status, None for a word that is not documented."""
        return _DOCUMENTED.get(self.status_result)

    @property
    def registered(self) -> bool:
        """Whether the line is registered: only "success" ever says so."""
        return self.status_result == RegistrationStatus.SUCCESS

    @property
    def settled(self) -> bool:
        """Whether this is the portal's final word, rather than a passing state."""
        return self.registered or self.status_result == RegistrationStatus.ERROR

    @property
    def cause(self) -> Cause | None:
        """Why the line is not registered, None where it is."""
        if self.registered:
            return None
        return cause_of(self.status_code, self.error_message, settled=self.settled)


@dataclass(frozen=True, slots=True)
class SipLine:
    """A Cloud PBX line that the portal lists. title: "" where there is none."""

    reg_id: int
    title: str = ""


@dataclass(frozen=True, slots=True)
class SipConnector:
    """The portal's paid option "SIP Connector". paid_until is None when not paid."""

    paid: bool | None = None
    paid_until: datetime | None = None
    free_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What one poll brought. None: not asked."""

    registrations: dict[int, SipRegistration | Bitrix24Error]
    lines: dict[int, SipLine] | Bitrix24Error | None = None
    connector: SipConnector | Bitrix24Error | None = None


class Telephony:
    """The telephony of one portal."""

    def __init__(
        self, client: Bitrix24Client, planner: BatchPlanner | None = None
    ) -> None:
        """Take the client of the portal, and what is known of how it copes."""
        self.client = client
        self.planner = planner or BatchPlanner(MAX_COMMANDS)
        # One answer of each kind, the latest, as it came: for diagnostics.
        self.samples: dict[str, Any] = {}

    async def validate_webhook(self) -> dict[int, SipLine]:
        """Return the portal's lines if the webhook can do all that is needed; or raise.

        One request. `profile` needs no right, so it tells a dead webhook from a missing
        right; it is empty where the webhook's owner was dismissed.
        """
        answer = await self.client.batch(
            {"profile": "profile", "scope": "scope", "lines": LINES_METHOD}
        )
        if answer.results.get("profile") == []:
            raise InvalidWebhook
        scope = answer.results.get("scope")
        if isinstance(scope, list) and SCOPE not in scope:
            raise MissingScope
        for error in answer.errors.values():
            raise error
        return parse_lines(answer.results["lines"])

    async def ask_now(
        self, reg_ids: Sequence[int], *, seconds: float = 60.0
    ) -> dict[int, SipRegistration | Bitrix24Error]:
        """Return the answer or the error of each registration, apart from the polls.

        The portal is asked about all of them, also those that the polls let rest, and
        nothing of it changes what the polls know and count. Raises like `poll`.
        """
        apart = Telephony(self.client.separate(), self.planner.without_rests())
        return (await apart.poll(reg_ids, seconds=seconds)).registrations

    async def poll(
        self,
        reg_ids: Sequence[int],
        *,
        with_lines: bool = False,
        with_connector: bool = False,
        partial: bool = False,
        seconds: float = 60.0,
    ) -> Answers:
        """Ask all that is wanted in as few requests as the portal copes with.

        One request after the other, within `seconds` altogether. Raises a Bitrix24Error
        where the portal answered nothing, or refuses all that was asked for one reason;
        otherwise what failed has its error in the answer. A time-out is the lines' own as
        long as the portal still answers a cheap question. partial: these are some lines
        of several, so what is refused to them is not refused to all.
        """
        ends = monotonic() + seconds
        extras: dict[str, str] = {}
        if with_lines:
            extras["lines"] = LINES_METHOD
        if with_connector:
            extras["connector"] = CONNECTOR_METHOD
        plan = self.planner.plan(reg_ids, len(extras), seconds)
        results: dict[str, Any] = {}
        errors: dict[str, Bitrix24Error] = {}
        answered = False
        failure: Bitrix24Error | None = None
        for at, chunk in enumerate(plan.requests):
            commands = dict(extras) if at == 0 else {}
            commands |= {_key(r): f"{STATUS_METHOD}?REG_ID={r}" for r in chunk}
            left = ends - monotonic()
            if not answered:
                left -= min(PROBE_SECONDS, seconds / 3)
            if failure or left < SHORTEST_REQUEST:
                errors |= dict.fromkeys(commands, failure or RequestTimeout())
                self.planner.not_reached(chunk)
                continue
            try:
                answer = await self.client.batch(
                    commands, seconds=plan.seconds_for(at, left)
                )
            except RequestTimeout as error:
                errors |= dict.fromkeys(commands, error)
                if error.seconds is None:
                    self.planner.not_reached(chunk)
                else:
                    self.planner.lost(chunk, len(commands), error.seconds)
            except Bitrix24Error as error:
                errors |= dict.fromkeys(commands, error)
                failure = error  # the other requests would only meet it again
            else:
                answered = True
                silent = [r for r in chunk if _key(r) in answer.errors]
                self.planner.answered(chunk, silent, len(commands), answer.seconds)
                results |= answer.results
                errors |= answer.errors
        if failure and not answered:
            raise failure
        if answered and not partial:
            _raise_common_refusal(errors, results, plan.requests)
        elif not answered:
            results |= await self._probe(max(ends - monotonic(), SHORTEST_REQUEST))
            errors.pop("lines", None)
        errors |= {_key(reg_id): RequestTimeout() for reg_id in plan.resting}
        self.samples |= {key: results[key] for key in _PARSERS if key in results}
        return Answers(
            {reg_id: self._registration(reg_id, results, errors) for reg_id in reg_ids},
            _parsed("lines", results, errors),
            _parsed("connector", results, errors),
        )

    async def _probe(self, seconds: float) -> dict[str, Any]:
        """Ask for the list of lines, which costs the portal nothing; raise if it fails.

        So a provider that hangs is told from a portal that does not answer.
        """
        answer = await self.client.batch({"lines": LINES_METHOD}, seconds=seconds)
        for error in answer.errors.values():
            if isinstance(error, PermanentError | Throttled):
                raise error
        return answer.results

    def _registration(
        self,
        reg_id: int,
        results: Mapping[str, Any],
        errors: Mapping[str, Bitrix24Error],
    ) -> SipRegistration | Bitrix24Error:
        """Return what a line answered, or its error."""
        key = _key(reg_id)
        if key in errors:
            return errors[key]
        self.samples["status"] = results[key]
        try:
            return parse_registration(results[key], reg_id)
        except UnexpectedAnswer as error:
            return error


def _raise_common_refusal(
    errors: Mapping[str, Bitrix24Error],
    results: Mapping[str, Any],
    requests: list[list[int]],
) -> None:
    """Raise where the portal refuses all of the lines for one and the same reason.

    Where no line was asked, the same goes for what else was.
    """
    keys = [_key(reg_id) for chunk in requests for reg_id in chunk]
    refusals = [errors.get(key) for key in keys or [*errors, *results]]
    first = refusals[0]
    if isinstance(first, PermanentError | Throttled) and all(
        type(refusal) is type(first) for refusal in refusals
    ):
        raise first


def _key(reg_id: int) -> str:
    """Return a batch's key for a registration: no number, as PHP would renumber those."""
    return f"s{reg_id}"


def _parsed(
    key: str, results: Mapping[str, Any], errors: Mapping[str, Bitrix24Error]
) -> Any:
    """Return what the portal answered about itself, its error, or None if not asked."""
    if key in errors:
        return errors[key]
    if key not in results:
        return None
    try:
        return _PARSERS[key](results[key])
    except UnexpectedAnswer as error:
        return error


def parse_registration(result: Any, reg_id: int) -> SipRegistration:
    """Read a result of `voximplant.sip.status` for a REG_ID; raise UnexpectedAnswer.

    Without a status, or with another line's REG_ID, it says nothing about this line.
    """
    if not isinstance(result, dict):
        raise UnexpectedAnswer
    word = result.get("STATUS_RESULT")
    answered_id = result.get("REG_ID")
    if not isinstance(word, str):
        raise UnexpectedAnswer
    if word not in _DOCUMENTED and not (word := clean(word, 64).lower()):
        raise UnexpectedAnswer
    if answered_id is not None and parse_int(answered_id) != reg_id:
        raise UnexpectedAnswer
    code = parse_int(result.get("STATUS_CODE"))
    message = result.get("ERROR_MESSAGE")
    return SipRegistration(
        reg_id,
        word,
        code if code is not None and 100 <= code <= 999 else None,
        clean(message, MAX_MESSAGE) if message and isinstance(message, str) else "",
        parse_time(result.get("LAST_UPDATED")),
    )


def parse_lines(result: Any) -> dict[int, SipLine]:
    """Read a result of `voximplant.line.get`: keys `reg<REG_ID>`; raise UnexpectedAnswer.

    Other keys are office PBXs (`sip…`) and rented numbers. Titles are HTML-escaped.
    """
    if result == []:
        return {}
    if not isinstance(result, dict):
        raise UnexpectedAnswer
    lines = {}
    for key, title in result.items():
        if (match := _REG_KEY.fullmatch(key)) and (reg_id := parse_reg_id(match[1])):
            escaped = title[: MAX_TITLE * 8] if isinstance(title, str) else ""
            text = clean(html.unescape(escaped), MAX_TITLE)
            lines[reg_id] = SipLine(reg_id, text)
    return lines


def parse_connector(result: Any) -> SipConnector:
    """Read a result of `voximplant.sip.connector.status`; raise UnexpectedAnswer."""
    if not isinstance(result, dict):
        raise UnexpectedAnswer
    paid = _YES_NO.get(str(result.get("PAID")).strip().lower())
    minutes = parse_int(result.get("FREE_MINUTES"))
    return SipConnector(
        paid=paid,
        paid_until=parse_time(result.get("PAID_DATE_END")) if paid else None,
        free_minutes=minutes if minutes is not None and 0 <= minutes < 10**6 else None,
    )


_PARSERS = {"lines": parse_lines, "connector": parse_connector}


def parse_reg_id(value: Any) -> int | None:
    """Return a REG_ID, a positive integer, or None."""
    number = parse_int(value)
    return number if number is not None and 0 < number <= MAX_REG_ID else None


def parse_int(value: Any) -> int | None:
    """Return a whole number that may be written as a string, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,19}\s*", value, re.ASCII):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def parse_time(value: Any) -> datetime | None:
    """Return a point in time, in UTC, or None. Without a zone it is read as UTC."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except ValueError, OverflowError:
        return None
    return time if 2000 <= time.year < 2200 else None


def clean(text: str, length: int) -> str:
    """Return text on one line without control characters, cut to a length."""
    if len(text) <= length and text.isprintable() and text == " ".join(text.split()):
        return text  # as almost always
    text = _NOT_SHOWN.sub(" ", text[: length * 4]).strip()
    # Half a surrogate pair can stand in JSON, but in no state and in no file.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
