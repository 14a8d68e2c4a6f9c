"""The figures of the lines: what the sensors show, and what outlives a restart."""

from collections.abc import Callable
from datetime import timedelta
import json
from pathlib import Path
import re
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.bitrix24_sip.const import DOMAIN
from custom_components.bitrix24_sip.uptime import LineUptime, PortalUptime
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.const import (
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_STATE_CHANGED,
    EVENT_STATE_REPORTED,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .conftest import MAIN, SALES, SUPPORT, Poll, SetUp, portal_entity, state_of

DAY, MONTH = "sensor.main_line_uptime_1_day", "sensor.main_line_uptime_30_days"
OUTAGES = "sensor.main_line_outages_30_days"


@pytest.fixture
def minutes(wait: Poll) -> Poll:
    """Return a function that lets minutes pass, one by one."""

    async def minutes(count: int) -> None:
        for _ in range(count):
            await wait(60)

    return minutes


def enable(hass: HomeAssistant, entry_id: str, *keys: str) -> None:
    """Have sensors enabled that are not at first, as a person would."""
    for key in keys:
        er.async_get(hass).async_get_or_create(
            "sensor", DOMAIN, f"{entry_id}_{MAIN}_{key}", suggested_object_id=key
        )


def known(hass: HomeAssistant, entity_id: str) -> int:
    """Return how much of a sensor's period is known."""
    state = hass.states.get(entity_id)
    assert state
    percent: int = state.attributes["known_percent"]
    return percent


async def test_uptime(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, minutes: Poll
) -> None:
    """Unknown for the first hour; then at each outage, and once an hour."""
    assert state_of(hass, MONTH) == STATE_UNKNOWN
    assert state_of(hass, OUTAGES) == STATE_UNKNOWN
    await minutes(59)
    assert state_of(hass, MONTH) == STATE_UNKNOWN
    await minutes(1)
    assert state_of(hass, MONTH) == "100.0"
    assert state_of(hass, OUTAGES) == "0"
    assert portal_entity(hass, entry, "uptime_30d") == "100.0"
    assert known(hass, MONTH) == 0
    portal.lines[MAIN].drop()
    await minutes(1)
    assert state_of(hass, OUTAGES) == "1"
    assert state_of(hass, MONTH) == "100.0", "there is no downtime yet"
    await minutes(30)
    portal.lines[MAIN].recover()
    await minutes(28)
    assert state_of(hass, OUTAGES) == "1"
    # 61 minutes up before the outage, and 31 down, as of its end.
    assert state_of(hass, MONTH) == "66.3"
    await minutes(1)
    assert float(state_of(hass, DAY)) == pytest.approx(75, abs=1)
    assert known(hass, DAY) == 8
    up = float(portal_entity(hass, entry, "uptime_30d"))
    assert up == pytest.approx(91.67, abs=0.5), "of all lines"


async def test_sensors_that_are_disabled_at_first(
    hass: HomeAssistant, portal: Portal, set_up: SetUp, minutes: Poll
) -> None:
    """The uptime of a year, and the downtime in minutes."""
    entry = await set_up(portal)
    registry = er.async_get(hass)
    entity_ids = []
    for key in ("uptime_365d", "downtime_30d"):
        entity_id = registry.async_get_entity_id(
            "sensor", DOMAIN, f"{entry.entry_id}_{MAIN}_{key}"
        )
        assert entity_id
        entity_ids.append(entity_id)
        assert hass.states.get(entity_id) is None
        registry.async_update_entity(entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await minutes(30)
    portal.lines[MAIN].drop()
    await minutes(31)
    portal.lines[MAIN].recover()
    await minutes(2)
    year, downtime = entity_ids
    assert float(state_of(hass, downtime)) == pytest.approx(31, abs=1)
    assert float(state_of(hass, year)) == pytest.approx(50, abs=2)


async def test_silence_of_the_portal(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, minutes: Poll
) -> None:
    """What the grace period bridges counts as it is shown; what is not known does not."""
    await minutes(60)
    fault = portal.fault(FAULTS["nginx_502"])
    await minutes(62)
    assert state_of(hass, "binary_sensor.main_line_registration") == STATE_UNAVAILABLE
    assert state_of(hass, MONTH) == "100.0"
    assert known(hass, DAY) == 4, "of 122 minutes, 62 are known"
    fault.clear()
    await minutes(60)
    assert known(hass, DAY) == 8
    assert state_of(hass, OUTAGES) == "0"


async def test_idle_polls_write_nothing(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, minutes: Poll
) -> None:
    """At most once an hour, and only if what is shown has changed."""
    await minutes(61)
    written = []

    @callback
    def wrote(event: Event[Any]) -> None:
        if "days" in event.data["entity_id"] or "1_day" in event.data["entity_id"]:
            written.append(event.data["entity_id"])

    hass.bus.async_listen(EVENT_STATE_CHANGED, wrote)
    hass.bus.async_listen(
        EVENT_STATE_REPORTED, wrote, event_filter=callback(lambda _: True)
    )
    refreshed = []
    entry.runtime_data.uptime.async_add_listener(lambda: refreshed.append(True))
    await minutes(58)
    assert written == refreshed == [], "the sensors are not even updated"
    await minutes(61)
    # What is known grows by 4 % of a day, and by less than 1 % of a month.
    assert sorted(written) == [
        *["sensor.main_line_uptime_1_day"] * 2,
        *["sensor.sales_uptime_1_day"] * 2,
        *["sensor.support_uptime_1_day"] * 2,
    ]


async def test_a_line_with_only_an_uptime_sensor_is_polled(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    minutes: Poll,
    disable_line: Callable[[MockConfigEntry, int], None],
) -> None:
    """A line is polled as long as one of its entities is enabled, whichever."""
    disable_line(entry, MAIN)
    er.async_get(hass).async_update_entity(MONTH, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await minutes(61)
    assert state_of(hass, MONTH) == "100.0"
    er.async_get(hass).async_update_entity(
        MONTH, disabled_by=er.RegistryEntryDisabler.USER
    )
    await minutes(10)
    line = entry.runtime_data.uptime.uptime.lines[MAIN]
    now = entry.runtime_data.uptime.uptime.now
    assert line.figures(now - 300, now).known == 0, "nobody asks for it"


@pytest.mark.parametrize("how", ["reload", "stop"])
async def test_restart(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    minutes: Poll,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
    how: str,
) -> None:
    """The figures are there at once, and the time in between is not known."""
    await minutes(60)
    portal.lines[MAIN].drop()
    await minutes(61)
    before = {
        entity_id: state_of(hass, entity_id) for entity_id in (DAY, MONTH, OUTAGES)
    }
    if how == "reload":
        await hass.config_entries.async_unload(entry.entry_id)
    else:
        hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
        await hass.async_block_till_done()
        written = dict(hass_storage)
        await hass.config_entries.async_unload(entry.entry_id)
        hass_storage.update(written)
    freezer.tick(timedelta(hours=5))
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    after = {
        entity_id: state_of(hass, entity_id) for entity_id in (DAY, MONTH, OUTAGES)
    }
    assert before[OUTAGES] == after[OUTAGES] == "1"
    assert float(after[MONTH]) == pytest.approx(50, abs=1)
    assert known(hass, DAY) == 8


async def test_the_last_seconds_before_an_unload(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    minutes: Poll,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    """They are recorded, too."""
    await minutes(2)
    freezer.tick(timedelta(seconds=20))
    now = int(dt_util.utcnow().timestamp())
    assert entry.runtime_data.uptime.uptime.now == now - 20
    await hass.config_entries.async_unload(entry.entry_id)
    assert hass_storage[f"{DOMAIN}.uptime.{entry.entry_id}"]["data"]["until"] == now


async def test_crash(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    minutes: Poll,
    hass_storage: dict[str, Any],
) -> None:
    """The file is never older than ten minutes, and an outage is in it within two."""
    key = f"{DOMAIN}.uptime.{entry.entry_id}"
    oldest = 0
    for _ in range(30):
        await minutes(1)
        if key in hass_storage:
            now = entry.runtime_data.uptime.uptime.now
            oldest = max(oldest, now - hass_storage[key]["data"]["until"])
    assert 0 < oldest <= 600
    portal.lines[MAIN].drop()
    await minutes(2)
    stored = PortalUptime.restore(hass_storage[key]["data"])
    assert stored.lines[MAIN].figures(stored.now - 3600, stored.now).outages == 1


async def test_a_line_and_a_portal_that_go(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    wait: Poll,
    minutes: Poll,
    hass_storage: dict[str, Any],
) -> None:
    """Their figures go with them."""
    await minutes(61)
    portal.remove_line(SALES)
    for _ in range(4):
        await wait(601)
    await minutes(11)
    key = f"{DOMAIN}.uptime.{entry.entry_id}"
    assert str(SALES) not in hass_storage[key]["data"]["lines"]
    assert str(MAIN) in hass_storage[key]["data"]["lines"]
    await minutes(30)
    assert SALES not in {reg_id for reg_id, _ in entry.runtime_data.uptime.data}
    await hass.config_entries.async_remove(entry.entry_id)
    assert key not in hass_storage


def stored_file(files: Path, entry: MockConfigEntry) -> Path:
    """Return the file of a portal."""
    return files / f"{DOMAIN}.uptime.{entry.entry_id}"


def files_of(folder: Path) -> list[Path]:
    """Return the files in a folder."""
    return list(folder.iterdir())


async def test_files(
    hass: HomeAssistant, files: Path, portal: Portal, set_up: SetUp, minutes: Poll
) -> None:
    """What is written is read again."""
    entry = await set_up(portal)
    await minutes(61)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, MONTH) == "100.0"
    assert stored_file(files, entry).exists()
    await hass.config_entries.async_remove(entry.entry_id)
    assert not stored_file(files, entry).exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 1}',
        '{"version": 1, "minor_version": 1, "data": {"until": "now"}}',
        '{"version": 1, "minor_version": 1, "data": [1]}',
        '{"version": 2, "minor_version": 1, "data": {}}',
        b"\xff\xfe\x00",
    ],
)
async def test_damaged_or_newer_file(
    hass: HomeAssistant,
    files: Path,
    portal: Portal,
    set_up: SetUp,
    minutes: Poll,
    caplog: pytest.LogCaptureFixture,
    content: str | bytes,
) -> None:
    """It is kept, the log says where, and recording begins anew."""
    data = content if isinstance(content, bytes) else content.encode()
    entry = await set_up(portal)
    await hass.config_entries.async_unload(entry.entry_id)
    stored_file(files, entry).write_bytes(data)
    caplog.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await minutes(11)
    assert state_of(hass, OUTAGES) == STATE_UNKNOWN
    [kept] = [path for path in files_of(files) if path.read_bytes() == data]
    assert kept != stored_file(files, entry)
    assert str(kept) in caplog.text
    assert json.loads(stored_file(files, entry).read_bytes())["version"] == 1


