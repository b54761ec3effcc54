"""An API server as the reconciler knows it: plain requests with dicts, no generated models.

Models drop fields they do not know, and a discovery round costs more than a pass.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from provisioner.outcomes import Transient
from provisioner.ports import NAMESPACES, PODS, Busy, Kind, Refused, Rehearsal, Rejected, Served, Token
from tenancy.enums import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.adapters.transport import Answer, Transport
    from provisioner.ports import Guard, Object

MANAGER: Final = "atoll-provisioner"
"""The field manager of everything we apply."""
_BRIEF: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_OK, _CREATED, _ACCEPTED = 200, 201, 202
_GOOD: Final = frozenset({_OK, _CREATED, _ACCEPTED})
_NOT_FOUND, _CONFLICT, _THROTTLED = 404, 409, 429
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_SERVER_FAULT: Final = 500
_NOT_BEGUN: Final = 400
"""How the log of a container that has not begun is answered."""
_INVALID: Final = frozenset({400, 405, 413, 415, 422})
_MOST_LOG: Final = 65_536


class RestKube:
    """``ports.Kube`` over one transport, under one pass's guard."""

    def __init__(self, transport: Transport, guard: Guard) -> None:
        self._transport = transport
        self._guard = guard

    def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        answer = self._read(_path(kind, namespace, name))
        return None if answer.status == _NOT_FOUND else self._object(answer)

    def find(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = "", brief: bool = False
    ) -> list[Object]:
        query = _query(labelSelector=labels, fieldSelector=fields)
        accept = _BRIEF if brief else "application/json"
        answer = self._read(_path(kind, namespace) + query, accept)
        if answer.status == _NOT_FOUND:
            return []
        return list(self._object(answer).get("items") or [])

    def served(self, api: str, kind: str) -> Served | None:
        answer = self._read(_path(Kind(api, "", kind)).rstrip("/"))
        listed = [] if answer.status == _NOT_FOUND else self._object(answer).get("resources") or []
        found = (one for one in listed if one["kind"] == kind and "/" not in one["name"])
        return next((Served(Kind(api, one["name"], kind), one["namespaced"]) for one in found), None)

    def apply(self, kind: Kind, body: Object) -> Object:
        query = _query(fieldManager=MANAGER, force="true")
        return self._write("PATCH", _path_of(kind, body) + query, body, "application/apply-patch+yaml")

    def create(self, kind: Kind, body: Object) -> bool:
        self._guard.check()
        path = _path(kind, body["metadata"].get("namespace", "")) + _query(fieldManager=MANAGER)
        answer = self._transport.send("POST", path, body)
        if answer.status == _CONFLICT and _reason(answer) == "AlreadyExists":
            return False
        self._object(answer)
        return True

    def rehearse(self, kind: Kind, body: Object) -> Rehearsal:
        path = _path(kind, body["metadata"].get("namespace", "")) + _query(dryRun="All")
        answer = self._transport.send("POST", path, body)
        if answer.status == _FORBIDDEN:
            return Rehearsal(None, _whole_message(answer))
        return Rehearsal(self._object(answer))

    def annotate(self, kind: Kind, name: str, annotations: Mapping[str, str], namespace: str = "") -> None:
        self.merge(kind, name, {"metadata": {"annotations": dict(annotations)}}, namespace)

    def label(self, kind: Kind, name: str, labels: Mapping[str, str | None], namespace: str = "") -> None:
        self.merge(kind, name, {"metadata": {"labels": dict(labels)}}, namespace)

    def merge(self, kind: Kind, name: str, body: Object, namespace: str = "") -> Object:
        path = _path(kind, namespace, name) + _query(fieldManager=MANAGER)
        return self._write("PATCH", path, body, "application/merge-patch+json")

    def delete(self, kind: Kind, name: str, namespace: str = "", *, uid: str = "", grace: int = -1) -> bool:
        self._guard.check()
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace >= 0:
            options["gracePeriodSeconds"] = grace
        answer = self._transport.send("DELETE", _path(kind, namespace, name), options)
        if answer.status == _NOT_FOUND:
            return False
        self._object(answer)
        return True

    def evict(self, name: str, namespace: str, *, uid: str) -> bool:
        self._guard.check()
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        answer = self._transport.send("POST", f"{_path(PODS, namespace, name)}/eviction", body)
        if answer.status == _THROTTLED:
            return False
        if answer.status not in {_NOT_FOUND, _CONFLICT}:
            self._object(answer)
        return True

    def token(self, account: str, namespace: str, seconds: int) -> Token:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        path = f"/api/v1/namespaces/{quote(namespace)}/serviceaccounts/{quote(account)}/token"
        status = self._write("POST", path, body)["status"]
        return Token(str(status["token"]), datetime.fromisoformat(status["expirationTimestamp"]))

    def log(self, pod: str, namespace: str) -> str:
        path = f"{_path(PODS, namespace, pod)}/log" + _query(limitBytes=str(_MOST_LOG))
        answer = self._transport.send("GET", path, accept="*/*")
        if answer.status in {_NOT_BEGUN, _NOT_FOUND}:
            return ""
        if answer.status != _OK:
            raise self._error(answer)
        return answer.body.decode(errors="replace")

    def version(self) -> str:
        return str(self._object(self._transport.send("GET", "/version"))["gitVersion"])

    def ready(self) -> str:
        answer = self._transport.send("GET", "/readyz", accept="text/plain")
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
            raise self._error(answer)
        said = " ".join(answer.body.decode(errors="replace").split())[:200]
        return "" if answer.status == _OK else said or str(answer.status)

    def whoami(self) -> str:
        kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        review = self._object(self._transport.send("POST", path, kind))
        return str(review["status"]["userInfo"]["username"])

    def _read(self, path: str, accept: str = "application/json") -> Answer:
        """Asked twice of a server that fails now and then, so that a pass gets on."""
        answer = self._transport.send("GET", path, accept=accept)
        if answer.status >= _SERVER_FAULT:
            answer = self._transport.send("GET", path, accept=accept)
        return answer

    def _write(self, method: str, path: str, body: Object, kind: str = "application/json") -> Object:
        self._guard.check()
        return self._object(self._transport.send(method, path, body, kind=kind))

    def _object(self, answer: Answer) -> Object:
        """The answer as an object, or the error it stands for."""
        if answer.status not in _GOOD:
            raise self._error(answer)
        try:
            found = answer.json()
        except ValueError as error:
            raise self._transport.unreachable("its answer is not JSON") from error
        if not isinstance(found, dict):
            raise self._transport.unreachable("its answer is no object")
        return found

    def _error(self, answer: Answer) -> Exception:
        peer, said = self._transport.peer, _message(answer)
        if answer.status == _UNAUTHORIZED:
            return Refused(f"{peer.name} does not accept our credential (401): {peer.rights}")
        if answer.status == _FORBIDDEN:
            return self._forbidden(said)
        if answer.status in _INVALID:
            return Rejected(f"{peer.name} refuses what we sent ({answer.status}): {said}")
        if answer.status in {_NOT_FOUND, _CONFLICT, _THROTTLED} or answer.status >= _SERVER_FAULT:
            return Busy(f"{peer.name} could not do it now ({answer.status}): {said}", peer.reason)
        return self._transport.unreachable(f"it answers with status {answer.status}")

    def _forbidden(self, said: str) -> Exception:
        name, rights = self._transport.peer.name, self._transport.peer.rights
        if "being terminated" in said:
            return Busy(f"{name}: {said}", Reason.WAITING)
        if "exceeded quota" in said:
            return Transient(f"{name}: {said}", Reason.QUOTA_EXCEEDED)
        return Refused(f"{name} refuses us a right: {said}: {rights}")


def _path_of(kind: Kind, body: Object) -> str:
    return _path(kind, body["metadata"].get("namespace", ""), body["metadata"]["name"])


def _path(kind: Kind, namespace: str = "", name: str = "") -> str:
    root = "/api/v1" if kind.api == "v1" else f"/apis/{kind.api}"
    within = f"/namespaces/{quote(namespace)}" if namespace and kind is not NAMESPACES else ""
    return f"{root}{within}/{kind.plural}" + (f"/{quote(name)}" if name else "")


def _query(**given: str) -> str:
    chosen = {key: value for key, value in given.items() if value}
    return f"?{urlencode(chosen)}" if chosen else ""


def _status(answer: Answer) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _reason(answer: Answer) -> str:
    return str(_status(answer).get("reason", ""))


def _message(answer: Answer) -> str:
    return _whole_message(answer)[:300]


def _whole_message(answer: Answer) -> str:
    said = str(_status(answer).get("message", "")) or answer.body.decode(errors="replace")
    return " ".join(said.split())
