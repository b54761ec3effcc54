"""Settings from the environment: one typed list of names; an unknown or malformed one stops the start."""

from __future__ import annotations

import os
import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tenancy.rules import addresses

REPOSITORY = Path(__file__).resolve().parent.parent
COMMAND_ONLY = frozenset({"ATOLL_KUBECONFIG", "ATOLL_CACHE", "ATOLL_PORT"})
"""Read by the ``atoll`` command, not by Django."""
POOL_PATIENCE = 10.0
"""Seconds that a request waits for a connection before it is told that the database is away."""


class Environment(BaseSettings):
    """Every setting that a deployment may give, each as ``ATOLL_<NAME>`` or ``ATOLL_<NAME>_FILE``."""

    model_config = SettingsConfigDict(env_prefix="ATOLL_")

    home: Path = Field(default=REPOSITORY / ".atoll", description="where state is kept")
    database_url: str = Field(default="", description="postgresql://…; empty: SQLite under the home")
    database_pool: int = Field(
        default=20, ge=2, description="connections to PostgreSQL that one portal process opens at most"
    )
    broker_url: str = Field(default="", description="redis://…; empty: the embedded one's socket")
    public_url: str = Field(default="http://127.0.0.1:8000", description="as people reach the portal")
    secret_key: str = Field(default="", description="Django's key; empty: made under the home")
    sealing_keys: str = Field(default="", description="Fernet keys, newest first, comma-separated")
    signing_keys: str = Field(
        default="", description="Ed25519 keys of isolation reports, base64url, newest first, comma-separated"
    )
    report_every: int = Field(default=21_600, ge=60, description="seconds between isolation reports")
    report_valid: int = Field(default=86_400, ge=60, description="seconds for which a report is valid")
    audit_heads: Path | None = Field(default=None, description="where signed heads of the audit log are kept")
    token_days: int = Field(default=0, ge=0, le=3650, description="most days an API token lives; 0: no bound")
    helm: str = Field(default="helm", description="the Helm 4 binary")
    gpu_advisories: str = Field(default="", description="a JSON file with advisories of your own")
    rehearsal_clock: str = Field(
        default="",
        description="a file with seconds by which the days of grants are ahead; for rehearsals only",
    )
    mail_url: str = Field(
        default="", description="smtp://user:password@host:587 (STARTTLS) or smtps://…:465; empty: no mail"
    )
    mail_from: str = Field(default="atoll@localhost", description="sender of mails")
    rate_token: int = Field(
        default=3000,
        ge=0,
        description="requests a minute of one API token; 0: no limit",
    )
    rate_tenant: int = Field(
        default=6000, ge=0, description="requests a minute about one tenant; 0: no limit"
    )
    rate_address: int = Field(
        default=60,
        ge=0,
        description="refused requests without a good token a minute from one address; 0: no limit",
    )
    rate_store: str = Field(
        default="",
        pattern=r"^($|rediss?://|unix://)",
        description="redis://… where all portal processes count together; empty: each for itself",
    )
    metrics_token: str = Field(
        default="",
        pattern="^(|[!-~]{20,})$",
        description="a token of 20 characters or more that reads /metrics and nothing else",
    )
    trusted_proxies: str = Field(
        default="", description="addresses and ranges whose X-Forwarded-For is believed, comma-separated"
    )
    oidc_issuer: str = Field(default="", description="https://…, for sign-in by OpenID Connect; empty: off")
    oidc_client_id: str = Field(default="", description="Atoll's registration at the provider")
    oidc_client_secret: str = Field(default="", description="its secret")
    oidc_name: str = Field(
        default="", max_length=40, description="what the sign-in button calls the provider"
    )
    oidc_scopes: str = Field(default="openid profile email", description="what is asked of the provider")
    oidc_username_claim: str = Field(default="preferred_username", min_length=1, description="the user name")
    oidc_groups_claim: str = Field(default="groups", min_length=1, description="the list of groups")
    oidc_admin_groups: str = Field(default="", description="groups of platform admins, comma-separated")
    oidc_auditor_groups: str = Field(default="", description="groups of platform auditors, comma-separated")
    oidc_tenant_roles: str = Field(default="", description="GROUP=TENANT:ROLE, comma-separated")
    oidc_create_users: bool = Field(default=True, description="make a user for whoever comes first")
    oidc_session: int = Field(default=28_800, ge=300, description="seconds that such a session lives")
    oidc_token_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="days after the last such sign-in for which people's API tokens are good; 0: no bound",
    )
    oidc_loopback: bool = Field(default=False, description="allow http issuers on loopback; for tests")
    ci_issuers: str = Field(default="", description="issuers of CI jobs' tokens, comma-separated")
    webhook_allow: str = Field(
        default="",
        description="address ranges to which webhooks may go beside public ones: 10.0.0.0/8,fd00::/8",
    )
    webhook_http: bool = Field(default=False, description="whether webhooks may go to http:// as well")
    debug: bool = Field(default=False, description="Django's debug pages")
    log_format: str = Field(default="console", pattern="^(console|json)$")


