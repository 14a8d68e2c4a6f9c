"""Every error of the portal as Home Assistant's exception, with one sentence each."""

from homeassistant.exceptions import ConfigEntryAuthFailed, HomeAssistantError
from homeassistant.helpers.update_coordinator import UpdateFailed

from .bitrix24 import Bitrix24Error, TransientError
from .bitrix24.errors import InvalidWebhook, PortalMoved
from .const import DOMAIN


class UnexpectedError(TransientError):
    """An exception that nobody foresaw: a fault of this integration, not the portal's."""

    reason = "unexpected_error"


def error_placeholders(error: Bitrix24Error, host: str) -> dict[str, str]:
    """Return what the sentences about an error may name."""
    return {
        "portal": host,
        "code": error.code,
        "new_host": error.new_host if isinstance(error, PortalMoved) else "",
    }


def action_error(error: Bitrix24Error, host: str) -> HomeAssistantError:
    """Return the exception with which an action fails."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=error.reason,
        translation_placeholders=error_placeholders(error, host),
    )


def update_error(
    error: Bitrix24Error, host: str, retry_after: float | None
) -> ConfigEntryAuthFailed | UpdateFailed:
    """Return the exception with which a poll fails. retry_after: seconds."""
    placeholders = error_placeholders(error, host)
    if isinstance(error, InvalidWebhook):
        return ConfigEntryAuthFailed(
            translation_domain=DOMAIN,
            translation_key=error.reason,
            translation_placeholders=placeholders,
        )
    return UpdateFailed(
        translation_domain=DOMAIN,
        translation_key=error.reason,
        translation_placeholders=placeholders,
        retry_after=retry_after,
    )
