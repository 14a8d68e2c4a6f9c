"""What the steps share: the portal, Home Assistant, and the open page."""

from dataclasses import dataclass
import re
from typing import Final

from playwright.async_api import Locator, Page, expect

from custom_components.bitrix24_sip.bitrix24 import Webhook
from dev.hass import HomeAssistant
from dev.portal import Portal

from .browser import Frontend

DOMAIN: Final = "bitrix24_sip"
# Every *.localhost is this machine; the pictures show this name instead of an address.
PORTAL_NAME: Final = "acme.localhost"

INTEGRATION_PAGE: Final = f"/config/integrations/integration/{DOMAIN}"
INTEGRATIONS_PAGE: Final = "/config/integrations/dashboard"


@dataclass(slots=True)
class Visit:
    """A browser session. secrets: all webhooks so far."""

    portal: Portal
    hass: HomeAssistant
    frontend: Frontend
    page: Page
    secrets: list[Webhook]

    def copy_webhook(self) -> str:
        """Return the webhook as a user copies it from the portal."""
        text = self.portal.webhook.replace("127.0.0.1", PORTAL_NAME)
        self.secrets.append(Webhook.parse(text))
        return text

    @property
    def portal_host(self) -> str:
        """The portal's host as Home Assistant shows it."""
        return self.portal.host.replace("127.0.0.1", PORTAL_NAME)

    @property
    def flow(self) -> Locator:
        """The dialog of a flow."""
        return self.page.locator("dialog-data-entry-flow")

    @property
    def entry(self) -> Locator:
        """The portal on the integration's page."""
        return self.page.locator("ha-config-entry-row").filter(
            has_text=self.portal_host
        )

    async def go(self, path: str) -> None:
        """Open one of Home Assistant's pages by its path."""
        await self.frontend.go(self.page, path)

    async def open_device(self, name: str) -> None:
        """Open the page of a device, from the integration's page."""
        await self.go(INTEGRATION_PAGE)
        rows = self.page.locator("ha-config-entry-device-row")
        await rows.filter(has_text=name).click()
        await expect(self.page.get_by_text("Service info")).to_be_visible()

    async def shows(self, **states: str) -> None:
        """Wait until a device's page shows states, by the names of their entities."""
        rows = self.page.locator("ha-device-entities-card hui-generic-entity-row")
        for key, state in states.items():
            name = key.replace("_", " ")
            row = rows.filter(has_text=re.compile(rf"{name}\s*$")).first
            await expect(row).to_have_text(f"{state} {name}")

    async def activity(self, since: float) -> list[tuple[str, str]]:
        """Return entity ID and state of the rows of the page's activity since a time."""
        rows = self.page.locator("ha-logbook-renderer")
        entries = await rows.evaluate("(renderer) => renderer.entries")
        newest_first = [e for e in entries if e["when"] >= since and "state" in e]
        return [(e["entity_id"], e["state"]) for e in reversed(newest_first)]

    async def choose(self, item: str) -> None:
        """Choose an item of the portal's menu on the integration's page."""
        await self.entry.get_by_role("button", name="Menu").first.click()
        items = self.entry.locator("ha-dropdown-item").filter(visible=True)
        await items.filter(has_text=item).click()

    async def submit(self, **fields: str) -> None:
        """Fill in fields of a flow's form by their names, and submit it."""
        for name, value in fields.items():
            await self.flow.locator(f"input[name={name}]").fill(value)
        await self.flow.get_by_role("button", name="Submit").click()

    async def pick(self, field: Locator, name: str) -> None:
        """Choose an option of a select by its name."""
        await field.click()
        options = self.page.locator("ha-combo-box-item").filter(visible=True)
        await options.filter(has_text=name).first.click()
        await expect(field).to_contain_text(name)

    async def set_language(self, language: str) -> None:
        """Change Home Assistant's language."""
        await self.hass.command("config/core/update", language=language)
        await self.reload()

    async def reload(self) -> None:
        """Reload the portal, which updates the list of its lines."""
        [entry] = await self.hass.command("config_entries/get", domain=DOMAIN)
        path = f"/api/config/config_entries/entry/{entry['entry_id']}/reload"
        await self.hass.request("POST", path)

    async def delete_device(self, name: str) -> None:
        """Delete the device of a line that the portal no longer has."""
        devices = await self.hass.devices()
        [device] = [d for d in devices.values() if d["name"] == name]
        [entry] = await self.hass.command("config_entries/get", domain=DOMAIN)
        await self.hass.command(
            "config/device_registry/remove_config_entry",
            config_entry_id=entry["entry_id"],
            device_id=device["id"],
        )

    async def poll_now(self) -> None:
        """Poll the portal at once."""
        states = await self.hass.states()
        answers = next(e for e in states if e.endswith("_portal"))
        await self.hass.request(
            "POST", "/api/services/homeassistant/update_entity", {"entity_id": answers}
        )

    async def picture_of_dialog(self, name: str, dialog: Locator) -> None:
        """Save a picture of a dialog, on a plain background."""
        part = dialog.get_by_role("dialog").first
        await self.frontend.picture(name, self.page, part, margin=16)

    def must_not_leak(self, text: str, where: str) -> None:
        """Fail if a text contains a part of a webhook's secret."""
        leaks = any(webhook.leaks_into(text) for webhook in self.secrets)
        assert not leaks, f"the webhook's secret is in {where}"
