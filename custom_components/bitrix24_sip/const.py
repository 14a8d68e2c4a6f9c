"""Constants of the Bitrix24 SIP integration."""

from datetime import timedelta
import logging
from typing import Final

DOMAIN: Final = "bitrix24_sip"
LOGGER = logging.getLogger(__package__)

CONF_WEBHOOK: Final = "webhook"

# Options.
CONF_FIND_LINES: Final = "find_lines"
CONF_GRACE_PERIOD: Final = "grace_period"
CONF_REG_IDS: Final = "reg_ids"

DEFAULT_SCAN_INTERVAL: Final = 60  # seconds
MIN_SCAN_INTERVAL: Final = 15
MAX_SCAN_INTERVAL: Final = 3600
DEFAULT_GRACE_PERIOD: Final = 120  # seconds
MAX_GRACE_PERIOD: Final = 3600

LINES_EVERY: Final = timedelta(minutes=10)
CONNECTOR_EVERY: Final = timedelta(hours=1)

# A line goes when the portal's list was read without it this many times.
ABSENT_READS: Final = 2
