"""Credentials of a host cluster: from a file, an environment variable or the pod we run in.

A kubeconfig may name a program to run; none is ever run here.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from provisioner.ports import HostMisconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

_POD: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_RUNS_PROGRAMS: Final = ("exec", "auth-provider")


@dataclass(frozen=True)
class Credentials:
    """What it takes to speak with one API server; nothing in it is a path but ``token_file``."""

    server: str
    authority: bytes
    token: str = ""
    token_file: str = ""
    """Read anew for each request, as the kubelet renews it."""
    certificate: bytes = b""
    key: bytes = b""
    server_name: str = ""
    """The name in the server's certificate, where it is not the address."""

    def bearer(self) -> str:
        """The token to send now; empty where a certificate speaks for us."""
        return Path(self.token_file).read_text().strip() if self.token_file else self.token


def read(reference: str, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """By ``file:/path``, ``env:NAME`` or ``in-cluster``; ``None`` for a file that is not there (yet).

    Raises ``HostMisconfigured`` with what to do.
    """
    scheme, _, rest = reference.partition(":")
    if reference == "in-cluster":
        return _in_cluster(environment)
    if scheme == "env":
        text = environment.get(rest, "")
        if not text:
            msg = f"environment variable {rest} is empty: give the workers the host's kubeconfig in it"
            raise HostMisconfigured(msg)
        return parse(text, f"${rest}", Path.cwd())
    path = Path(rest)
    try:
        return parse(path.read_text(), rest, path.parent)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"kubeconfig {rest} cannot be read ({error}): let the workers read it"
        raise HostMisconfigured(msg) from error


def parse(text: str, source: str, folder: Path) -> Credentials:
    """The current context of a kubeconfig; ``folder`` is what relative paths in it start from."""
    try:
        document = yaml.safe_load(text)
        context = _named(document, "contexts", document["current-context"])["context"]
        cluster = _named(document, "clusters", context["cluster"])["cluster"]
        user = _named(document, "users", context["user"])["user"] or {}
        return _credentials(cluster, user, source, folder)
    except (yaml.YAMLError, LookupError, TypeError, ValueError, OSError) as error:
        msg = f"{source} is not a usable kubeconfig ({type(error).__name__}: {error}): write it anew"
        raise HostMisconfigured(msg) from error


def _credentials(cluster: dict[str, Any], user: dict[str, Any], source: str, folder: Path) -> Credentials:
    for field in _RUNS_PROGRAMS:
        if field in user:
            msg = f"{source} runs a program ({field}): give a ServiceAccount's token instead (see helm/host)"
            raise HostMisconfigured(msg)
    if cluster.get("insecure-skip-tls-verify"):
        msg = f"{source} switches the check of the server's certificate off: give certificate-authority-data"
        raise HostMisconfigured(msg)
    token_file = user.get("tokenFile", "")
    return Credentials(
        server=str(cluster["server"]).rstrip("/"),
        authority=_bytes(cluster, "certificate-authority", folder),
        token=user.get("token", ""),
        token_file=str(folder / token_file) if token_file else "",
        certificate=_bytes(user, "client-certificate", folder),
        key=_bytes(user, "client-key", folder),
        server_name=cluster.get("tls-server-name", ""),
    )


def document(credentials: Credentials) -> str:
    """The same as a kubeconfig of our own making, for Helm."""
    user = {
        "token": credentials.token,
        "tokenFile": credentials.token_file,
        "client-certificate-data": _text(credentials.certificate),
        "client-key-data": _text(credentials.key),
    }
    cluster = {
        "server": credentials.server,
        "certificate-authority-data": _text(credentials.authority),
        "tls-server-name": credentials.server_name,
    }
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "host", "cluster": _filled(cluster)}],
            "users": [{"name": "atoll", "user": _filled(user)}],
            "contexts": [{"name": "host", "context": {"cluster": "host", "user": "atoll"}}],
            "current-context": "host",
        }
    )


def _in_cluster(environment: Mapping[str, str]) -> Credentials:
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    token, authority = _POD / "token", _POD / "ca.crt"
    if not host or not port or not token.is_file() or not authority.is_file():
        msg = (
            "'in-cluster' works only in a pod with a ServiceAccount's token: give 'file:/path' or 'env:NAME'"
        )
        raise HostMisconfigured(msg)
    name = f"[{host}]" if ":" in host else host
    return Credentials(f"https://{name}:{port}", authority.read_bytes(), token_file=str(token))


def _named(document: dict[str, Any], part: str, name: str) -> dict[str, Any]:
    for entry in document[part]:
        if entry["name"] == name:
            return dict(entry)
    msg = f"{part} has no {name!r}"
    raise LookupError(msg)


def _bytes(part: dict[str, Any], field: str, folder: Path) -> bytes:
    data = part.get(f"{field}-data")
    if data:
        return b64decode(data)
    path = part.get(field)
    return (folder / path).read_bytes() if path else b""


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _filled(part: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in part.items() if value}
