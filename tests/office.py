"""An office: automations on lines or portals, and what can happen to these."""

from abc import abstractmethod
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, override
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.bitrix24_sip.const import DOMAIN
from dev.portal import Portal
from dev.portal.faults import FAULTS
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component

from .conftest import MAIN, SALES, SUPPORT, make_entry, pass_time
from .restart import begin_again, stop

WAREHOUSE = 201004
BEHAVIORS = ("each", "first", "all")
LASTS = 150  # seconds: longer than the grace period
DETAILS = ("line", "portal", "reg_id", "code", "message", "cause", "downtime")
FIELDS = ("entity_id", *DETAILS)


def automation(
    name: str, trigger: str, target: dict[str, Any], **options: Any
) -> dict[str, Any]:
    """Return an automation that tells what it finds in `trigger`."""
    data = {field: f"{{{{ trigger.{field} }}}}" for field in FIELDS}
    data["from"] = "{{ trigger.from_state.state }}"
    data["to"] = "{{ trigger.to_state.state }}"
    return {
        "alias": name,
        "id": name,
        "mode": "queued",
        "max": 50,
        "triggers": {
            "trigger": f"{DOMAIN}.{trigger}",
            "target": target,
            "options": options,
        },
        "actions": {"event": "told", "event_data": {"name": name, **data}},
    }


class Watched:
    """What a trigger is about, called A, B, C: lines or portals.

    polls, seconds: how often the time is advanced until all that changed is told, and by
    how much.
    """

    polls: int
    seconds: int

    def __init__(self, office: Office) -> None:
        """Take the office."""
        self.office = office

    @abstractmethod
    def set(self, name: str, *, lost: bool) -> None:
        """Have one be lost, or restored."""

    @abstractmethod
    async def add(self, name: str, *, lost: bool) -> None:
        """Add one more, and have it be found."""

    @abstractmethod
    def name_of(self, told: dict[str, Any]) -> str:
        """Return of which one an automation was told."""

    @abstractmethod
    def identifier(self, name: str) -> tuple[str, str, str]:
        """Return entry and identifier of its device, and the key of its sensor."""

    def device(self, name: str) -> dr.DeviceEntry:
        """Return its device."""
        entry_id, identifier, _ = self.identifier(name)
        device = dr.async_get(self.office.hass).async_get_device_by_identifier(
            (DOMAIN, identifier), entry_id
        )
        assert device
        return device

    def entity_id(self, name: str) -> str:
        """Return the ID of its binary sensor."""
        _, identifier, key = self.identifier(name)
        entity_id = er.async_get(self.office.hass).async_get_entity_id(
            "binary_sensor", DOMAIN, f"{identifier}_{key}"
        )
        assert entity_id
        return entity_id


class Lines(Watched):
    """Lines of a portal; what is lost is their registration."""

    names: ClassVar = {"A": MAIN, "B": SALES, "C": SUPPORT, "D": WAREHOUSE}
    polls, seconds = 4, 61

    @override
    def set(self, name: str, *, lost: bool) -> None:
        """Lose or restore a line."""
        line = self.office.portal.lines[self.names[name]]
        line.drop(403, "Forbidden") if lost else line.recover()

    @override
    async def add(self, name: str, *, lost: bool) -> None:
        """Add a line to the portal, and have it be found."""
        self.office.portal.add_line(self.names[name], name)
        self.set(name, lost=lost)
        await self.office.wait(600)

    @override
    def identifier(self, name: str) -> tuple[str, str, str]:
        """Return entry and identifier of its device, and the key of its sensor."""
        entry_id = self.office.entry.entry_id
        return entry_id, f"{entry_id}_{self.names[name]}", "registration"

    @override
    def name_of(self, told: dict[str, Any]) -> str:
        """Return the line that an automation was told of."""
        reg_ids = {reg_id: name for name, reg_id in self.names.items()}
        return reg_ids[told["reg_id"]]


class Portals(Watched):
    """Portals; what is lost is that they answer."""

    # Home Assistant waits longer and longer before it sets one up again.
    polls, seconds = 5, 122

    def __init__(self, office: Office) -> None:
        """Take the office, and its portal as the first one."""
        super().__init__(office)
        self.portals = {"A": (office.portal, office.entry)}

    @override
    def set(self, name: str, *, lost: bool) -> None:
        """Silence a portal, or have it answer again."""
        portal, _ = self.portals[name]
        portal.clear_faults()
        if lost:
            portal.fault(FAULTS["nginx_502"])

    @override
    async def add(self, name: str, *, lost: bool) -> None:
        """Start another portal, and add it to Home Assistant."""
        portal = await self.office.stack.enter_async_context(Portal())
        entry = make_entry(portal)
        self.portals[name] = portal, entry
        self.set(name, lost=lost)
        entry.add_to_hass(self.office.hass)
        await self.office.hass.config_entries.async_setup(entry.entry_id)
        await self.office.hass.async_block_till_done(wait_background_tasks=True)

    @override
    def identifier(self, name: str) -> tuple[str, str, str]:
        """Return entry and identifier of its device, and the key of its sensor."""
        entry_id = self.portals[name][1].entry_id
        return entry_id, entry_id, "portal"

    @override
    def name_of(self, told: dict[str, Any]) -> str:
        """Return the portal that an automation was told of."""
        titles = {entry.title: name for name, (_, entry) in self.portals.items()}
        return titles[told["portal"]]


