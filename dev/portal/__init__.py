"""The simulated Bitrix24 portal; `python -m dev.portal` starts it alone."""

from .faults import FAULTS
from .methods import METHODS, MISSING
from .php import encode
from .server import Portal
from .state import DEFAULT_CODE, Request

__all__ = [
    "DEFAULT_CODE",
    "FAULTS",
    "METHODS",
    "MISSING",
    "Portal",
    "Request",
    "encode",
]
