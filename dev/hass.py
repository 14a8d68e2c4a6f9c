"""Run a real Home Assistant on loopback, and use it over its API.

    write_config(folder, port)
    async with HomeAssistant(folder, port) as hass:
        entry = await hass.add_integration("bitrix24_sip", {"webhook": "…"})

Functions that access files block, so call them before the event loop starts.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
import fcntl
import json
import os
from pathlib import Path
import shutil
import signal
import socket
import sys
import tempfile
import time
from types import TracebackType
from typing import Any, Self, TextIO

import aiohttp

HOST = "127.0.0.1"
DEFAULT_PORT = 8123
REPOSITORY = Path(__file__).parent.parent
CONFIGURATION = Path(__file__).parent / "configuration.yaml"
CUSTOM_COMPONENTS = REPOSITORY / "custom_components"

_START_TIMEOUT = 180  # seconds
_STOP_TIMEOUT = 30
_LOG_NAME = "hass.log"
# The locks of the ports that were given to this process.
_PORT_LOCKS: list[TextIO] = []


class HassError(Exception):
    """Home Assistant did not start, or refused a request."""


class FlowError(HassError):
    """A config or options flow did not create an entry. `result`: its last answer."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        """Report the step and its errors, without the input."""
        self.result = result
        step = result.get("step_id") or result.get("type")
        why = result.get("errors") or result.get("reason") or "no entry was made"
        super().__init__(f"the flow ended at {step!r}: {why}")


def is_free(port: int) -> bool:
    """Return whether a server could listen at a port of loopback."""
    with socket.socket() as probe:
        # As for servers, a port with a closing connection counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(first: int = DEFAULT_PORT) -> int:
    """Return the first free port on loopback, from `first` on, and reserve it.

    Home Assistant listens at it only some seconds later, and not while it restarts. So a
    lock keeps it from all others that ask here, until this process ends. A port that the
    system chooses would not do: outgoing connections can take those in the meantime.
    """
    for port in range(first, first + 100):
        if _reserve(port) and is_free(port):
            return port
    raise HassError(f"no port is free between {first} and {first + 99}")


def _reserve(port: int) -> bool:
    """Lock a port; return False if it is locked already."""
    path = Path(tempfile.gettempdir()) / f"bitrix24-sip-port-{port}.lock"
    try:
        lock = path.open("a", encoding="utf-8")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    _PORT_LOCKS.append(lock)
    return True


def make_manifest(domain: str) -> dict[str, Any]:
    """Return the manifest of a custom integration that is for development only.

    It is not a file, because the repository may have only one: the checks of HACS's
    default list refuse a repository with several, and hassfest would check them all.
    """
    return {"domain": domain, "name": domain, "version": "1.0.0"}


def write_config(
    folder: Path,
    port: int,
    *,
    configuration: Path = CONFIGURATION,
    custom_components: Path = CUSTOM_COMPONENTS,
    also: Path | None = None,
) -> None:
    """Write a configuration folder with the project's integration, not yet set up.

    also: the package of another custom integration, which is set up first, by YAML.

    Two of Home Assistant's storage files are seeded: host and port, because an `http:`
    block in YAML is reverted after five minutes (since 2026.10); and the steps of
    the onboarding other than the user's, because they set up integrations that need
    the internet.
    """
    storage = folder / ".storage"
    storage.mkdir(parents=True)
    # Home Assistant asks for a restart if it creates these itself.
    (folder / "www").mkdir()
    (folder / "themes").mkdir()
    shutil.copyfile(configuration, folder / "configuration.yaml")
    for name in ("automations", "scripts"):
        (folder / f"{name}.yaml").touch()
    shutil.copytree(
        custom_components,
        folder / "custom_components",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    if also:
        for path in (folder / "custom_components").glob("*/manifest.json"):
            manifest = json.loads(path.read_text(encoding="utf-8"))
            manifest.setdefault("after_dependencies", []).append(also.name)
            path.write_text(json.dumps(manifest), encoding="utf-8")
        target = folder / "custom_components" / also.name
        shutil.copytree(also, target)
        content = json.dumps(make_manifest(also.name))
        (target / "manifest.json").write_text(content, encoding="utf-8")
        with (folder / "configuration.yaml").open("a", encoding="utf-8") as file:
            file.write(f"\n{also.name}:\n")
    # The first version of the store, which every Home Assistant migrates.
    http = {"server_host": [HOST], "server_port": port}
    onboarding = {"done": ["core_config", "analytics", "integration"]}
    _store(storage, "http", 1, http)
    _store(storage, "onboarding", 4, onboarding)


def _store(storage: Path, key: str, version: int, data: dict[str, Any]) -> None:
    """Write a file of Home Assistant's storage."""
    content = {"version": version, "minor_version": 1, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content), encoding="utf-8")


