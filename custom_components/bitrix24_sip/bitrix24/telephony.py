"""The telephony methods of the portal's REST API, and their answers.

All of them need the scope `telephony`, and all but `voximplant.url.get` the permission
"Manage numbers: change" of the webhook's owner. `voximplant.sip.get` is not used, because
its answer contains SIP passwords.

A part of an answer that cannot be parsed is an `UnexpectedAnswer`; it never becomes a
wrong value. Numbers may be strings, and an empty object may be PHP's `[]`.
"""

from collections.abc import Callable, Mapping, Sequence
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
OUTGOING_METHOD = "voximplant.line.outgoing.get"
LINKS_METHOD = "voximplant.url.get"

MAX_TITLE = 100  # characters of a line's title that are kept
MAX_MESSAGE = 255  # characters of an error message that are kept
MAX_LINK = 500  # characters of a link; a longer one is not used
MAX_REG_ID = 2**63 - 1
# A request with less time than this many seconds is not sent.
SHORTEST_REQUEST = 1.0
# Reserved for the request that checks whether the portal answers at all.
PROBE_SECONDS = 5.0

# `PAID` is a boolean in the documentation; the server passes on what it receives.
_YES_NO = {"true": True, "1": True, "y": True, "false": False, "0": False, "n": False}
_REG_KEY = re.compile(r"reg([1-9][0-9]{0,18})")
_INTEGER = re.compile(r"\s*-?[0-9]{1,19}\s*", re.ASCII)
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

    reg_id: `REG_ID`; status_result: `STATUS_RESULT` as the portal sends it, also if it
    is not documented; status_code: the SIP response code of the REGISTER, None while
    there is none; error_message: the text for it, "" if there is none; last_updated:
    "date and time of the last update of the status" (documentation of March 2026),
    parsed as UTC, as the portal names no zone.
    """

    reg_id: int
    status_result: str
    status_code: int | None = None
    error_message: str = ""
    last_updated: datetime | None = None

    @property
    def status(self) -> RegistrationStatus | None:
        """The status, None if it is not documented."""
        return _DOCUMENTED.get(self.status_result)

    @property
    def registered(self) -> bool:
        """Whether the line is registered, which only "success" means."""
        return self.status_result == RegistrationStatus.SUCCESS

    @property
    def settled(self) -> bool:
        """Whether this is a final state of the registration."""
        return self.registered or self.status_result == RegistrationStatus.ERROR

    @property
    def cause(self) -> Cause | None:
        """Why the line is not registered, None where it is."""
        if self.registered:
            return None
        return cause_of(self.status_code, self.error_message, settled=self.settled)


@dataclass(frozen=True, slots=True)
class SipLine:
    """A Cloud PBX line that the portal lists. title: "" if there is none."""

    reg_id: int
    title: str = ""


@dataclass(frozen=True, slots=True)
class SipConnector:
    """The portal's paid option "SIP Connector". paid_until is None when not paid."""

    paid: bool | None = None
    paid_until: datetime | None = None
    free_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class OutgoingLine:
    """The portal's default line for outgoing calls.

    reg_id: None where it is an office PBX or a rented number, which has no REG_ID.
    """

    reg_id: int | None


@dataclass(frozen=True, slots=True)
class PortalLinks:
    """Addresses of pages of the portal. buy_connector: None where there is none."""

    buy_connector: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one poll. None: not requested."""

    registrations: dict[int, SipRegistration | Bitrix24Error]
    lines: dict[int, SipLine] | Bitrix24Error | None = None
    connector: SipConnector | Bitrix24Error | None = None
    outgoing: OutgoingLine | Bitrix24Error | None = None
    links: PortalLinks | Bitrix24Error | None = None


class Telephony:
    """The telephony of one portal."""

    def __init__(
        self, client: Bitrix24Client, planner: BatchPlanner | None = None
    ) -> None:
        """Set the client of the portal, and the planner with the portal's speed."""
        self.client = client
        self.planner = planner or BatchPlanner(MAX_COMMANDS)
        # The latest unparsed answer of each kind, for diagnostics.
        self.samples: dict[str, Any] = {}

    async def validate_webhook(self) -> dict[int, SipLine]:
        """Return the portal's lines if the webhook is sufficient, or raise.

        It sends one request. `profile` needs no scope, so it distinguishes a revoked
        webhook from a missing scope; it is empty if the webhook's owner was dismissed.
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

        All of them are requested, also those that the polls let rest, and neither
        planner nor statistics of the polls change. Raises like `poll`.
        """
        apart = Telephony(self.client.separate(), self.planner.without_rests())
        return (await apart.poll(reg_ids, seconds=seconds)).registrations

    async def poll(
        self,
        reg_ids: Sequence[int],
        *,
        with_lines: bool = False,
        with_connector: bool = False,
        with_outgoing: bool = False,
        with_links: bool = False,
        partial: bool = False,
        seconds: float = 60.0,
    ) -> Answers:
        """Send all that is wanted in as few requests as the portal's speed allows.

        Requests are sent one after the other, within `seconds` altogether. Raises a
        Bitrix24Error if the portal answered nothing, or refuses all for one reason;
        otherwise the answer has the errors. A time-out affects its lines only if the
        portal still answers a cheap request. partial: there are other lines, so a
        common error of these is not raised.
        """
        ends = monotonic() + seconds
        wanted = {
            "lines": with_lines,
            "connector": with_connector,
            "outgoing": with_outgoing,
            "links": with_links,
        }
        extras = {key: method for key, method in _METHODS.items() if wanted[key]}
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
                failure = error  # the other requests would end with the same error
            else:
                answered = True
                silent = [r for r in chunk if _key(r) in answer.errors]
                self.planner.answered(chunk, silent, len(commands), answer.seconds)
                results |= answer.results
                errors |= answer.errors
        if failure and not answered:
            raise failure
        if errors and not partial:
            _raise_common_refusal(errors, results, plan.requests)
        if not answered:
            results = await self._probe(max(ends - monotonic(), SHORTEST_REQUEST))
            errors.pop("lines", None)
        errors |= {_key(reg_id): RequestTimeout() for reg_id in plan.resting}
        self.samples |= {key: results[key] for key in _PARSERS if key in results}
        return Answers(
            {reg_id: self._registration(reg_id, results, errors) for reg_id in reg_ids},
            _parsed("lines", results, errors),
            _parsed("connector", results, errors),
            _parsed("outgoing", results, errors),
            _parsed("links", results, errors),
        )

    async def _probe(self, seconds: float) -> dict[str, Any]:
        """Request the list of lines, which is cheap for the portal; raise if it fails.

        This distinguishes a hanging provider from a portal that does not answer.
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
        """Return the registration of a line, or its error."""
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
    """Raise if the portal refuses all of the lines for the same reason.

    Without lines, the same applies to the list of lines and the connector. The other
    commands do not count: older portals lack them, and they need other rights.
    """
    keys = [_key(reg_id) for chunk in requests for reg_id in chunk]
    others = [key for key in _NEEDED if key in errors or key in results]
    refusals = [errors.get(key) for key in keys or others]
    first = next(iter(refusals), None)
    if isinstance(first, PermanentError | Throttled) and all(
        type(refusal) is type(first) for refusal in refusals
    ):
        raise first


def _key(reg_id: int) -> str:
    """Return a batch's key for a registration: no number, as PHP would renumber it."""
    return f"s{reg_id}"


