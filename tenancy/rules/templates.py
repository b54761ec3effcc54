"""What a version of a template is, and what becomes of a cluster's spec that stands on it.

A spec is a set of fields; each is taken from the template where the template locks it, else from
the cluster's own spec where that says anything, else from the template. Text is never pasted into text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from tenancy.enums import IsolationModel
from tenancy.errors import FieldError, Invalid, refuse
from tenancy.rules import template_parameters as parameters
from tenancy.rules.spec_parsing import parse_spec
from tenancy.template_enums import VersionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tenancy.rules.specs import TemplateWish

FIELDS: Final = (
    "kubernetesVersion",
    "isolation.model",
    "isolation.sandbox",
    "isolation.pool",
    "resources.cpu",
    "resources.memory",
    "resources.storage",
    "resources.pods",
    "accelerators",
    "persistence",
    "deletionProtection",
    "paused",
    "releaseAcceleratorsWhilePaused",
    "addOns",
)
"""What can be taken from one side or the other; accelerators and add-ons as a whole."""
GROUPS: Final = ("isolation", "resources")
_NODES: Final = frozenset({"isolation.model", "isolation.pool"})
"""Each says something of the other: whoever names a pool means a dedicated one."""
PARAM: Final = "$param"
_VALUE: Final = re.compile(
    rf"spec\.cluster\.({'|'.join(re.escape(f) for f in FIELDS if f not in ('accelerators', 'addOns'))}"
    r"|accelerators\[[0-9]+\]\.(class|count))"
)
"""Where a parameter may stand."""
NOTES_MAX: Final = 2000
_KEYS: Final = ("cluster", "parameters", "locked", "overridable", "state", "notes")


@dataclass(frozen=True)
class Body:
    """The content of a version, checked."""

    cluster: Mapping[str, Any]
    schema: Mapping[str, Any]
    locked: frozenset[str]
    """Fields that are the template's alone, also where it says nothing of them."""


def parse_body(data: Mapping[str, Any]) -> Body:
    """The content of a version as written; raises ``Invalid`` naming all faults at once."""
    errors = list(_shape_faults(data))
    errors = errors or list(_place_faults(data))
    refuse(errors or _sample_faults(data))
    return body(data)


def body(data: Mapping[str, Any]) -> Body:
    """The same of content that was checked when it was published."""
    return Body(data.get("cluster") or {}, data.get("parameters") or {}, _locked(data))


