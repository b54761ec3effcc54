"""Reads of the catalogue of add-ons; everybody who is signed in sees all of it."""

from __future__ import annotations

import json
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from django.db.models import Q

from tenancy.errors import FieldError, refuse
from tenancy.models import AddOnVersion, TemplateVersion, VirtualCluster
from tenancy.rules import add_ons, versions
from tenancy.rules.add_ons import AddOn
from tenancy.rules.templates import flat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.db.models import QuerySet

_FIELD = "addOns"


def all_() -> QuerySet[AddOnVersion]:
    """By name, the newest first."""
    return AddOnVersion.objects.all()


def of(name: str, version: str) -> QuerySet[AddOnVersion]:
    """The version of that name, if it was published."""
    try:
        return all_().filter(_named(name, version))
    except ValueError:
        return all_().none()


def offered() -> dict[str, list[str]]:
    """Name → its versions, the newest first."""
    found: dict[str, list[str]] = {}
    for row in all_().only("name", "major", "minor", "patch"):
        found.setdefault(row.name, []).append(row.version)
    return found


def wanted(chosen: Mapping[str, str]) -> tuple[AddOn, ...]:
    """Those of a cluster, in its order; what is in the catalogue no more is left out."""
    if not chosen:
        return ()
    rows = all_().filter(reduce(or_, (_named(name, version) for name, version in chosen.items())))
    known = {row.name: row for row in rows}
    return tuple(
        AddOn(name, version, json.loads(known[name].spec_text)["manifests"])
        for name, version in chosen.items()
        if name in known
    )


def check(chosen: Mapping[str, str], path: str) -> None:
    """Raises ``Invalid`` for add-ons that are not in the catalogue, or that cannot be had together."""
    if not chosen:
        return
    found = wanted(chosen)
    missing = chosen.keys() - {one.name for one in found}
    refuse([_unknown(n, name, chosen[name], path) for n, name in enumerate(chosen) if name in missing])
    refuse(add_ons.clashes(found, path))


def users(row: AddOnVersion) -> Iterator[str]:
    """Clusters and versions of templates that name it."""
    for cluster in naming(VirtualCluster.objects.select_related("tenant")):
        if _names(json.loads(cluster.filled_text or cluster.spec_text), row):
            yield f"cluster {cluster}"
    published = TemplateVersion.objects.filter(spec_text__contains=_FIELD).select_related("template")
    for version in published:
        if _names(json.loads(version.spec_text)["cluster"], row):
            yield f"template {version}"


def naming(rows: QuerySet[VirtualCluster]) -> QuerySet[VirtualCluster]:
    """Those of these clusters that may have any; which ones is for their specs to tell."""
    return rows.filter(Q(spec_text__contains=_FIELD) | Q(filled_text__contains=_FIELD))


def _names(spec: Mapping[str, object], row: AddOnVersion) -> bool:
    chosen = flat(spec).get(_FIELD) or ()
    return {"name": row.name, "version": row.version} in chosen


def _named(name: str, version: str) -> Q:
    found = versions.parse_version(version)
    return Q(name=name, major=found.major, minor=found.minor, patch=found.patch)


def _unknown(index: int, name: str, version: str, path: str) -> FieldError:
    known = ", ".join(row.version for row in all_().filter(name=name)[:10])
    detail = (
        f"add-on {name!r} has no version {version!r}: there are {known}"
        if known
        else f"there is no add-on {name!r}: GET /api/v1/add-ons lists them"
    )
    return FieldError(f"{path}[{index}]", "not-offered", detail)