def read() -> Environment:
    """The environment, checked; raises ``ImproperlyConfigured`` that names each fault."""
    _refuse_unknown()
    try:
        return Environment(**_from_files())
    except ValidationError as error:
        faults = "; ".join(f"ATOLL_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        msg = f"settings cannot be read: {faults}"
        raise ImproperlyConfigured(msg) from error


def database(environment: Environment) -> dict[str, Any]:
    """Django's ``DATABASES['default']``."""
    if not environment.database_url:
        return _sqlite(environment.home / "atoll.sqlite3")
    url = urlsplit(environment.database_url)
    if url.scheme not in {"postgres", "postgresql"}:
        msg = "ATOLL_DATABASE_URL: give postgresql://user:password@host:5432/name, or leave it out for SQLite"
        raise ImproperlyConfigured(msg)
    query = dict(parse_qsl(url.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": query.get("host", url.hostname or ""),
        "PORT": str(url.port or ""),
        # Under ASGI each request has a thread of its own: a connection kept in it would outlive its use
        # (measured: 74 open after 100 requests), until the server refuses new ones. The portal has a pool.
        "CONN_MAX_AGE": 0,
    }


def pool(database: dict[str, Any], most: int) -> None:
    """Lets all threads of a portal share their connections: workers fork, and no pool survives that.

    Does nothing where one is open already, as in a test: it could not be given back to the pool.
    """
    opened = connections.all(initialized_only=True)
    if database["ENGINE"] == "django.db.backends.postgresql" and not opened:
        database["OPTIONS"] = {"pool": {"min_size": 2, "max_size": most, "timeout": POOL_PATIENCE}}
        database["CONN_HEALTH_CHECKS"] = True  # one that the server has ended meanwhile is replaced


def _sqlite(path: Path) -> dict[str, Any]:
    # IMMEDIATE: the default, deferred mode loses writes to "database is locked" under several writers.
    pragmas = "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA busy_timeout=20000;"
    return {
        "ENGINE": "portal.sqlite",
        "NAME": str(path),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": pragmas},
        # A file: SQLite in memory is shared between threads by a cache that has no busy timeout.
        # Named by process: two runs of the suite at once must not share it.
        "TEST": {"NAME": str(path.with_name(f"test-{os.getpid()}.sqlite3"))},
    }


def ranges(environment: Environment) -> str:
    """Address ranges of ``webhook_allow``, checked."""
    try:
        addresses.ranges(environment.webhook_allow)
    except ValueError as error:
        msg = f"ATOLL_WEBHOOK_ALLOW: {error}: give ranges such as 10.0.0.0/8,fd00::/8"
        raise ImproperlyConfigured(msg) from error
    return environment.webhook_allow


def trusted_proxies(environment: Environment) -> list[str]:
    """Addresses and ranges of ``trusted_proxies``, checked."""
    found = [word.strip() for word in environment.trusted_proxies.split(",") if word.strip()]
    for word in found:
        try:
            ip_network(word)
        except ValueError as error:
            msg = f"ATOLL_TRUSTED_PROXIES: {error}: give addresses or ranges such as 10.1.0.0/16,fd00::7"
            raise ImproperlyConfigured(msg) from error
    return found


def caches(environment: Environment) -> dict[str, Any]:
    """Django's ``CACHES``: where sign-ins that failed are counted."""
    if not environment.rate_store:
        backend = "django.core.cache.backends.locmem.LocMemCache"
        return {"default": {"BACKEND": backend, "OPTIONS": {"MAX_ENTRIES": 50_000}}}
    return {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": environment.rate_store,
            "KEY_PREFIX": "atoll:sign-in",
            "OPTIONS": {
                "socket_timeout": 0.2,
                "socket_connect_timeout": 0.2,
                "serializer": "portal.web.throttle.Whole",
            },
        }
    }


def secret(environment: Environment, given: str, name: str, make: Any) -> str:  # noqa: ANN401
    """A secret of the service: as given, else kept (and first made) under the home with mode 0600."""
    if given:
        return given
    folder = environment.home / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        _write_once(path, make())
    return path.read_text().strip()


def _write_once(path: Path, text: str) -> None:
    """Atomic for readers and for two first starts at once: the first one wins."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _refuse_unknown() -> None:
    known = {f"ATOLL_{name.upper()}" for name in Environment.model_fields}
    known |= {f"{name}_FILE" for name in known} | COMMAND_ONLY
    strange = sorted(name for name in os.environ if name.startswith("ATOLL_") and name not in known)
    if strange:
        msg = f"unknown settings {', '.join(strange)}: known are {', '.join(sorted(known))}"
        raise ImproperlyConfigured(msg)


def _from_files() -> dict[str, Any]:
    """``ATOLL_X_FILE`` names a file that holds X, as container platforms hand secrets over."""
    found: dict[str, Any] = {}
    for name in Environment.model_fields:
        path = os.environ.get(f"ATOLL_{name.upper()}_FILE")
        if path:
            found[name] = Path(path).read_text().strip()
    return found
