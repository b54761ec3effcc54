"""A template in a form: its choice, its version, and a field for each of its parameters, made from the schema."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django import forms

from tenancy.queries import templates
from tenancy.rules import versions
from tenancy.rules.templates import FIELDS, Body, body

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tenancy.models import ClusterTemplate, TemplateVersion, Tenant

PREFIX: Final = "param_"
KEPT: Final = 20
"""Versions that can be pinned in a form; all of them can in a spec."""
AS_TEMPLATE: Final = ("", "As the template says")


@dataclass(frozen=True)
class TemplateChoice:
    """What a form offers of templates, and what is chosen."""

    all: Sequence[ClusterTemplate] = ()
    chosen: ClusterTemplate | None = None
    version: str = ""
    """Or range, as it is chosen."""
    row: TemplateVersion | None = None
    """What that comes to."""
    kept: Sequence[str] = ()
    """Versions or ranges that are offered because the cluster has them."""
    content: Body = field(default_factory=lambda: Body({}, {}, frozenset()))

    @property
    def names(self) -> list[tuple[str, str]]:
        """For a select."""
        return [("", "None: my own spec"), *((row.name, row.name) for row in self.all)]

    @property
    def versions(self) -> list[tuple[str, str]]:
        """To follow, or to stay with; the newest first."""
        rows = list(templates.published(self.chosen)) if self.chosen else []
        newest = {row.major: row for row in reversed(rows)}
        follow = [(f"^{row.name}", f"Follow {row.major}.x, now {row.name}") for row in newest.values()]
        stay = [(row.name, f"Stay with {row.name}{_told(row)}") for row in rows[:KEPT]]
        offered = [*sorted(follow, reverse=True), *stay]
        known = {value for value, _ in offered}
        return [*((text, f"As now: {text}") for text in self.kept if text not in known), *offered]

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The schema of each."""
        found: Mapping[str, Mapping[str, Any]] = self.content.schema.get("properties", {})
        return found

    def locks(self, *fields: str) -> bool:
        """Whether all of these are the template's alone."""
        return self.chosen is not None and self.content.locked >= set(fields)

    @property
    def add_ons(self) -> list[str]:
        """Those that it brings, for people."""
        return [f"{one['name']} {one['version']}" for one in self.content.cluster.get("addOns") or ()]

    @property
    def locked(self) -> list[str]:
        """For people."""
        return [one for one in FIELDS if one in self.content.locked]


def choice(
    tenant: Tenant, name: str, version: str, own: ClusterTemplate | None = None, kept: Sequence[str] = ()
) -> TemplateChoice:
    """What this tenant may choose, and what ``name`` and ``version`` come to; ``own`` is the template that a cluster has."""
    rows = [row for row in templates.usable_by(tenant) if not row.deprecated or row == own]
    if own is not None and own not in rows:
        rows.append(own)
    chosen = next((row for row in rows if row.name == name), None)
    if chosen is None:
        return TemplateChoice(rows)
    mine = tuple(kept) if own == chosen else ()
    version = version or next((v for v, _ in TemplateChoice(rows, chosen, kept=mine).versions), "")
    row = _row(chosen, version)
    content = body(json.loads(row.spec_text)) if row else Body({}, {}, frozenset())
    return TemplateChoice(rows, chosen, version, row, mine, content)


def made(one: Mapping[str, Any], name: str) -> forms.Field:
    """The field for a parameter."""
    words = {"label": one.get("title") or name, "help_text": one.get("description", "")}
    if "enum" in one:
        return forms.ChoiceField(choices=[(_text(v), _text(v)) for v in one["enum"]], **words)
    if one["type"] == "boolean":
        return forms.ChoiceField(choices=[("true", "Yes"), ("false", "No")], **words)
    if one["type"] == "integer":
        return forms.IntegerField(min_value=one["minimum"], max_value=one["maximum"], **words)
    return forms.CharField(max_length=one["maxLength"], strip=False, **words)


def typed(one: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401 - of the form, or JSON
    """What was typed, as the schema has it."""
    options = one.get("enum", [True, False] if one["type"] == "boolean" else ())
    return next((option for option in options if _text(option) == value), value)


def shown(value: Any) -> str:  # noqa: ANN401 - JSON
    """A parameter's value in its field."""
    return _text(value)


def _row(template: ClusterTemplate, version: str) -> TemplateVersion | None:
    try:
        wanted = versions.parse_range(version)
    except ValueError:
        return None
    able = [row for row in template.versions.all() if templates.number(row) in wanted]
    usable = [row for row in able if row in templates.published(template)]
    return max(usable or able, key=templates.number, default=None)


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _told(row: TemplateVersion) -> str:
    return " (deprecated)" if row.state == "deprecated" else ""
