"""Add-ons: named bundles of Kubernetes objects that are put into a tenant's cluster, in versions that never change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from tenancy.errors import FieldError, refuse
from tenancy.rules import yaml_text
from tenancy.rules.names import SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TEXT_MAX: Final = 262_144
"""Characters of an add-on's manifests."""
OBJECTS_MAX: Final = 100
ADD_ONS_MAX: Final = 20
"""Of one cluster."""
DESCRIPTION_MAX: Final = 500
DEFAULT_NAMESPACE: Final = "default"
"""Where an object goes that names no namespace, as with kubectl."""
_API: Final = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?v[a-z0-9]{1,20}")
_KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.:]{0,251}[A-Za-z0-9])?")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVERS: Final = ("generateName", "managedFields", "resourceVersion", "uid", "creationTimestamp")
_KEYS: Final = ("description", "manifests")
_AT: Final = "spec.manifests"


@dataclass(frozen=True)
class AddOn:
    """A version of an add-on as the provisioner applies it."""

    name: str
    version: str
    manifests: str

    def __str__(self) -> str:
        return f"add-on {self.name} {self.version}"


@lru_cache(maxsize=64)
def objects(manifests: str) -> tuple[dict[str, Any], ...]:
    """Of manifests that were checked when they were published; whoever changes one copies it first."""
    return tuple(yaml_text.documents(manifests))


def check(data: Mapping[str, Any]) -> None:
    """Looks through an add-on's spec; raises ``Invalid`` naming all faults at once."""
    refuse(_faults(data))


def clashes(add_ons: Iterable[AddOn], path: str) -> Iterator[FieldError]:
    """Two add-ons of one cluster must not both say what an object is."""
    owners: dict[tuple[str, ...], AddOn] = {}
    for index, one in enumerate(add_ons):
        for found in objects(one.manifests):
            other = owners.setdefault(identity(found), one)
            if other is not one:
                detail = f"{one} and {other} both have {called(found)}: take one of them"
                yield FieldError(f"{path}[{index}]", "contradiction", detail)
                break


def is_kind(text: str) -> bool:
    """Whether it is the version of an API and a kind, as ``apps/v1 Deployment``."""
    api, _, kind = text.partition(" ")
    return bool(_API.fullmatch(api) and _KIND.fullmatch(kind))


def called(body: Mapping[str, Any]) -> str:
    """An object as messages name it."""
    metadata = body["metadata"]
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{body['kind']} {where}{metadata['name']}"


def _faults(data: Mapping[str, Any]) -> Iterator[FieldError]:
    for key in data:
        if key not in _KEYS:
            yield FieldError(f"spec.{key}", "unknown-field", f"no such field: known are {', '.join(_KEYS)}")
    description, text = data.get("description", ""), data.get("manifests")
    if not isinstance(description, str) or len(description) > DESCRIPTION_MAX:
        detail = f"give text of at most {DESCRIPTION_MAX} characters"
        yield FieldError("spec.description", "wrong-type", detail)
    if not isinstance(text, str) or not text.strip():
        yield FieldError(_AT, "required", "give Kubernetes manifests as YAML text, with --- between them")
    elif len(text) > TEXT_MAX:
        detail = f"give at most {TEXT_MAX} characters, these are {len(text)}: make two add-ons of it"
        yield FieldError(_AT, "too-long", detail)
    else:
        yield from _manifest_faults(text)


def _manifest_faults(text: str) -> Iterator[FieldError]:
    try:
        found = yaml_text.documents(text)
    except ValueError as error:
        yield FieldError(_AT, "not-yaml", str(error))
        return
    if not 0 < len(found) <= OBJECTS_MAX:
        detail = f"give 1 to {OBJECTS_MAX} objects, these are {len(found)}"
        yield FieldError(_AT, "out-of-range", detail)
        return
    seen: dict[tuple[str, ...], int] = {}
    for index, body in enumerate(found):
        faults = list(_object_faults(body, f"{_AT}[{index}]"))
        yield from faults
        if not faults and (first := seen.setdefault(identity(body), index)) != index:
            detail = f"{called(body)} is in document {first} already: write it once"
            yield FieldError(f"{_AT}[{index}]", "duplicate", detail)


def _object_faults(body: Any, path: str) -> Iterator[FieldError]:  # noqa: ANN401 - input from outside
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        yield FieldError(path, "wrong-type", "give an object with apiVersion, kind and metadata.name")
        return
    metadata = body["metadata"]
    for key, value, pattern, example in (
        ("apiVersion", body.get("apiVersion"), _API, "'v1' or 'apps/v1'"),
        ("kind", body.get("kind"), _KIND, "'ConfigMap'"),
        ("metadata.name", metadata.get("name"), _NAME, "'settings'"),
        ("metadata.namespace", metadata.get("namespace", DEFAULT_NAMESPACE), _NAMESPACE, "'monitoring'"),
    ):
        if not isinstance(value, str) or not pattern.fullmatch(value):
            yield FieldError(f"{path}.{key}", "required", f"give one such as {example}, as text")
    for key in _SERVERS:
        if key in metadata:
            yield FieldError(f"{path}.metadata.{key}", "unknown-field", "it is the server's: leave it out")
    yield from _refused(body, path)


def _refused(body: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """What is well formed and not taken."""
    metadata, kind = body["metadata"], body.get("kind")
    if str(kind).endswith("List") and "items" in body:
        yield FieldError(f"{path}.kind", "not-a-choice", "write each item as a document of its own")
    if kind == "Secret" and (body.get("data") or body.get("stringData")):
        detail = "everybody reads the catalogue: let the team, or something in the add-on, make the secret"
        yield FieldError(path, "no-secrets", detail)
    if SYSTEM_NAMESPACE in {metadata.get("namespace"), metadata.get("name") if kind == "Namespace" else ""}:
        detail = f"{SYSTEM_NAMESPACE} is Atoll's own: take another namespace"
        yield FieldError(f"{path}.metadata.namespace", "reserved", detail)


def identity(body: Mapping[str, Any]) -> tuple[str, ...]:
    """An object of another version of its API is the same object."""
    metadata, group = body["metadata"], str(body["apiVersion"]).rpartition("/")[0]
    return (group, body["kind"], metadata.get("namespace") or DEFAULT_NAMESPACE, metadata["name"])
