"""The figures of a portal's lines: recorded, stored, and given to the sensors.

They change when an outage begins or ends, and else at most once an hour, so their sensors
listen here, and cost nothing in a poll that brings nothing new. Only the figures that a
sensor asks for are computed. The file of each portal
is written every ten minutes, within a minute of a change, and when Home Assistant stops.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, time
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.storage import Store
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .state import PortalState
from .uptime import Figures, PortalUptime
from .uptime_history import DAY, HOUR

STORAGE_VERSION = 1
# How often the present is recorded, and changes are saved.
TICK_SECONDS = 60
# A file without a change is saved after this many seconds, so that a crash costs no more.
SAVE_SECONDS = 600

# By REG_ID (None: all lines) and the days of the period.
type UptimeFigures = dict[tuple[int | None, int], Figures]


def uptime_store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    """Return the file of a portal's figures."""
    return Store(
        hass,
        STORAGE_VERSION,
        f"{DOMAIN}.uptime.{entry_id}",
        atomic_writes=True,
        serialize_in_event_loop=False,
    )


class UptimeCoordinator(DataUpdateCoordinator[UptimeFigures]):
    """Records what is shown of a portal's lines, and has the figures of it."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Begin with nothing known."""
        super().__init__(hass, LOGGER, config_entry=entry, name=f"{entry.title} uptime")
        self.data = {}
        self.uptime = PortalUptime()
        self._entry = entry
        self._store = uptime_store(hass, entry.entry_id)
        self._shown = PortalState()
        self._refreshed_at = 0  # when all figures were refreshed
        self._saved_at = monotonic()
        self._unsaved_changes = False

    async def async_load(self) -> None:
        """Begin with what is stored, and record from now on until the unload."""
        try:
            if stored := await self._store.async_load():
                self.uptime = PortalUptime.restore(stored)
        except Exception as exception:  # noqa: BLE001 - whatever is in the file
            await self._set_aside(exception)
        tick = timedelta(seconds=TICK_SECONDS)
        self._entry.async_on_unload(
            async_track_time_interval(
                self.hass, self._tick, tick, cancel_on_shutdown=True
            )
        )
        self._entry.async_on_unload(
            self.hass.bus.async_listen(
                EVENT_HOMEASSISTANT_FINAL_WRITE, self._final_write
            )
        )

    async def _set_aside(self, exception: Exception) -> None:
        """Keep a file that cannot be read, and begin a new one."""
        path = self._store.path
        kept = f"{path}.unreadable.{dt_util.utcnow().isoformat()}"
        try:
            await self.hass.async_add_executor_job(Path(path).rename, kept)
        except OSError:
            self._store.make_read_only()
            kept = f"{path}, and no new one is written"
        LOGGER.error(
            "The stored uptime of %s cannot be read: %r. Recording starts over; the "
            "file is kept as %s",
            self._entry.title,
            exception,  # some have no text
            kept,
        )

    @callback
    def async_record(self, state: PortalState) -> None:
        """Record what is shown of the lines; an exception is the figures' own problem."""
        self._shown = state
        with self._fail_safe():
            self._record(state)

    @callback
    def figures(self, reg_id: int | None, days: int) -> Figures:
        """Return the figures of a line, or of all lines, for the last so many days.

        Those that were asked for once are refreshed from then on.
        """
        if (reg_id, days) not in self.data:
            self.data[reg_id, days] = Figures()
            with self._fail_safe():
                self._compute(reg_id, days)
        return self.data[reg_id, days]

    @contextmanager
    def _fail_safe(self) -> Iterator[None]:
        """Make the figures unavailable, and no more, if there is an exception."""
        try:
            yield
        except Exception:  # noqa: BLE001 - whatever it is, fail safe
            if self.last_update_success:
                LOGGER.exception("Unexpected error recording the uptime")
                self.last_update_success = False
                self.async_update_listeners()

    def _record(self, state: PortalState) -> None:
        """Record what is shown, and refresh the figures that this changes."""
        uptime = self.uptime
        changed = uptime.record(
            state.lines, time(), monotonic(), complete=state.error is None
        )
        self._unsaved_changes |= bool(changed)
        recovered = not self.last_update_success
        if recovered or abs(uptime.now - self._refreshed_at) >= HOUR:
            changed = set(uptime.lines)
            self._refreshed_at = uptime.now
        elif not changed:
            return
        self._refresh(changed)
        self.last_update_success = True
        self.async_update_listeners()

    def _refresh(self, reg_ids: set[int]) -> None:
        """Refresh the figures of some lines, and those of all lines together."""
        for reg_id, days in list(self.data):
            if reg_id in reg_ids:
                self._compute(reg_id, days)
            elif reg_id is not None and reg_id not in self.uptime.lines:
                del self.data[reg_id, days]
        for reg_id, days in list(self.data):
            if reg_id is None:
                self._compute(None, days)

    def _compute(self, reg_id: int | None, days: int) -> Figures:
        """Compute some figures as of now, those of all lines from those of each."""
        now, lines = self.uptime.now, self.uptime.lines
        figures = Figures()
        if reg_id is None:
            for each in lines:
                figures += self.data.get((each, days)) or self._compute(each, days)
        elif line := lines.get(reg_id):
            figures = line.figures(max(now - days * DAY, 0), now)
        self.data[reg_id, days] = figures
        return figures

    async def _tick(self, _now: datetime) -> None:
        """Record the present, and save the file if that is due."""
        self.async_record(self._shown)
        if self._unsaved_changes or monotonic() - self._saved_at >= SAVE_SECONDS:
            await self._save()

    async def _final_write(self, _event: Event) -> None:
        """Save the file when Home Assistant stops."""
        await self.async_save()

    async def async_save(self) -> None:
        """Record the present for the last time, and save the file."""
        self.async_record(self._shown)
        await self._save()

    async def _save(self) -> None:
        """Save the file. The store logs by itself when it cannot be written."""
        self._saved_at, self._unsaved_changes = monotonic(), False
        try:
            await self._store.async_save(self.uptime.as_dict())
        except Exception:  # noqa: BLE001 - whatever it is, fail safe
            LOGGER.exception("Unexpected error saving the uptime")
