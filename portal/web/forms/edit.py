"""Changing a cluster's spec: what is not touched stays as it was written, to the letter."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms

from portal.web.forms import template_fields
from portal.web.forms.clusters import LOCKS, PERSISTENCES, SandboxField, described, whole
from portal.web.forms.spec import ADD_ON, AMOUNTS, COUNT, SpecForm
from portal.web.forms.template_fields import AS_TEMPLATE, PREFIX
from tenancy.rules.preconditions import Expectation, etag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portal.web.forms.template_fields import TemplateChoice
    from tenancy.models import VirtualCluster
    from tenancy.queries.offers import HostOffer

PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "version": ("kubernetesVersion",),
    "sandbox": ("isolation", "sandbox"),
    "persistence": ("persistence",),
    "protection": ("deletionProtection",),
    **{amount: ("resources", amount) for amount in AMOUNTS},
}
"""Field → where its value is in the spec."""
_LOCKS: Final = {**LOCKS, "protection": ("deletionProtection",)}


def typed(cluster: VirtualCluster) -> dict[str, Any]:
    """A cluster's spec as the form shows it."""
    spec = json.loads(cluster.spec_text)
    wish = spec.get("template") or {}
    parameters = wish.get("parameters") or {}
    return {
        "generation": cluster.generation,
        **{name: _shown(_at(spec, place)) for name, place in PLACES.items()},
        **{COUNT + one["class"]: one.get("count", 1) for one in spec.get("accelerators") or ()},
        **{ADD_ON + one["name"]: one["version"] for one in spec.get("addOns") or ()},
        "template": wish.get("name", ""),
        "template_version": wish.get("version", ""),
        **{PREFIX + name: template_fields.shown(value) for name, value in parameters.items()},
    }