@dataclass
class Office:
    """An office with automations. told: by the automation's name, what each was told."""

    hass: HomeAssistant
    portal: Portal
    entry: MockConfigEntry
    freezer: FrozenDateTimeFactory
    stack: AsyncExitStack
    trigger: str = "registration_lost"
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    config: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the lines of the portal."""
        self.watched: Watched = Lines(self)

    async def watch(self, trigger: str) -> None:
        """Take what a trigger is about, in the state that it does not fire for."""
        self.trigger = trigger
        if trigger.startswith("portal"):
            self.watched = Portals(self)
            for name in "BC":
                await self.watched.add(name, lost=False)
        self.label("A", "B")
        await self.undo("A", "B", "C")

    async def automate(self, *config: dict[str, Any]) -> None:
        """Make automations."""
        self.config = list(config)
        await self._set_up_automations()
        await self.hass.async_block_till_done()

    async def _set_up_automations(self) -> None:
        @callback
        def hear(event: Any) -> None:
            self.told.setdefault(event.data["name"], []).append(dict(event.data))

        self.hass.bus.async_listen("told", hear)
        assert await async_setup_component(
            self.hass, "automation", {"automation": self.config}
        )
        assert len(self.hass.states.async_all("automation")) == len(self.config)

    async def automate_each_way(self, target: dict[str, Any]) -> None:
        """Make an automation for each behavior, with and without a time to last."""
        behaviors = BEHAVIORS if self.trigger.startswith("registration") else ()
        await self.automate(
            *(
                automation(
                    f"{behavior} {seconds}",
                    self.trigger,
                    target,
                    **({"behavior": behavior} if behaviors else {}),
                    **({"for": {"seconds": seconds}} if seconds else {}),
                )
                for behavior in behaviors or ["each"]
                for seconds in (0, LASTS)
            )
        )

    async def wait(self, seconds: float) -> None:
        """Advance the time."""
        await pass_time(self.hass, self.freezer, seconds)

    async def poll(self, times: int | None = None) -> None:
        """Advance the time by some polls, by default until all that changed is told."""
        for _ in range(times or self.watched.polls):
            await self.wait(self.watched.seconds)

    @property
    def fires_if_lost(self) -> bool:
        """Return whether the trigger is about a loss."""
        return self.trigger in ("registration_lost", "portal_unreachable")

    def set(self, *names: str) -> None:
        """Have them become what the trigger is about."""
        for name in names:
            self.watched.set(name, lost=self.fires_if_lost)

    async def change(self, *names: str) -> None:
        """Have them become what the trigger is about, for long enough."""
        self.set(*names)
        await self.poll()

    async def undo(self, *names: str) -> None:
        """Have them become what they were."""
        for name in names:
            self.watched.set(name, lost=not self.fires_if_lost)
        await self.poll()

    async def silence(self) -> None:
        """Have the portal give no answer until nothing is known of any line."""
        self.portal.fault(FAULTS["nginx_502"])
        await self.poll(6)

    async def speak(self) -> None:
        """Have the portal answer again."""
        self.portal.clear_faults()
        await self.poll()

    async def for_each_entry(
        self, action: Callable[[str], Awaitable[object]], *meanwhile: str
    ) -> None:
        """Do something to each entry."""
        for entry in self.hass.config_entries.async_entries(DOMAIN):
            await action(entry.entry_id)
        await self.hass.async_block_till_done(wait_background_tasks=True)
        self.set(*meanwhile)

    async def reload(self) -> None:
        """Reload the integration."""
        await self.for_each_entry(self.hass.config_entries.async_reload)
        await self.poll()

    async def reload_automations(self) -> None:
        """Reload the automations, each of which has changed."""
        self.config = [{**item, "description": "New"} for item in self.config]
        with patch(
            "homeassistant.config.load_yaml_config_file",
            autospec=True,
            return_value={"automation": self.config},
        ):
            await self.hass.services.async_call("automation", "reload", blocking=True)
        await self.hass.async_block_till_done()

    async def restart(self, *meanwhile: str) -> None:
        """Restart Home Assistant. meanwhile: what changes before it polls again."""
        await stop(self.hass)
        self.set(*meanwhile)
        self.hass = await self.stack.enter_async_context(
            begin_again(self.hass.config.config_dir)
        )
        await asyncio.gather(
            self._set_up_automations(), async_setup_component(self.hass, DOMAIN, {})
        )
        await self.hass.async_start()
        await self.poll()

    def label(self, *names: str) -> None:
        """Put the label on devices."""
        for name in names:
            device = self.watched.device(name)
            dr.async_get(self.hass).async_update_device(device.id, labels={"watched"})

    def rename(self, name: str, new_name: str) -> None:
        """Give a binary sensor another ID."""
        er.async_get(self.hass).async_update_entity(
            self.watched.entity_id(name), new_entity_id=f"binary_sensor.{new_name}"
        )

    def disable(self, name: str, by: er.RegistryEntryDisabler | None) -> None:
        """Disable a binary sensor, or enable it."""
        entity_id = self.watched.entity_id(name)
        er.async_get(self.hass).async_update_entity(entity_id, disabled_by=by)

    def names_told(self, automation: str) -> str:
        """Return of what an automation was told."""
        return "".join(sorted(map(self.watched.name_of, self.told.get(automation, []))))