def _parsed(
    key: str, results: Mapping[str, Any], errors: Mapping[str, Bitrix24Error]
) -> Any:
    """Return a parsed result of the portal, its error, or None if not requested."""
    if key in errors:
        return errors[key]
    if key not in results:
        return None
    try:
        return _PARSERS[key](results[key])
    except UnexpectedAnswer as error:
        return error


def parse_registration(result: Any, reg_id: int) -> SipRegistration:
    """Parse a result of `voximplant.sip.status`, or raise UnexpectedAnswer.

    A result without a status, or with the REG_ID of another line, is unexpected.
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
        clean(message, MAX_MESSAGE) if isinstance(message, str) else "",
        parse_time(result.get("LAST_UPDATED")),
    )


def parse_lines(result: Any) -> dict[int, SipLine]:
    """Parse a result of `voximplant.line.get`, or raise UnexpectedAnswer.

    Keys `reg<REG_ID>` are lines, others office PBXs (`sip…`) and rented numbers. Titles
    are HTML-escaped.
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
    """Parse a `voximplant.sip.connector.status`, or raise UnexpectedAnswer."""
    if not isinstance(result, dict):
        raise UnexpectedAnswer
    paid = _YES_NO.get(str(result.get("PAID")).strip().lower())
    minutes = parse_int(result.get("FREE_MINUTES"))
    return SipConnector(
        paid=paid,
        paid_until=parse_time(result.get("PAID_DATE_END")) if paid else None,
        free_minutes=minutes if minutes is not None and 0 <= minutes < 10**6 else None,
    )


def parse_outgoing(result: Any) -> OutgoingLine:
    """Read a result of `voximplant.line.outgoing.get`; raise UnexpectedAnswer.

    It is `reg<REG_ID>`; or `sip…` or digits for lines that have no REG_ID.
    """
    if not isinstance(result, str | int) or isinstance(result, bool):
        raise UnexpectedAnswer
    match = _REG_KEY.fullmatch(str(result).strip())
    return OutgoingLine(parse_reg_id(match[1]) if match else None)


def parse_links(result: Any) -> PortalLinks:
    """Read a result of `voximplant.url.get`; raise UnexpectedAnswer."""
    if not isinstance(result, dict):
        raise UnexpectedAnswer
    link = result.get("buy_connector")
    usable = isinstance(link, str) and len(link) <= MAX_LINK and link.isprintable()
    return PortalLinks(link if usable else None)


# What is asked besides the lines, by the keys in the batch.
_METHODS = {
    "lines": LINES_METHOD,
    "connector": CONNECTOR_METHOD,
    "outgoing": OUTGOING_METHOD,
    "links": LINKS_METHOD,
}
# Without these a portal cannot be monitored.
_NEEDED = ("lines", "connector")
_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "lines": parse_lines,
    "connector": parse_connector,
    "outgoing": parse_outgoing,
    "links": parse_links,
}


def parse_reg_id(value: Any) -> int | None:
    """Return a REG_ID, a positive integer, or None."""
    number = parse_int(value)
    return number if number is not None and 0 < number <= MAX_REG_ID else None


def parse_int(value: Any) -> int | None:
    """Return an integer that may be a string, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def parse_time(value: Any) -> datetime | None:
    """Return a point in time, in UTC, or None. A time without a zone counts as UTC."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except ValueError, OverflowError:
        return None
    return time if 2000 <= time.year < 2200 else None


def clean(text: str, length: int) -> str:
    """Return text on one line, without control characters, truncated to a length."""
    if len(text) <= length and text.isprintable() and text == " ".join(text.split()):
        return text  # as almost always
    text = _NOT_SHOWN.sub(" ", text[: length * 4]).strip()
    # JSON may contain lone surrogates, which states and files may not.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
