"""Home Assistant sets nothing up without a config flow; this one is never walked."""

from homeassistant.config_entries import ConfigFlow

from . import DOMAIN


class UsualConfigFlow(ConfigFlow, domain=DOMAIN):
    """A flow without steps."""
