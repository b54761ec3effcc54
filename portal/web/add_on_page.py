"""What the pages of add-ons show: what a version brings, what it changes, and which clusters have it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

from portal.web import words
from portal.web.presenters import Badge
from portal.web.words import Tone
from tenancy.queries import add_ons, clusters
from tenancy.rules.add_ons import DEFAULT_NAMESPACE, identity, objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenancy.models import AddOnVersion, VirtualCluster
    from tenancy.policy import Actor
    from tenancy.rules.add_on_states import AddOnState

MOST: Final = 100
"""Clusters on a page; the rest is in the API."""
_NEW: Final = Badge("new", Tone.GOOD)
_CHANGED: Final = Badge("changed", Tone.BUSY)
_GONE: Final = Badge("removed", Tone.WARN)


@dataclass(frozen=True)
class Shown:
    """One object of an add-on."""

    kind: str
    api: str
    namespace: str
    """Where it goes if its kind is in namespaces at all, as far as its manifest tells."""
    name: str
    badge: Badge | None = None
    """How it differs from another version; ``None`` where it does not."""


@dataclass(frozen=True)
class State:
    """One add-on of one cluster."""

    name: str
    version: str
    badge: Badge
    message: str


def groups() -> list[list[AddOnVersion]]:
    """The versions of each add-on, newest first, by name."""
    return [list(rows) for _, rows in groupby(add_ons.all_(), key=lambda row: row.name)]


def brought(row: AddOnVersion) -> tuple[Shown, ...]:
    """What a version puts into a cluster, in its order."""
    return tuple(_shown(body) for body in objects(manifests(row)))


def compared(after: str, before: str) -> tuple[Shown, ...]:
    """Each object of ``after``, and then those that only ``before`` has; as a cluster that changes over would see it."""
    old = {identity(body): body for body in objects(before)} if before else {}
    found = []
    for body in objects(after):
        other = old.pop(identity(body), None)
        found.append(_shown(body, _NEW if other is None else None if other == body else _CHANGED))
    return (*found, *(_shown(body, _GONE) for body in old.values()))


def manifests(row: AddOnVersion) -> str:
    """As they were published."""
    return str(json.loads(row.spec_text)["manifests"])


def description(row: AddOnVersion) -> str:
    """For people; may be empty."""
    return str(json.loads(row.spec_text).get("description", ""))


def followers(actor: Actor, row: AddOnVersion) -> list[tuple[VirtualCluster, State]]:
    """Clusters that the actor sees and that have it, oldest first, and whether it runs there."""
    return list(islice(_followers(actor, row), MOST))


def states(cluster: VirtualCluster) -> tuple[State, ...]:
    """The add-ons of a cluster as people read them."""
    return tuple(_state(one) for one in clusters.add_on_states_of(cluster))


def _followers(actor: Actor, row: AddOnVersion) -> Iterator[tuple[VirtualCluster, State]]:
    for cluster in add_ons.naming(clusters.visible_to(actor)):
        for one in clusters.add_on_states_of(cluster):
            if (one.name, one.version) == (row.name, row.version):
                yield cluster, _state(one)


def _state(found: AddOnState) -> State:
    tone, word = words.ADD_ONS[found.status]
    meaning = "" if found.message or found.status == "True" else words.REASONS[found.reason]
    return State(found.name, found.version, Badge(word, tone), found.message or meaning)


def _shown(body: dict[str, object], badge: Badge | None = None) -> Shown:
    metadata = body["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101 - for the types: it was checked when it was published
    where = str(metadata.get("namespace") or DEFAULT_NAMESPACE)
    return Shown(str(body["kind"]), str(body["apiVersion"]), where, str(metadata["name"]), badge)
