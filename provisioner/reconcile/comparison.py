"""Whether an object on a host is as wanted, what differs, and the patch that puts it right.

Pure. What the API server fills in by itself is no difference; what somebody added is,
wherever it changes what the object does: rules, subjects, limits, selectors, our labels.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from provisioner.reconcile import labels
from provisioner.release.digest import of_objects
from tenancy.rules import quantities
from tenancy.rules.drift import Difference
from tenancy.rules.names import LABEL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.ports import Object

MOST: Final = 20
"""Differences told of one object."""
LONGEST: Final = 200
"""Characters of a value as told."""
_ABSENT: Final[Any] = object()
_NOTES: Final = frozenset({labels.FENCE, labels.PROBED, labels.PROVEN, labels.TRAFFIC, labels.ACCESS_EPOCH})
"""What passes write down for themselves."""
_GUARDED: Final = (LABEL_PREFIX, "pod-security.kubernetes.io/")
_GUARDED_KEYS: Final = frozenset({"resource.kubernetes.io/admin-access"})
_IDENTITY: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_AMOUNTS: Final = frozenset({"hard", "default", "defaultRequest", "max", "min"})
"""Maps whose values are quantities: 4000m and 4 are the same."""
_DEFAULTS: Final[dict[tuple[str, str], Any]] = {
    ("spec", "failurePolicy"): "Fail",
    **{
        (parent, key): value
        for parent in ("matchConstraints", "matchResources")
        for key, value in (("matchPolicy", "Equivalent"), ("namespaceSelector", {}), ("objectSelector", {}))
    },
    ("resourceRules", "scope"): "*",
    ("excludeResourceRules", "scope"): "*",
    ("ports", "protocol"): "TCP",
    ("subjects", "apiGroup"): "",
}
"""What the API server fills in: (parent, key) → value; with any other value it is a difference."""


def differences(wanted: Object, seen: Object) -> tuple[Difference, ...]:
    """What is not as wanted, at most ``MOST``; empty when all is well."""
    found = []
    for path, want, see in _walk(essence(wanted), essence(seen), "", ""):
        found.append(Difference(path, _text(want), _text(see)))
        if len(found) == MOST:
            break
    return tuple(found)


def mend(wanted: Object, seen: Object) -> Object:
    """The merge patch after which nothing differs: wanted values, and null for what somebody added."""
    patch: Object = _patch(essence(wanted), essence(seen), "")
    return patch


def essence(body: Object) -> Object:
    """What of an object guards anything: all but its identity, status and foreign labels."""
    metadata = body["metadata"]
    rest = {key: value for key, value in body.items() if key not in _IDENTITY}
    if (rest.get("spec") or {}).keys() == {"finalizers"}:
        del rest["spec"]  # a namespace's, which is its controller's
    marks = {part: _guarded(metadata.get(part) or {}) for part in ("labels", "annotations")}
    return {"metadata": {part: found for part, found in marks.items() if found}, **rest}


def fingerprint(seen: Object) -> str:
    """Changes when anything that guards does."""
    return of_objects(essence(seen))


def _guarded(marks: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in marks.items()
        if key not in _NOTES and (key.startswith(_GUARDED) or key in _GUARDED_KEYS)
    }


def _walk(want: Any, see: Any, path: str, parent: str) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - JSON
    if isinstance(want, dict) and isinstance(see, dict):
        for key in sorted(want.keys() | see.keys()):
            if not _filled_in(parent, key, want, see):
                here = f"{path}.{key}" if path else key
                yield from _walk(want.get(key, _ABSENT), see.get(key, _ABSENT), here, key)
    elif isinstance(want, list) and isinstance(see, list):
        for index in range(max(len(want), len(see))):
            left, right = (side[index] if index < len(side) else _ABSENT for side in (want, see))
            yield from _walk(left, right, f"{path}[{index}]", parent)
    elif not _same(want, see, path):
        yield path, want, see


def _filled_in(parent: str, key: str, want: Object, see: Object) -> bool:
    """Whether a side lacks a key that says nothing the API server does not say by itself."""
    if key in want and key not in see:
        return want[key] in ([], {}, None) or _DEFAULTS.get((parent, key), _ABSENT) == want[key]
    if key in see and key not in want:
        return see[key] is None or _DEFAULTS.get((parent, key), _ABSENT) == see[key]
    return False


def _same(want: Any, see: Any, path: str) -> bool:  # noqa: ANN401 - JSON
    if want is _ABSENT or see is _ABSENT:
        return False
    parts = path.split(".")
    amounts = any(part in _AMOUNTS for part in parts)
    return bool(_amount(want) == _amount(see) if amounts else want == see and type(want) is type(see))


def _amount(value: Any) -> Any:  # noqa: ANN401 - JSON
    try:
        return quantities.parse(str(value))
    except ValueError:
        return value


def _patch(want: Object, see: Object, parent: str) -> Object:
    found: Object = {}
    for key in want.keys() | see.keys():
        if key not in want:
            if not _filled_in(parent, key, want, see):
                found[key] = None
        elif isinstance(want[key], dict) and isinstance(see.get(key), dict):
            found[key] = _patch(want[key], see[key], key)
        else:
            found[key] = want[key]
    return found


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is _ABSENT:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
