"""Constants of the Bitrix24 SIP integration."""

import logging
from typing import Final

DOMAIN: Final = "bitrix24_sip"
LOGGER = logging.getLogger(__package__)

CONF_WEBHOOK: Final = "webhook"

# Fired on Home Assistant's event bus for each event of an incident, so that an automation
# hears of those of all portals without knowing their entities.
EVENT_INCIDENT: Final = f"{DOMAIN}_incident"

# Options.
CONF_FIND_LINES: Final = "find_lines"
CONF_GRACE_PERIOD: Final = "grace_period"
CONF_REG_IDS: Final = "reg_ids"

DEFAULT_SCAN_INTERVAL: Final = 30  # seconds
MIN_SCAN_INTERVAL: Final = 15
MAX_SCAN_INTERVAL: Final = 3600
DEFAULT_GRACE_PERIOD: Final = 120  # seconds
MAX_GRACE_PERIOD: Final = 3600
