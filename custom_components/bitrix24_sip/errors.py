"""The errors of the portal as Home Assistant's exceptions, with one message each."""

import traceback

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, HomeAssistantError
from homeassistant.helpers.translation import async_get_cached_translations
from homeassistant.helpers.update_coordinator import UpdateFailed

from .bitrix24 import Bitrix24Error, TransientError, Webhook
from .bitrix24.errors import InvalidWebhook, PortalMoved
from .const import DOMAIN, LOGGER


def log_unexpected(
    about: str, exception: BaseException, webhook: Webhook | None
) -> None:
    """Log an unexpected exception, without details that may contain the webhook."""
    details = "".join(traceback.format_exception(exception))
    if webhook and webhook.leaks_into(details):
        LOGGER.error("%s: %s (details hidden)", about, type(exception).__name__)
    else:
        LOGGER.error("%s", about, exc_info=exception)


class UnexpectedError(TransientError):
    """An unexpected exception: a fault of this integration, not of the portal."""

    reason = "unexpected_error"


def translation_key(error: Bitrix24Error) -> str:
    """Return the key of an error's message: one without a code if the code is empty."""
    has_no_code = error.reason == "server_error" and not error.code
    return "server_error_without_code" if has_no_code else error.reason


def error_placeholders(
    error: Bitrix24Error, host: str, reg_id: int | None = None
) -> dict[str, str]:
    """Return the placeholders of an error's message. reg_id: the failed one, if any."""
    return {
        "reg_id": str(reg_id or ""),
        "portal": host,
        "code": error.code,
        "new_host": error.new_host if isinstance(error, PortalMoved) else "",
    }


def action_error(
    error: Bitrix24Error, host: str, reg_id: int | None = None
) -> HomeAssistantError:
    """Return the exception for a failed action."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=translation_key(error),
        translation_placeholders=error_placeholders(error, host, reg_id),
    )


@callback
def error_message(
    hass: HomeAssistant, error: Bitrix24Error, host: str, reg_id: int | None = None
) -> str:
    """Return an error's message in Home Assistant's language.

    The text of an exception is always English; it is used if the language is not loaded.
    """
    texts = async_get_cached_translations(
        hass, hass.config.language, "exceptions", DOMAIN
    )
    key = f"component.{DOMAIN}.exceptions.{translation_key(error)}.message"
    if key not in texts:
        return str(action_error(error, host, reg_id))
    message = texts[key].format(**error_placeholders(error, host, reg_id))
    return message.removesuffix(".")  # as in the text of an exception


def update_error(
    error: Bitrix24Error, host: str, retry_after: float | None
) -> ConfigEntryAuthFailed | UpdateFailed:
    """Return the exception for a failed poll. retry_after: seconds."""
    placeholders = error_placeholders(error, host)
    if isinstance(error, InvalidWebhook):
        return ConfigEntryAuthFailed(
            translation_domain=DOMAIN,
            translation_key=translation_key(error),
            translation_placeholders=placeholders,
        )
    return UpdateFailed(
        translation_domain=DOMAIN,
        translation_key=translation_key(error),
        translation_placeholders=placeholders,
        retry_after=retry_after,
    )
