"""The integration's dashboard, as the default one of the demo."""

from dev.hass import HomeAssistant

_URL_PATH = "sip-lines"


async def show(hass: HomeAssistant) -> None:
    """Create the dashboard, and make it the default one."""
    await hass.command(
        "lovelace/dashboards/create",
        url_path=_URL_PATH,
        mode="storage",
        title="SIP lines",
        icon="mdi:phone-check",
        show_in_sidebar=True,
    )
    await hass.command(
        "lovelace/config/save",
        url_path=_URL_PATH,
        config={"strategy": {"type": "custom:bitrix24-sip"}},
    )
    await hass.command(
        "frontend/set_system_data", key="core", value={"default_panel": _URL_PATH}
    )
