"""The dashboard strategy: serve its script, and have the frontend load it."""

from hashlib import sha256
from pathlib import Path

from homeassistant.core import HomeAssistant

from ..const import DOMAIN, LOGGER

_SCRIPT = Path(__file__).parent / "bitrix24-sip.js"
_URL = f"/{DOMAIN}/{_SCRIPT.name}"


async def async_setup_frontend(hass: HomeAssistant) -> None:
    """Offer the dashboard strategy, where there is a frontend.

    The lines are monitored without it: whatever goes wrong here is logged, no more.
    """
    if not {"frontend", "http"} <= hass.config.components:
        return
    try:
        await _async_offer_script(hass)
    except Exception:  # noqa: BLE001 - whatever it is, fail safe
        LOGGER.exception("The dashboard strategy is not available")


async def _async_offer_script(hass: HomeAssistant) -> None:
    """Serve the script at an address that differs for each content, to be cached."""
    # Only here: an instance without a frontend may lack what these need.
    from homeassistant.components.frontend import add_extra_js_url  # noqa: PLC0415
    from homeassistant.components.http import StaticPathConfig  # type: ignore[attr-defined]  # noqa: PLC0415

    content = await hass.async_add_executor_job(_SCRIPT.read_bytes)
    await hass.http.async_register_static_paths(
        [StaticPathConfig(_URL, str(_SCRIPT), cache_headers=True)]
    )
    add_extra_js_url(hass, f"{_URL}?v={sha256(content).hexdigest()[:12]}")
