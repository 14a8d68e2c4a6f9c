"""The soak: portal, Home Assistant, faults at random, and the judgement."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
import re
import time
from typing import Any, Final

import aiohttp

from dev.demo.entities import REGISTRATION, portal_of
from dev.hass import HassError, HomeAssistant
from dev.portal import METHODS, Portal
from dev.portal.faults import Result
from dev.portal.state import PortalState

from .faults import FIRST_REG_ID, GRACE, KINDS, LIST, LISTS, STATUS, RandomFaults
from .judge import Answer, Record, Shown, wrong

DOMAIN: Final = "bitrix24_sip"
LINES: Final = 6


class WitnessedPortal(Portal):
    """A portal that records its answers for each line."""

    def __init__(self) -> None:
        """Start without answers."""
        super().__init__(operating_limit=None)
        self.methods = {**METHODS, STATUS: self._status}
        self.record = Record()

    async def _status(self, portal: PortalState, params: dict[str, Any]) -> Any:
        """Answer as usual, and record the answer."""
        reg_id = int(params["REG_ID"])
        status: str | None = None
        try:
            answer = await METHODS[STATUS](portal, params)
            status = answer["STATUS_RESULT"]
        finally:
            answers = self.record.answers.setdefault(reg_id, [])
            answers.append(Answer(time.time(), status))
        return answer


@dataclass(slots=True)
class Report:
    """The result of a soak."""

    seconds: float = 0.0
    polls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    log_errors: list[str] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)  # lines without a device at the end
    memory: tuple[float, float] = (0.0, 0.0)  # MB, at start and end

    @property
    def good(self) -> bool:
        """Whether nothing was wrong, and anything was judged at all."""
        seen = self.polls and self.states["on"] and self.faults
        return bool(seen) and not (self.wrong or self.log_errors or self.lost)

    def __str__(self) -> str:
        """Show the counts."""
        states = ", ".join(f"{k} {v}" for k, v in sorted(self.states.items()))
        lines = [
            f"Ran for {self.seconds:.0f} s",
            f"Polls: {self.polls}",
            f"Faults: {self.faults.total()} of {len(self.faults)} kinds",
            f"States shown: {states}",
            f"Unavailable times: {self.states['unavailable']}",
            f"Wrong states: {len(self.wrong)}",
            *(f"  {sentence}" for sentence in self.wrong[:10]),
            f"Lines lost: {len(self.lost)}",
            f"Unexpected log errors: {len(self.log_errors)}",
            *(f"  {line}" for line in self.log_errors[:10]),
            f"Memory: {self.memory[0]:.0f} MB at start, {self.memory[1]:.0f} MB at end",
        ]
        return "\n".join(lines)


def add_lines(portal: Portal) -> None:
    """Add the lines of a soak."""
    for at in range(LINES):
        portal.add_line(FIRST_REG_ID + at, f"Line {at + 1}")


async def _registration_sensors(
    hass: HomeAssistant, entry: dict[str, Any]
) -> dict[str, int]:
    """Wait for all lines; return their Registration sensors with the REG_ID of each."""
    async with asyncio.timeout(30):
        while True:
            portal = await portal_of(hass, entry)
            if len(portal.lines) == LINES:
                return {
                    line.entities[REGISTRATION]: reg_id
                    for reg_id, line in portal.lines.items()
                }
            await asyncio.sleep(0.2)


async def set_up(
    hass: HomeAssistant, portal: Portal, interval: int
) -> tuple[dict[str, Any], dict[str, int]]:
    """Add the integration; return its entry, and the Registration sensors."""
    entry = await hass.add_integration(DOMAIN, {"webhook": portal.webhook})
    options = {"scan_interval": str(interval), "grace_period": str(GRACE)}
    await hass.change_options(entry["entry_id"], options)
    return entry, await _registration_sensors(hass, entry)


async def request_update(hass: HomeAssistant, entity_id: str) -> None:
    """Request an update, as a user would."""
    await hass.request(
        "POST", "/api/services/homeassistant/update_entity", {"entity_id": entity_id}
    )


class Soak:
    """One soak."""

    def __init__(self, seconds: float, seed: int, interval: int) -> None:
        """Set its length, the seed of its faults, and the polling interval."""
        self._seconds = seconds
        self._interval = interval
        self._random = Random(seed)
        self._portal = WitnessedPortal()
        self._report = Report()
        self._changes: list[tuple[str, str, float]] = []
        self._entry_id = self._updated = ""
        self._guest_id = 209000
        add_lines(self._portal)
        self._faults = RandomFaults(self._portal, self._random)

    async def run(self, folder: Path, port: int) -> Report:
        """Run in a configuration folder; return the report."""
        async with self._portal, HomeAssistant(folder, port) as hass:
            listener = asyncio.create_task(self._listen(hass))
            entry, entities = await set_up(hass, self._portal, self._interval)
            self._entry_id = entry["entry_id"]
            start = _memory(hass.pid)
            # The options reloaded the entry: states are judged from here on.
            states = await hass.states()
            now = time.time()
            self._changes = [(e, states[e]["state"], now) for e in entities]
            self._updated = next(iter(entities))
            pokes = asyncio.create_task(self._request_updates(hass))
            began = time.monotonic()
            await self._fail_at_random(hass, began + self._seconds)
            await self._calm(hass, entities)
            self._report.seconds = time.monotonic() - began
            for task in (listener, pokes):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            self._report.memory = (start, _memory(hass.pid))
            self._report.log_errors = [
                line
                for line in hass.logged_errors(DOMAIN)
                if "unexpected error while polling" not in line
            ]
            left = await portal_of(hass, entry)
            self._report.lost = sorted(set(entities.values()) - left.lines.keys())
        self._report.polls = len(self._portal.requests)
        self._judge(entities, time.time())
        return self._report

    async def _listen(self, hass: HomeAssistant) -> None:
        """Record every state that is shown."""
        url = f"{hass.url}/api/websocket"
        tokens = re.search(r'"access_token": ?"([^"]+)"', hass.frontend_tokens())
        assert tokens
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, max_msg_size=0) as socket,
        ):
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": tokens[1]})
            await socket.receive_json()
            await socket.send_json(
                {"id": 1, "type": "subscribe_events", "event_type": "state_changed"}
            )
            async for message in socket:
                data = message.json().get("event", {}).get("data", {})
                new = data.get("new_state")
                if new and (new["attributes"].get("downtime") or 0) < 0:
                    self._report.wrong.append(f"a negative downtime: {new}")
                if new and data["entity_id"].startswith("binary_sensor."):
                    change = (data["entity_id"], new["state"], time.time())
                    self._changes.append(change)

    async def _request_updates(self, hass: HomeAssistant) -> None:
        """Request updates between the polls."""
        while True:
            await asyncio.sleep(5)
            await self._update(hass)

    async def _fail_at_random(self, hass: HomeAssistant, ends: float) -> None:
        """Switch faults on and off until the time is over."""
        random = self._random
        inner = ("exception", "reload", "unload", "guest", "list", "action", "clock")
        while time.monotonic() < ends:
            kind = random.choice(KINDS if random.random() < 0.75 else inner)
            if kind in inner:
                self._faults.begun.append((time.time(), kind))
                await getattr(self, f"_{kind}")(hass)
            else:
                await self._faults.fail(kind)
            await self._faults.pause()

    async def _exception(self, hass: HomeAssistant) -> None:
        """Let polls raise an unexpected exception, for a while."""
        kind = self._random.choice(("RuntimeError", "KeyError", "TimeoutError"))
        await self._sabotage(hass, exception=kind)
        await asyncio.sleep(self._random.choice((3.0, 20.0, GRACE * 3.0)))
        await self._sabotage(hass)

    async def _clock(self, hass: HomeAssistant) -> None:
        """Let the clocks of Home Assistant and of the portal be wrong for a while."""
        offset = self._random.choice((-86_400.0, 86_400.0, -30.0))
        await self._sabotage(hass, clock_offset=offset)
        self._portal.clock = lambda: time.time() - offset
        await asyncio.sleep(self._random.uniform(5.0, 20.0))
        self._portal.clock = time.time
        await self._sabotage(hass)

    async def _sabotage(
        self, hass: HomeAssistant, exception: str = "", clock_offset: float = 0.0
    ) -> None:
        data = {"exception": exception, "clock_offset": clock_offset}
        await hass.request("POST", "/api/services/sabotage/set", data)

    async def _reload(self, hass: HomeAssistant) -> None:
        """Reload the entry, mostly during a poll."""
        began = time.time()
        self._portal.command_delay = 0.2
        await asyncio.gather(
            self._update(hass),
            hass.request(
                "POST", f"/api/config/config_entries/entry/{self._entry_id}/reload"
            ),
        )
        self._portal.command_delay = 0.0
        await self._until_loaded(hass)
        self._portal.record.reloads.append((began, time.time()))

    async def _unload(self, hass: HomeAssistant) -> None:
        """Disable the entry during a poll, and enable it again."""
        began = time.time()
        self._portal.command_delay = 0.2
        command = "config_entries/disable"
        entry = {"entry_id": self._entry_id}
        await asyncio.gather(
            self._update(hass), hass.command(command, **entry, disabled_by="user")
        )
        await asyncio.sleep(1)
        await hass.command(command, **entry, disabled_by=None)
        self._portal.command_delay = 0.0
        await self._until_loaded(hass)
        loaded = time.time()
        self._portal.record.reloads += [
            (began, loaded),
            # Home Assistant reloads an entry 30 seconds after its entities were enabled.
            (loaded + 25, loaded + 40),
        ]

    async def _until_loaded(self, hass: HomeAssistant) -> None:
        """Wait until the entry is set up, which some of the faults delay."""
        self._portal.clear_faults()
        async with asyncio.timeout(60):
            while True:
                entries = await hass.command("config_entries/get", domain=DOMAIN)
                if entries[0]["state"] == "loaded":
                    return
                await asyncio.sleep(0.2)

    async def _guest(self, hass: HomeAssistant) -> None:
        """Replace a line by another one."""
        portal = self._portal
        if self._guest_id in portal.lines:
            portal.remove_line(self._guest_id)
        self._guest_id += 1
        portal.add_line(self._guest_id, f"Guest {self._guest_id}")

    async def _list(self, hass: HomeAssistant) -> None:
        """Let the portal's list be empty or too short, also during a reload."""
        listed = self._random.choice(LISTS)
        handle = self._portal.fault(Result(listed), method=LIST)
        await self._reload(hass)
        handle.clear()

    async def _action(self, hass: HomeAssistant) -> None:
        """Use the action while polls go on."""
        began = time.time()
        with suppress(HassError):  # the portal may have a fault
            await hass.request(
                "POST",
                "/api/services/bitrix24_sip/get_registration_status?return_response",
                {"config_entry_id": self._entry_id},
            )
        self._portal.record.actions.append((began, time.time()))

    async def _update(self, hass: HomeAssistant) -> None:
        """Request an update, as a user would."""
        await request_update(hass, self._updated)

    async def _calm(self, hass: HomeAssistant, entities: dict[str, int]) -> None:
        """End all faults, and wait until every line is registered again."""
        self._portal.clear_faults()
        for line in self._portal.lines.values():
            line.unreachable = False
            line.recover()
        try:
            async with asyncio.timeout(60):
                while True:
                    states = await hass.states()
                    if all(states[e]["state"] == "on" for e in entities):
                        return
                    await asyncio.sleep(0.5)
        except TimeoutError:
            self._report.wrong.append("not all lines recovered when the faults ended")

    def _judge(self, entities: dict[str, int], ended: float) -> None:
        """Judge every state that was shown."""
        begun = self._faults.begun
        self._report.faults = Counter(kind for _, kind in begun)
        self._portal.record.permanent = self._faults.permanent
        for entity_id, reg_id in entities.items():
            changes = [(s, at) for e, s, at in self._changes if e == entity_id]
            untils = [at for _, at in changes[1:]] + [ended]
            for (state, at), until in zip(changes, untils, strict=True):
                self._report.states[state] += 1
                shown = Shown(reg_id, state, at, until)
                reason = wrong(shown, self._portal.record, GRACE, self._interval)
                if reason:
                    recent = [kind for when, kind in begun if when < at][-3:]
                    sentence = f"line {reg_id}, {at:.0f}: {reason}; before: {recent}"
                    self._report.wrong.append(sentence)


def _memory(pid: int) -> float:
    """Return a process's memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+)", status)
    return int(match[1]) / 1024 if match else 0.0
