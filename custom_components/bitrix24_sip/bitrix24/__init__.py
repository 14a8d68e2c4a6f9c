"""The part of Bitrix24's REST API that concerns the telephony of a portal.

It needs aiohttp and the standard library only, not Home Assistant.
"""

from .client import BatchAnswer, Bitrix24Client, OperatingTime
from .errors import Bitrix24Error, PermanentError, TransientError
from .sip_codes import Cause
from .telephony import (
    Answers,
    OutgoingLine,
    PortalLinks,
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
    "OutgoingLine",
    "PermanentError",
    "PortalLinks",
    "RegistrationStatus",
    "SipConnector",
    "SipLine",
    "SipRegistration",
    "Telephony",
    "TransientError",
    "Webhook",
]
