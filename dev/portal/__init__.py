"""The simulated Bitrix24 portal; `python -m dev.portal` starts it alone."""

from .faults import FAULTS, SLOW_FAULTS
from .server import DEFAULT_CODE, MISSING, Portal, Request, encode

__all__ = [
    "DEFAULT_CODE",
    "FAULTS",
    "MISSING",
    "SLOW_FAULTS",
    "Portal",
    "Request",
    "encode",
]