async def test_damaged_file_that_cannot_be_moved(
    hass: HomeAssistant,
    files: Path,
    portal: Portal,
    set_up: SetUp,
    minutes: Poll,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not overwritten."""
    entry = await set_up(portal)
    await hass.config_entries.async_unload(entry.entry_id)
    path = stored_file(files, entry)
    path.write_text("[]")

    def rename(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "rename", rename)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await minutes(11)
    assert state_of(hass, OUTAGES) == STATE_UNKNOWN
    assert path.read_text() == "[]"
    assert f"kept as {path}, and no new one is written" in caplog.text
    assert re.search(r"cannot be read: \w+Error\(.*\)\. Recording", caplog.text)


@pytest.mark.parametrize("what", ["LineUptime.change", "LineUptime.figures"])
async def test_an_unforeseen_exception_in_the_figures(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    minutes: Poll,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    """The lines are monitored all the same; the figures are unavailable until it is over."""
    await minutes(61)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(f"custom_components.bitrix24_sip.uptime.{what}", fail)
        portal.lines[MAIN].drop()
        await minutes(2)
        assert state_of(hass, "binary_sensor.main_line_registration") == "off"
        assert portal_entity(hass, entry, "portal") == "on"
        assert state_of(hass, MONTH) == STATE_UNAVAILABLE
        assert caplog.text.count("Unexpected error recording the uptime") == 1
    await minutes(2)
    assert float(state_of(hass, MONTH)) <= 100
    assert state_of(hass, OUTAGES) == "1"


async def test_an_unforeseen_exception_when_a_sensor_is_added(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    minutes: Poll,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The sensors are added all the same, and have figures as soon as there are any."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(LineUptime, "figures", fail)
        entry = await set_up(portal)
        assert state_of(hass, "binary_sensor.main_line_registration") == "on"
        assert state_of(hass, MONTH) == STATE_UNAVAILABLE
        assert portal_entity(hass, entry, "uptime_30d") == STATE_UNAVAILABLE
        assert caplog.text.count("Unexpected error recording the uptime") == 1
    await minutes(61)
    assert state_of(hass, MONTH) == "100.0"
    assert portal_entity(hass, entry, "uptime_30d") == "100.0"


async def test_an_outage_refreshes_the_figures_of_its_line(
    hass: HomeAssistant, portal: Portal, entry: MockConfigEntry, minutes: Poll
) -> None:
    """Those of the other lines are refreshed once an hour only."""
    other = "sensor.sales_uptime_1_day"
    await minutes(61)
    assert (known(hass, DAY), known(hass, other)) == (4, 4)
    await minutes(38)
    portal.lines[MAIN].drop()
    await minutes(2)
    assert (known(hass, DAY), known(hass, other)) == (6, 4)
    await minutes(20)
    assert (known(hass, DAY), known(hass, other)) == (8, 8)


async def test_figures_without_an_enabled_sensor(
    hass: HomeAssistant, entry: MockConfigEntry, minutes: Poll
) -> None:
    """They are not computed."""
    await minutes(61)
    assert entry.runtime_data.uptime.data.keys() == {
        (None, 30),
        *((reg_id, days) for reg_id in (MAIN, SALES, SUPPORT) for days in (1, 30)),
    }


async def test_an_unforeseen_exception_when_saving(
    hass: HomeAssistant,
    portal: Portal,
    entry: MockConfigEntry,
    minutes: Poll,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, and nothing else comes of it."""

    def fail(*_: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(PortalUptime, "as_dict", fail)
    await minutes(21)
    assert caplog.text.count("Unexpected error saving the uptime") == 2
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_nothing_is_recorded_before_anything_is_shown(
    hass: HomeAssistant,
    portal: Portal,
    set_up: SetUp,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    """A portal that cannot be set up leaves no file, and no timer."""
    portal.fault(FAULTS["nginx_502"])
    entry = await set_up(portal)
    freezer.tick(timedelta(minutes=11))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert f"{DOMAIN}.uptime.{entry.entry_id}" not in hass_storage
