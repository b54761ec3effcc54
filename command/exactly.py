"""Writes an object of a host as it is to be, whole: what anybody added to it is gone with the same write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from command.terminal import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TIMEOUT: Final = (5, 30)
_REFUSED, _NOT_FOUND, _UNCHANGEABLE = 400, 404, 422


def write(kubeconfig: Path, bodies: Iterable[dict[str, Any]]) -> None:
    """Replaces those that are there; what can no longer be changed (a binding's role) is deleted, to be made anew.

    Helm's apply would keep what others added to lists and maps: one more match condition, and a
    policy matches nothing.
    """
    from kubernetes import config  # noqa: PLC0415 - a second of work that few commands need

    try:
        with config.new_client_from_config(str(kubeconfig)) as api:  # type: ignore[no-untyped-call] # it has no types
            for body in bodies:
                _write(api, body)
    except CommandError:
        raise
    except Exception as error:  # the client lets urllib3's and its own errors through
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CommandError(f"the cluster does not answer: {first}") from error


def _write(api: Any, body: dict[str, Any]) -> None:  # noqa: ANN401 - the client has no types
    where = path(body)
    seen = _send(api, "GET", where, but=_NOT_FOUND)
    if seen["kind"] == "Status":
        return
    # What names no version some kinds do not replace.
    version = {"resourceVersion": seen["metadata"]["resourceVersion"]}
    done = _send(api, "PUT", where, {**body, "metadata": {**body["metadata"], **version}}, but=_UNCHANGEABLE)
    if done["kind"] == "Status":
        _send(api, "DELETE", where)


def _send(
    api: Any,  # noqa: ANN401 - as above
    method: str,
    where: str,
    body: dict[str, Any] | None = None,
    but: int = 0,
) -> dict[str, Any]:
    """The API server's answer; raises CommandError for a refusal of another status than ``but``."""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    request = api.param_serialize(
        method, where, header_params=headers, body=body, auth_settings=["BearerToken"]
    )
    answer = api.call_api(*request, _request_timeout=TIMEOUT)
    text = answer.read()
    if answer.status >= _REFUSED and answer.status != but:
        raise CommandError(f"the cluster refuses {method} {where}: {text[:300]!r}")
    return dict(json.loads(text))


def path(body: dict[str, Any]) -> str:
    """Of an object in its API."""
    version, kind, metadata = body["apiVersion"], body["kind"].lower(), body["metadata"]
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
    return f"{root}{place}/{plural}/{metadata['name']}"