def filled(version: str, content: Body, wish: TemplateWish, own: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a cluster whose own spec is ``own``; ``version`` is what messages call the template.

    Raises ``Invalid`` for parameters that do not fit, for what is locked, and for what comes to no spec.
    """
    path = "spec.template.parameters"
    refuse(
        chain(
            parameters.value_faults(content.schema, wish.parameters, path),
            _lock_faults(version, content, own),
        )
    )
    values = parameters.filled(content.schema, wish.parameters)
    found = merged(substituted(content.cluster, values), own, content.locked)
    try:
        parse_spec(found)
    except Invalid as error:
        refuse(_of_template(fault, version, content, wish) for fault in error.errors)
    return found


def merged(template: Mapping[str, Any], own: Mapping[str, Any], locked: frozenset[str]) -> dict[str, Any]:
    """Field by field: the template's where locked, else the cluster's own, else the template's."""
    theirs, mine = flat(template), flat(own)
    if "isolation.pool" in theirs:
        theirs.setdefault("isolation.model", IsolationModel.DEDICATED_POOL.value)
    chosen = {**theirs, **{field: value for field, value in mine.items() if field not in locked}}
    for one, other in (("isolation.model", "isolation.pool"), ("isolation.pool", "isolation.model")):
        # What the template says of the nodes goes as a whole when the cluster says anything else of them.
        if one in mine and other not in mine and not _NODES & locked and mine[one] != theirs.get(one):
            chosen.pop(other, None)
    return _nested(chosen)


def substituted(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """The same with each ``{"$param": name}`` replaced by that parameter's value, whole and typed."""
    if isinstance(value, dict):
        if value.keys() == {PARAM}:
            return values[value[PARAM]]
        return {key: substituted(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [substituted(item, values) for item in value]
    return value


def _locked(data: Mapping[str, Any]) -> frozenset[str]:
    free = data.get("overridable")
    found = _expanded(data.get("locked") or ()) if free is None else frozenset(FIELDS) - _expanded(free)
    return found | _NODES if found & _NODES else found


def _expanded(fields: Iterable[str]) -> frozenset[str]:
    return frozenset(
        field for given in fields for field in FIELDS if field == given or field.startswith(f"{given}.")
    )


def flat(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Field → value, of the fields that say anything; null and empty objects do not."""
    found = {}
    for field in FIELDS:
        group, _, key = field.partition(".")
        value = (spec.get(group) or {}).get(key) if key else spec.get(group)
        if value is not None:
            found[field] = value
    return found


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in FIELDS:
        if field in flat:
            group, _, key = field.partition(".")
            if key:
                found.setdefault(group, {})[key] = flat[field]
            else:
                found[group] = flat[field]
    return found


def _lock_faults(version: str, content: Body, own: Mapping[str, Any]) -> Iterator[FieldError]:
    """What a cluster says of fields that are not its own; saying the same as the template harms nobody."""
    theirs = flat(content.cluster)
    for field, value in flat(own).items():
        if field in content.locked and value != theirs.get(field):
            detail = f"template {version} locks {field}: leave it out, or take another version or template"
            yield FieldError(f"spec.{field}", "locked", detail)


def _of_template(fault: FieldError, version: str, content: Body, wish: TemplateWish) -> FieldError:
    """The fault of a filled spec, told about the parameter that brought it."""
    name = _parameter_at(content.cluster, fault.path.removeprefix("spec."))
    path = f"spec.template.parameters.{name}" if name in wish.parameters else fault.path
    return FieldError(path, fault.code, f"{fault.detail} (of template {version})")


def _parameter_at(cluster: Mapping[str, Any], path: str) -> str:
    """The parameter whose value stands at a path; empty for none."""
    place: Any = cluster
    for key in path.replace("[", ".").replace("]", "").split("."):
        place = _inside(place, key)
    return str(place.get(PARAM, "")) if isinstance(place, dict) else ""


def _inside(place: Any, key: str) -> Any:  # noqa: ANN401 - JSON
    if isinstance(place, dict):
        return place.get(key)
    if isinstance(place, list) and key.isdigit() and int(key) < len(place):
        return place[int(key)]
    return None


def _shape_faults(data: Mapping[str, Any]) -> Iterator[FieldError]:
    for key in data:
        if key not in _KEYS:
            yield FieldError(f"spec.{key}", "unknown-field", f"no such field: known are {', '.join(_KEYS)}")
    cluster = data.get("cluster")
    if not isinstance(cluster, dict):
        yield FieldError("spec.cluster", "required", "give the spec of a cluster, for example {}")
    elif "template" in cluster:
        yield FieldError(
            "spec.cluster.template", "unknown-field", "a template stands on no other: leave it out"
        )
    yield from _word_faults(data)
    yield from parameters.schema_faults(data.get("parameters", {}), "spec.parameters")
    for key in ("locked", "overridable"):
        yield from _list_faults(data.get(key), f"spec.{key}")
    if data.get("locked") is not None and data.get("overridable") is not None:
        detail = "give locked (the rest is free) or overridable (the rest is locked), not both"
        yield FieldError("spec.overridable", "contradiction", detail)


def _word_faults(data: Mapping[str, Any]) -> Iterator[FieldError]:
    if data.get("state", VersionState.ACTIVE) not in list(VersionState):
        yield FieldError("spec.state", "not-a-choice", f"give one of {', '.join(VersionState)}")
    notes = data.get("notes", "")
    if not isinstance(notes, str) or len(notes) > NOTES_MAX:
        yield FieldError("spec.notes", "wrong-type", f"give text of at most {NOTES_MAX} characters")


def _list_faults(fields: Any, path: str) -> Iterator[FieldError]:  # noqa: ANN401
    known = (*GROUPS, *FIELDS)
    if fields is not None and not isinstance(fields, list):
        yield FieldError(path, "wrong-type", 'give a list of fields such as ["isolation", "resources.cpu"]')
        return
    for index, field in enumerate(fields or ()):
        if field not in known:
            detail = f"no field of a cluster's spec: known are {', '.join(known)}"
            yield FieldError(f"{path}[{index}]", "not-a-choice", detail)


def _place_faults(data: Mapping[str, Any]) -> Iterator[FieldError]:
    """Every parameter has a place, and every place a parameter."""
    properties = (data.get("parameters") or {}).get("properties", {})
    used = set()
    for path, given in _places(data["cluster"], "spec.cluster"):
        name = given.get(PARAM)
        used.add(name if isinstance(name, str) else "")
        if given.keys() != {PARAM} or not isinstance(name, str) or name not in properties:
            detail = (
                f'give {{"{PARAM}": NAME}} alone, of a parameter: known are {", ".join(properties) or "none"}'
            )
            yield FieldError(path, "unknown-parameter", detail)
        elif not _VALUE.fullmatch(path):
            detail = "a parameter stands for one value: write it in place of one, not of an object or list"
            yield FieldError(path, "misplaced-parameter", detail)
    for name in properties:
        if name not in used:
            detail = f'it has no place: write {{"{PARAM}": "{name}"}} into cluster, or leave it out'
            yield FieldError(f"spec.parameters.properties.{name}", "unused", detail)


def _places(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401
    if isinstance(value, dict):
        if PARAM in value:
            yield path, value
            return
        for key, item in value.items():
            yield from _places(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, f"{path}[{index}]")


def _sample_faults(data: Mapping[str, Any]) -> Iterator[FieldError]:
    """What the template comes to is a spec, whatever of its choices is taken; free text is judged when it is given."""
    cluster, properties = data["cluster"], (data.get("parameters") or {}).get("properties", {})
    options = {name: parameters.samples(one) for name, one in properties.items()}
    first = {name: one.get("default", next(iter(options[name]), None)) for name, one in properties.items()}
    told = set()
    for name, value in [("", None), *((name, one) for name, found in options.items() for one in found)]:
        values = {**first, name: value} if name else first
        for fault in _spec_faults(substituted(cluster, values)):
            unknown = values.get(_parameter_at(cluster, fault.path.removeprefix("spec.cluster.")), 0) is None
            if not unknown and fault not in told:
                told.add(fault)
                yield fault


def _spec_faults(cluster: dict[str, Any]) -> Iterator[FieldError]:
    try:
        spec = parse_spec(cluster)
    except Invalid as error:
        for fault in error.errors:
            yield FieldError(f"spec.cluster{fault.path.removeprefix('spec')}", fault.code, fault.detail)
        return
    if spec.pool is not None and spec.model is IsolationModel.SHARED:
        detail = "a shared cluster has no pool of its own: leave it out, or use model 'dedicated-pool'"
        yield FieldError("spec.cluster.isolation.pool", "contradiction", detail)
