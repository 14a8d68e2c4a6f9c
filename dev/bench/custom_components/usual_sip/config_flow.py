"""Home Assistant requires a config flow; this one is never used."""

from homeassistant.config_entries import ConfigFlow

from . import DOMAIN


class UsualConfigFlow(ConfigFlow, domain=DOMAIN):
    """A flow without steps."""
