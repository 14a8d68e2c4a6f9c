"""The options of a config entry, with their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL

from .const import (
    CONF_FIND_LINES,
    CONF_GRACE_PERIOD,
    CONF_REG_IDS,
    DEFAULT_GRACE_PERIOD,
    DEFAULT_SCAN_INTERVAL,
)


@dataclass(frozen=True, slots=True)
class Options:
    """What a user chose for a portal. Times are in seconds."""

    scan_interval: int
    grace_period: int
    find_lines: bool
    reg_ids: tuple[int, ...]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Options:
        """Read the options that a config entry stores."""
        return cls(
            stored.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL),
            stored.get(CONF_GRACE_PERIOD, DEFAULT_GRACE_PERIOD),
            stored.get(CONF_FIND_LINES, True),
            tuple(stored.get(CONF_REG_IDS, ())),
        )
