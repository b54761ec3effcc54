"""What the pages of cluster templates show: a version's content in words, and what it means for clusters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portal.web import words
from portal.web.presenters import Badge
from tenancy.queries import impact, templates
from tenancy.rules.templates import FIELDS, PARAM, body, flat
from tenancy.template_enums import VersionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tenancy.models import ClusterTemplate, TemplateVersion, VirtualCluster
    from tenancy.policy import Actor
    from tenancy.queries.impact import Impact
    from tenancy.queries.templates import Use


@dataclass(frozen=True)
class Line:
    """One field of what a template brings."""

    field: str
    value: str
    locked: bool


@dataclass(frozen=True)
class Parameter:
    """What is asked of whoever uses it."""

    name: str
    title: str
    takes: str
    default: str
    """Empty where a value has to be given."""


@dataclass(frozen=True)
class Effect:
    """On one cluster."""

    cluster: VirtualCluster
    asked: str
    badge: Badge
    message: str
    changes: tuple[tuple[str, Any, Any], ...]


def lines(row: TemplateVersion) -> list[Line]:
    """Each field that the version says anything of, or keeps to itself."""
    content = body(json.loads(row.spec_text))
    found = flat(content.cluster)
    return [
        Line(field, _value(found.get(field)), field in content.locked)
        for field in FIELDS
        if field in found or field in content.locked
    ]


def parameters(row: TemplateVersion) -> list[Parameter]:
    """In the order of the schema."""
    properties = body(json.loads(row.spec_text)).schema.get("properties", {})
    return [
        Parameter(name, one.get("title", ""), _takes(one), _text(one["default"]) if "default" in one else "")
        for name, one in properties.items()
    ]


def notes(row: TemplateVersion) -> str:
    """What changed, for people."""
    return str(json.loads(row.spec_text).get("notes", ""))


def state(row: TemplateVersion) -> Badge:
    """Whether it is still to be used."""
    tone, word = words.VERSION_STATES[VersionState(row.state)]
    return Badge(word, tone)


def effects(clusters: Iterable[VirtualCluster], version: TemplateVersion) -> list[Effect]:
    """What a version, published or not, means for these clusters."""
    return [_effect(impact.of(cluster, version)) for cluster in clusters]


def followers(actor: Actor, template: ClusterTemplate) -> list[tuple[VirtualCluster, Use]]:
    """Clusters that the actor sees and that stand on it, oldest first, and how far they follow."""
    rows = list(impact.users_of(actor, template)[: impact.PREVIEWED])
    known = templates.uses(rows)
    return [(row, known[row.uid]) for row in rows if row.uid in known]


def _effect(found: Impact) -> Effect:
    tone, word = words.VERDICTS[found.verdict]
    return Effect(found.cluster, found.asked, Badge(word, tone), found.message, found.changes)


def _takes(one: Mapping[str, Any]) -> str:
    if "enum" in one:
        return "one of " + ", ".join(_text(value) for value in one["enum"])
    if one["type"] == "boolean":
        return "yes or no"
    if one["type"] == "integer":
        steps = f", a multiple of {one['multipleOf']}" if "multipleOf" in one else ""
        return f"{one['minimum']} to {one['maximum']}{steps}"
    return f"text as {one['pattern']}, at most {one['maxLength']} characters"


def _value(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None:
        return "left to Atoll"
    if isinstance(value, dict) and PARAM in value:
        return f"parameter {value[PARAM]}"
    return _text(value)


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else json.dumps(value)
