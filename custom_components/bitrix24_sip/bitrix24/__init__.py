"""Bitrix24's REST API, as far as the telephony of a portal is concerned.

Knows nothing of Home Assistant; needs aiohttp and the standard library only.
"""

from .client import BatchAnswer, Bitrix24Client, OperatingTime
from .errors import Bitrix24Error, PermanentError, TransientError
from .sip_codes import Cause
from .telephony import (
    Answers,
    RegistrationStatus,
    SipConnector,
    SipLine,
    SipRegistration,
    Telephony,
)
from .webhook import InvalidWebhookUrl, Webhook

__all__ = [
    "Answers",
    "BatchAnswer",
    "Bitrix24Client",
    "Bitrix24Error",
    "Cause",
    "InvalidWebhookUrl",
    "OperatingTime",
    "PermanentError",
    "RegistrationStatus",
    "SipConnector",
    "SipLine",
    "SipRegistration",
    "Telephony",
    "TransientError",
    "Webhook",
]