class EditForm(SpecForm):
    """Blank means what it means in a spec: left to the template, or to Atoll."""

    PATHS: ClassVar = {f"spec.{'.'.join(place)}": name for name, place in PLACES.items()}
    CODES: ClassVar = {
        "precondition-failed": (
            None,
            "somebody, or its template, changed this cluster meanwhile: open this page again and decide anew",
        ),
    }

    generation = forms.IntegerField(widget=forms.HiddenInput)
    cpu = forms.CharField(label="CPU", required=False, help_text="Cores, such as 4 or 500m")
    memory = forms.CharField(label="Memory", required=False, help_text="Such as 8Gi")
    storage = forms.CharField(label="Storage", required=False, help_text="Of all volumes, such as 20Gi")
    pods = forms.CharField(label="Pods", required=False, help_text="At most this many")
    version = forms.ChoiceField(label="Kubernetes version", required=False)
    sandbox = SandboxField(label="Sandbox", required=False)
    persistence = forms.ChoiceField(label="Persistence", required=False)
    protection = forms.ChoiceField(label="Deletion protection", required=False)

    def __init__(
        self,
        data: Any = None,  # noqa: ANN401 - Django's
        *,
        cluster: VirtualCluster,
        here: HostOffer,
        classes: Sequence[str],
        choice: TemplateChoice,
        add_ons: Mapping[str, Sequence[str]],
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(data, **kwargs)
        self.cluster, self._before = cluster, json.loads(cluster.spec_text)
        self._was = typed(cluster)
        silent = AS_TEMPLATE if choice.chosen else ("", "Left to Atoll")
        self._choose("version", silent, [(v, v) for v in here.versions])
        offered = [s for s in here.shared.sandboxes if not s.code]
        self._choose("sandbox", silent, [(s.profile.sandbox.value, described(s)) for s in offered])
        self._choose("persistence", silent, [(p.value, PERSISTENCES[p]) for p in here.persistences])
        self._choose("protection", silent, [("true", "On: it cannot be deleted"), ("false", "Off")])
        self.offer_template(choice)
        asked = [one["class"] for one in self._before.get("accelerators") or ()]
        known = dict.fromkeys([*asked, *classes])
        self.offer_accelerators(() if choice.locks("accelerators") else list(known))
        self._offer_add_ons({} if choice.locks("addOns") else add_ons)
        for name, locked in _LOCKS.items():
            if name in self.fields and choice.locks(*locked):
                del self.fields[name]

    @property
    def amount_fields(self) -> list[forms.BoundField]:
        """For the page."""
        return [self[amount] for amount in AMOUNTS if amount in self.fields]

    @property
    def choice_fields(self) -> list[forms.BoundField]:
        """For the page."""
        names = ("version", "sandbox", "persistence", "protection")
        return [self[name] for name in names if name in self.fields]

    @property
    def expectation(self) -> Expectation:
        """That nobody changed it since the page was opened."""
        return Expectation(etags=frozenset({etag(self.cluster.uid, self.cleaned_data["generation"])}))

    def spec_text(self) -> str:
        """The spec as it was, with what was touched; what the template locks by now is left out."""
        spec = deepcopy(self._before)
        for name, place in PLACES.items():
            value = self.cleaned_data.get(name, "")
            if value != self._was[name]:
                _put(spec, place, _read(name, value))
        self._take(spec, "accelerators", self.accelerators(), self._asked_accelerators())
        self._take(spec, "addOns", self.add_ons(), self._before.get("addOns"))
        self._take(spec, "template", self.template(), self._before.get("template"))
        return json.dumps(spec, ensure_ascii=False)

    def _asked_accelerators(self) -> list[dict[str, Any]]:
        """As this form would write them."""
        asked = self._before.get("accelerators") or ()
        counts = {one["class"]: one.get("count", 1) for one in asked}
        return [{"class": key, "count": counts[key]} for key in self.classes if key in counts]

    def _offer_add_ons(self, known: Mapping[str, Sequence[str]]) -> None:
        """What it has by now can be kept, also where it is in the catalogue no more."""
        has = {one["name"]: one["version"] for one in (self._before.get("addOns") if known else None) or ()}
        kept = {
            name: [*known.get(name, ()), *({version} - set(known.get(name, ())))]
            for name, version in has.items()
        }
        self.offer_add_ons({**kept, **{name: kept.get(name, found) for name, found in known.items()}})

    def _take(self, spec: dict[str, Any], key: str, value: Any, before: Any) -> None:  # noqa: ANN401 - JSON
        if key == "accelerators" and not self.classes:
            value = []
        if self._same(key, value, before):
            return
        if value:
            spec[key] = value
        else:
            spec.pop(key, None)

    def _same(self, key: str, value: Any, before: Any) -> bool:  # noqa: ANN401 - JSON
        """Of a template: also when only values are told that it would take anyway."""
        if key == "template" and value and before:
            told = {name: one.get("default") for name, one in self.choice.parameters.items()}
            mine, theirs = ({**told, **(w.get("parameters") or {})} for w in (value, before))
            heads = [(w.get("name"), w.get("version")) for w in (value, before)]
            return mine == theirs and heads[0] == heads[1]
        return value == before or not (value or before)

    def _choose(self, name: str, silent: tuple[str, str], offered: Sequence[tuple[str, str]]) -> None:
        """What it has by now can be kept, also where it is offered no more."""
        has = self._was[name]
        kept = [] if has in {"", *(value for value, _ in offered)} else [(has, f"As now: {has}")]
        self.fields[name].choices = [silent, *kept, *offered]  # type: ignore[attr-defined]


def _at(spec: Mapping[str, Any], place: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    found: Any = spec
    for key in place:
        found = (found or {}).get(key)
    return found


def _put(spec: dict[str, Any], place: Sequence[str], value: Any) -> None:  # noqa: ANN401 - JSON
    *groups, last = place
    for key in groups:
        if spec.get(key) is None:
            spec[key] = {}
        spec = spec[key]
    if value is None:
        spec.pop(last, None)
    else:
        spec[last] = value


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON
    return "" if value is None else template_fields.shown(value)


def _read(name: str, text: str) -> Any:  # noqa: ANN401 - JSON
    if not text:
        return None
    if name == "protection":
        return text == "true"
    return whole(text) if name == "pods" else text