class HomeAssistant:
    """A Home Assistant process of this environment, and its API as its only user.

    timings: seconds from the process's start to "http", "onboarded" and "running".
    """

    def __init__(self, folder: Path, port: int) -> None:
        """Set a configuration folder made by `write_config`, and its port."""
        self.folder = folder
        self.url = f"http://{HOST}:{port}"
        self.log = folder / _LOG_NAME
        self.timings: dict[str, float] = {}
        self._client_id = f"{self.url}/"
        self._tokens: dict[str, Any] = {}
        self._access_token = ""
        self._began = 0.0
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Start Home Assistant; return when it is running and has a user."""
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop Home Assistant."""
        await self.stop()

    async def start(self) -> None:
        """Start the process, create the user, and wait until everything is set up."""
        await self._spawn()
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await self._until("http", "/manifest.json", lambda _: True)
                if not self._access_token:
                    await self._onboard()
                await self._until("running", "/api/config", _is_running)
        except TimeoutError:
            reached = ", ".join(self.timings) or "nothing"
            raise HassError(
                f"Home Assistant did not start in {_START_TIMEOUT} s; reached: {reached}"
            ) from None

    async def stop(self) -> None:
        """End the process, gracefully if possible. May be called more than once."""
        if self._session:
            await self._session.close()
            self._session = None
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                await process.wait()
        finally:
            # It took too long, or was interrupted.
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def kill(self) -> None:
        """End the process at once, as a power failure does."""
        if self._process:
            self._process.kill()
            await self._process.wait()
        await self.stop()

    async def restart(self) -> None:
        """Stop and start again, with the same user and configuration."""
        await self.stop()
        await self.start()

    @property
    def pid(self) -> int:
        """The ID of the running process."""
        if self._process is None:
            raise HassError("Home Assistant is not running")
        return self._process.pid

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines that Home Assistant logged."""
        if not self.log.exists():
            return ""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def logged_errors(self, about: str) -> list[str]:
        """Return the errors in the log that contain `about`."""
        return [
            line
            for line in self.log_tail(10_000).splitlines()
            if about in line and (" ERROR " in line or " CRITICAL " in line)
        ]

    def frontend_tokens(self) -> str:
        """Return the value of `localStorage.hassTokens` of a logged-in browser."""
        return json.dumps(
            {
                **self._tokens,
                "hassUrl": self.url,
                "clientId": self._client_id,
                "expires": int((time.time() + self._tokens["expires_in"]) * 1000),
            }
        )

    # The API.

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send a REST request; return its JSON, or raise HassError."""
        async with self._http.request(
            method, self.url + path, json=body, headers=self._headers
        ) as response:
            text = await response.text()
            if response.status >= 400:
                raise HassError(f"{method} {path}: {response.status} {text[:300]}")
            return json.loads(text) if text else None

    async def command(self, kind: str, **fields: Any) -> Any:
        """Send a WebSocket command; return its result, or raise HassError."""
        async with self._http.ws_connect(
            f"{self.url}/api/websocket", max_msg_size=0
        ) as socket_:
            await socket_.receive_json()
            await socket_.send_json(
                {"type": "auth", "access_token": self._access_token}
            )
            if (await socket_.receive_json())["type"] != "auth_ok":
                raise HassError("the access token is not accepted")
            await socket_.send_json({"id": 1, "type": kind, **fields})
            answer = await socket_.receive_json()
        if not answer["success"]:
            raise HassError(f"{kind}: {answer['error']['message']}")
        return answer["result"]

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return the states of all entities, by entity id."""
        states = await self.request("GET", "/api/states")
        return {state["entity_id"]: state for state in states}

    async def entities(self, entry_id: str) -> list[dict[str, Any]]:
        """Return the registry's entries for the entities of a config entry."""
        entities = await self.command("config/entity_registry/list")
        return [e for e in entities if e["config_entry_id"] == entry_id]

    async def devices(self) -> dict[str, dict[str, Any]]:
        """Return the device registry's entries, by device id."""
        devices = await self.command("config/device_registry/list")
        return {device["id"]: device for device in devices}

    async def add_integration(
        self, domain: str, *answers: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Run an integration's config flow with one answer per form; return the entry."""
        path = "/api/config/config_entries/flow"
        result = await self._walk(path, {"handler": domain}, answers)
        entry: dict[str, Any] = result["result"]
        return entry

    async def change_options(self, entry_id: str, changes: Mapping[str, Any]) -> bool:
        """Change some options of an entry by its options flow.

        Return False if the flow has no form, or the form has none of the options.
        """
        path = "/api/config/config_entries/options/flow"
        try:
            form = await self.request("POST", path, {"handler": entry_id})
        except HassError:
            return False
        if form["type"] != "form":
            return False
        path = f"{path}/{form['flow_id']}"
        if not {field["name"] for field in form["data_schema"]} >= changes.keys():
            await self.request("DELETE", path)
            return False
        answer = {**_filled_in(form["data_schema"]), **changes}
        result = await self.request("POST", path, answer)
        if result["type"] != "create_entry":
            raise FlowError(result)
        return True

    async def _walk(
        self,
        path: str,
        begin: Mapping[str, Any],
        answers: tuple[Mapping[str, Any], ...],
    ) -> dict[str, Any]:
        """Start a flow and answer its forms; return its result, or raise FlowError."""
        result: dict[str, Any] = await self.request("POST", path, begin)
        for answer in answers:
            if result["type"] != "form":
                break
            filled = {**_filled_in(result["data_schema"]), **answer}
            result = await self.request("POST", f"{path}/{result['flow_id']}", filled)
        if result["type"] != "create_entry":
            raise FlowError(result)
        return result

    # The start.

    @property
    def _http(self) -> aiohttp.ClientSession:
        """The session of the API, created when it is first needed."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session

    @property
    def _headers(self) -> dict[str, str]:
        """The headers for authentication."""
        if not self._access_token:
            return {}
        return {"Authorization": f"Bearer {self._access_token}"}

    async def _spawn(self) -> None:
        """Start the process, with its output in the log."""
        self._began = time.monotonic()
        self.timings.clear()
        # Home Assistant needs neither, and would be slow without compiled modules.
        unwanted = ("PYTHONDONTWRITEBYTECODE", "BITRIX24_WEBHOOK")
        environment = {k: v for k, v in os.environ.items() if k not in unwanted}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "homeassistant", "--config", self.folder),
                "--log-no-color",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env=environment,
                # So that it loads the custom integrations of its own folder, not those of
                # the present folder.
                cwd=self.folder,
                # Ctrl-C does not reach Home Assistant: `stop` ends it.
                start_new_session=True,
            )

    async def _until(self, stage: str, path: str, ready: Any) -> None:
        """Request `path` until its answer is as wanted, or the process has ended."""
        while True:
            if self._process is None or self._process.returncode is not None:
                code = self._process.returncode if self._process else None
                raise HassError(f"Home Assistant ended while starting (code {code})")
            with suppress(aiohttp.ClientError, HassError):
                if ready(await self.request("GET", path)):
                    break
            await asyncio.sleep(0.1)
        self.timings[stage] = time.monotonic() - self._began

    async def _onboard(self) -> None:
        """Create the only user, and a token without an expiry that would matter."""
        user = {
            "name": "Demo",
            "username": "demo",
            "password": "demo",
            "client_id": self._client_id,
            "language": "en",
        }
        code = (await self.request("POST", "/api/onboarding/users", user))["auth_code"]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self._client_id,
        }
        async with self._http.post(f"{self.url}/auth/token", data=form) as response:
            response.raise_for_status()
            self._tokens = await response.json()
        self._access_token = self._tokens["access_token"]
        self._access_token = await self.command(
            "auth/long_lived_access_token", client_name="demo", lifespan=365
        )
        self.timings["onboarded"] = time.monotonic() - self._began


def _is_running(config: dict[str, Any]) -> bool:
    """Return whether all integrations are set up."""
    return bool(config["state"] == "RUNNING")


def _filled_in(schema: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the default values of a form's fields and sections."""
    answer: dict[str, Any] = {}
    for field in schema:
        if field.get("type") == "expandable":
            answer[field["name"]] = _filled_in(field["schema"])
            continue
        value = (field.get("description") or {}).get("suggested_value")
        if value is None:
            value = field.get("default")
        if value is not None:
            answer[field["name"]] = value
    return answer
