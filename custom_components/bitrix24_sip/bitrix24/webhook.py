"""The inbound webhook: the portal's address, its user, and the secret."""

from dataclasses import dataclass, field
import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

# Characters that are copied along with a URL: quotes, brackets, zero-width spaces.
_WRAPPING = " \t\r\n\"'`<>«»“”\ufeff\u200b\u200c\u200d\u2060\u00a0"
_DEFAULT_PORTS = {"https": 443, "http": 80}
_LOCAL_SUFFIXES = (".local", ".lan", ".home.arpa", ".internal", ".localhost")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]")
# The longest part of the secret that may appear anywhere, in characters.
_SHOWN_AT_MOST = 4


class InvalidWebhookUrl(ValueError):
    """The input is not an inbound webhook. `reason` names what is wrong.

    Reasons: `not_a_url`, `wrong_scheme`, `wrong_host`, `user_info` (it has a user name
    and a password), `insecure` (http to a public host), `not_a_webhook` (an address
    without `/rest/`), `no_user_id`, `no_code` (it was not copied completely) and
    `too_many_parts` (more than a method follows the code).
    """

    def __init__(self, reason: str) -> None:
        """Set the reason; the text never contains the input."""
        super().__init__(f"not an inbound webhook: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Webhook:
    """An inbound webhook of a portal, in its normal form.

    base: scheme, host, port and path up to `/rest/`, as `https://acme.bitrix24.com`;
    host: the host, with the port if it is not the default;
    user_id: the number of the user to whom it belongs; code: the secret.
    """

    base: str
    host: str
    user_id: int = field(repr=False)
    code: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Webhook:
        """Return the webhook in a pasted text, or raise InvalidWebhookUrl.

        It accepts spaces and quotes around it, a missing scheme or trailing slash, a
        method and a query at its end, capitals and an internationalised host name, a
        port, and a path before `/rest/` (a self-hosted portal behind a proxy).
        """
        parts = _split(text.strip(_WRAPPING))
        host = _host(parts)
        if parts.scheme == "http" and not _is_private(parts.hostname or ""):
            raise InvalidWebhookUrl("insecure")
        prefix, user_id, code = _path(parts.path)
        return cls(f"{parts.scheme}://{host}{prefix}", host, user_id, code)

    @property
    def url(self) -> str:
        """The whole webhook, with its secret and a slash at the end."""
        return f"{self.base}/rest/{self.user_id}/{self.code}/"

    @property
    def portal(self) -> str:
        """The portal's address without the scheme, which identifies a portal."""
        return self.base.partition("://")[2]

    def may_link_to(self, url: str) -> bool:
        """Return whether a link that the portal answered may be shown to a user.

        It must lead to the portal's own host, and must not hold the secret. The scheme
        and the port may be others: those of a self-hosted portal's public address.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return (
            parts.scheme in _DEFAULT_PORTS
            and parts.hostname == urlsplit(self.base).hostname
            and "@" not in parts.netloc
            and not self.leaks_into(url)
        )

    def leaks_into(self, text: str) -> bool:
        """Return whether a text contains more than 4 characters of the secret."""
        if len(self.code) <= _SHOWN_AT_MOST:
            return self.code in text
        length = _SHOWN_AT_MOST + 1
        return any(
            self.code[at : at + length] in text
            for at in range(len(self.code) - length + 1)
        )

    def __str__(self) -> str:
        """Show the host only."""
        return self.host

    def __repr__(self) -> str:
        """Show the host only."""
        return f"<Webhook of {self.host}>"


def _split(text: str) -> SplitResult:
    """Split an address into its parts, or raise."""
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise _without_host(text) from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidWebhookUrl("wrong_scheme")
    if not parts.hostname:
        raise _without_host(text)
    if parts.username is not None or parts.password is not None:
        raise InvalidWebhookUrl("user_info")
    return parts


def _host(parts: SplitResult) -> str:
    """Return the host in lower case and ASCII, with a port other than the default."""
    host = (parts.hostname or "").rstrip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise _without_host(parts.path) from None
    if ":" in host:
        host = f"[{host}]"
    if not _HOST.fullmatch(host):
        raise _without_host(parts.path)
    if parts.port in (None, _DEFAULT_PORTS[parts.scheme]):
        return host
    return f"{host}:{parts.port}"


def _without_host(text: str) -> InvalidWebhookUrl:
    """Return the error for a text without a valid host, which may be no address at all."""
    if "/rest/" in text:
        return InvalidWebhookUrl("wrong_host")
    return InvalidWebhookUrl("not_a_url")


def _path(path: str) -> tuple[str, int, str]:
    """Return prefix, user id and code of a path `PREFIX/rest/USER_ID/CODE[/METHOD]`."""
    segments = [segment for segment in path.split("/") if segment]
    places = [at for at, segment in enumerate(segments) if segment == "rest"]
    if not places:
        raise InvalidWebhookUrl("not_a_webhook")
    # The path of a portal may contain another "rest": the last one before a number
    # is the right one.
    found = "no_code"
    for at in reversed(places):
        rest = segments[at + 1 :]
        if rest[:1] == ["api"]:  # the address of REST version 3
            rest = rest[1:]
        if not rest:
            continue
        if not re.fullmatch(r"[1-9][0-9]{0,17}", rest[0]):
            found = "no_user_id"
            continue
        if len(rest) == 1:
            continue
        if len(rest) > 3:
            found = "too_many_parts"
            continue
        return "".join(f"/{s}" for s in segments[:at]), int(rest[0]), rest[1]
    raise InvalidWebhookUrl(found)


def _is_private(host: str) -> bool:
    """Return whether a host is one of a private network, or this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith(_LOCAL_SUFFIXES)
    return address.is_private or address.is_loopback
