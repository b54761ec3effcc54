"""The mail server of the settings, as Django wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from portal.env import Environment

_PORTS: Final = {"smtp": 587, "smtps": 465}
_WANTED: Final = "give smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465"


@dataclass(frozen=True)
class Server:
    """Where mails are handed in; without a host none is sent."""

    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False

    @property
    def backend(self) -> str:
        """Django's name of the way out."""
        return f"django.core.mail.backends.{'smtp' if self.host else 'dummy'}.EmailBackend"


def server(environment: Environment) -> Server:
    """Of ``ATOLL_MAIL_URL``; raises ``ImproperlyConfigured`` that names the fault."""
    if "@" not in environment.mail_from or any(c.isspace() for c in environment.mail_from):
        msg = f"ATOLL_MAIL_FROM: {environment.mail_from!r} is no address: give one such as atoll@example.com"
        raise ImproperlyConfigured(msg)
    if not environment.mail_url:
        return Server()
    url = urlsplit(environment.mail_url)
    try:
        port = url.port or _PORTS.get(url.scheme, 0)
    except ValueError as error:
        msg = f"ATOLL_MAIL_URL: {error}; {_WANTED}"
        raise ImproperlyConfigured(msg) from error
    if url.scheme not in _PORTS or not url.hostname or url.path.strip("/"):
        msg = f"ATOLL_MAIL_URL: {_WANTED}, or leave it out for no mail"
        raise ImproperlyConfigured(msg)
    return Server(
        host=url.hostname,
        port=port,
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        # A server of this machine has no certificate of a name that could be checked.
        starttls=url.scheme == "smtp" and url.hostname not in {"localhost", "127.0.0.1", "::1"},
        tls=url.scheme == "smtps",
    )
