"""Asking for a cluster, and confirming its end."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms

from portal.web.forms.base import DomainForm
from portal.web.forms.spec import AMOUNTS, SpecForm
from portal.web.forms.template_fields import AS_TEMPLATE, TemplateChoice
from tenancy.enums import IsolationModel, Persistence, Sandbox
from tenancy.errors import Invalid
from tenancy.rules.names import CLUSTER_MAX, name_errors
from tenancy.rules.runtimes import overhead_to_json
from tenancy.rules.spec_parsing import parse_spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tenancy.models import HostCluster, Tenant
    from tenancy.queries.offers import HostOffer
    from tenancy.rules.offers import SandboxOffer
    from tenancy.rules.pools import Pool


@dataclass(frozen=True)
class Size:
    """A preset, as Kubernetes writes amounts."""

    title: str
    cpu: str
    memory: str
    storage: str
    pods: int


SIZES: Final[Mapping[str, Size]] = {
    "small": Size("Small", "2", "4Gi", "10Gi", 25),
    "standard": Size("Standard", "4", "8Gi", "20Gi", 50),
    "large": Size("Large", "8", "16Gi", "50Gi", 100),
}
CUSTOM: Final = "custom"
LOCKS: Final[Mapping[str, tuple[str, ...]]] = {
    "version": ("kubernetesVersion",),
    "sandbox": ("isolation.sandbox",),
    "pool": ("isolation.pool",),
    "persistence": ("persistence",),
    "size": tuple(f"resources.{amount}" for amount in AMOUNTS),
    **{amount: (f"resources.{amount}",) for amount in AMOUNTS},
}
"""Field → what a template must lock so that nothing is left to choose."""

PERSISTENCES: Final[Mapping[Persistence, str]] = {
    Persistence.PERSISTENT: "Persistent: its API objects survive a restart of the control plane",
    Persistence.EPHEMERAL: "Ephemeral: quick to make, gone when its control plane restarts",
}


@dataclass(frozen=True)
class Offer:
    """What one tenant may choose today."""

    tenants: Sequence[Tenant]
    tenant: Tenant
    here: HostOffer | None
    """Of the host that a new cluster lands on; ``None`` when none takes any."""
    pools: Sequence[Pool] = ()
    """The tenant's own on that host, with nodes in them."""
    accelerators: Sequence[str] = ()
    """Classes that can be asked for."""
    add_ons: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Name → versions, the newest first."""
    choice: TemplateChoice = field(default_factory=TemplateChoice)
    """Of a template."""

    @property
    def host(self) -> HostCluster | None:
        """Where a new cluster lands."""
        return self.here.host if self.here else None

    @property
    def sandboxes(self) -> Sequence[SandboxOffer]:
        """Those that can be had, strongest first."""
        return [s for s in self._profiles if not s.code]

    @property
    def refused(self) -> Sequence[SandboxOffer]:
        """The others, each with its reason."""
        return [s for s in self._profiles if s.code]

    @property
    def _profiles(self) -> Sequence[SandboxOffer]:
        return self.here.shared.sandboxes if self.here else ()


class SandboxField(forms.ChoiceField):
    """Offers what can be had; a known word that was not offered is refused by tenancy, with its reason."""

    def valid_value(self, value: str) -> bool:
        """Any sandbox's name."""
        return value in set(Sandbox)


class ClusterForm(SpecForm):
    """Only what can be chosen on that host; whatever is left out, Atoll chooses."""

    PATHS: ClassVar = {
        "metadata.name": "name",
        "spec.kubernetesVersion": "version",
        "spec.isolation.sandbox": "sandbox",
        "spec.isolation.model": "pool",
        "spec.isolation.pool": "pool",
        "spec.persistence": "persistence",
        **{f"spec.resources.{amount}": amount for amount in AMOUNTS},
    }
    CODES: ClassVar = {
        "precondition-failed": ("name", "this tenant has a cluster of that name: choose another name"),
        "being-deleted": ("name", "a cluster of that name is being deleted: wait a moment or take another"),
    }

    tenant = forms.ChoiceField(label="Tenant")
    name = forms.CharField(
        label="Name",
        max_length=200,  # the rule is tenancy's: a longer field lets it say what is wrong
        help_text=f"Lower-case letters, digits and “-”, at most {CLUSTER_MAX} characters. It cannot be changed later.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    size = forms.ChoiceField(label="Size", widget=forms.RadioSelect, initial="standard")
    cpu = forms.CharField(label="CPU", required=False, help_text="Cores, such as 4 or 500m")
    memory = forms.CharField(label="Memory", required=False, help_text="Such as 8Gi")
    storage = forms.CharField(label="Storage", required=False, help_text="Of all volumes, such as 20Gi")
    pods = forms.CharField(
        label="Pods",
        required=False,
        help_text="At most this many",
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    version = forms.ChoiceField(label="Kubernetes version")
    pool = forms.ChoiceField(label="Nodes", required=False, widget=forms.RadioSelect)
    sandbox = SandboxField(label="Sandbox", required=False, widget=forms.RadioSelect)
    persistence = forms.ChoiceField(label="Persistence", required=False, widget=forms.RadioSelect)

    def __init__(self, data: Any = None, *, offer: Offer, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(data, **kwargs)
        self.offer = offer
        self._choose("tenant", [(t.name, t.display_name or t.name) for t in offer.tenants], offer.tenant.name)
        self._choose(
            "size", [*((key, size.title) for key, size in SIZES.items()), (CUSTOM, "Custom")], "standard"
        )
        versions = offer.here.versions if offer.here else ()
        self._choose("version", self._silence([(v, v) for v in versions]))
        own = [(pool.name, f"Pool {pool.name}: {_nodes(pool)} of your own") for pool in offer.pools]
        shared = [] if offer.choice.chosen else [("", "Shared nodes: other tenants' pods run there, too")]
        self._choose("pool", self._silence([*shared, *own]))
        self._choose(
            "sandbox", self._silence([(s.profile.sandbox.value, described(s)) for s in offer.sandboxes])
        )
        persistences = offer.here.persistences if offer.here else ()
        self._choose("persistence", self._silence([(p.value, PERSISTENCES[p]) for p in persistences]))
        self.fields["version"].required = bool(versions) and offer.choice.chosen is None
        if offer.choice.chosen:
            self._choose("size", self._silence([*self.fields["size"].choices]))  # type: ignore[attr-defined]
            self.fields["size"].required = False
        self.offer_template(offer.choice)
        self.offer_accelerators(() if offer.choice.locks("accelerators") else offer.accelerators)
        self.offer_add_ons({} if offer.choice.locks("addOns") else offer.add_ons)
        for name, locked in LOCKS.items():
            if offer.choice.locks(*locked):
                del self.fields[name]

    def _silence(self, choices: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """With a template, whatever it says can be left as it is."""
        return [AS_TEMPLATE, *choices] if self.offer.choice.chosen else list(choices)

    def clean(self) -> dict[str, Any]:
        """All faults at once: tenancy's rules for names and specs are asked before the action is."""
        cleaned = super().clean() or {}
        if cleaned.get("size") == CUSTOM:
            for amount in AMOUNTS:
                if not cleaned.get(amount) and not self.choice.locks(f"resources.{amount}"):
                    self.add_error(amount, "Give an amount, or take a preset size.")
        faults = name_errors("metadata.name", cleaned.get("name", ""), longest=CLUSTER_MAX)
        if faults and "name" in cleaned:
            self.blame(Invalid(faults[0].detail, errors=faults))
        try:
            parse_spec(json.loads(self.spec_text()))
        except Invalid as error:
            self.blame(error)
        return cleaned

    def spec_text(self) -> str:
        """The spec as the API takes it: what was chosen, nothing more."""
        chosen = self.cleaned_data
        pool = chosen.get("pool")
        isolation = {
            "model": IsolationModel.DEDICATED_POOL.value if pool else None,
            "pool": pool,
            "sandbox": chosen.get("sandbox"),
        }
        spec = {
            "kubernetesVersion": chosen.get("version"),
            "isolation": {key: value for key, value in isolation.items() if value},
            "resources": self._resources(),
            "accelerators": self.accelerators(),
            "persistence": chosen.get("persistence"),
            "addOns": self.add_ons(),
            "template": self.template(),
        }
        return json.dumps({key: value for key, value in spec.items() if value})

    def _resources(self) -> dict[str, Any]:
        size = SIZES.get(self.cleaned_data.get("size", ""))
        free = [amount for amount in AMOUNTS if not self.choice.locks(f"resources.{amount}")]
        if size is not None:
            return {amount: getattr(size, amount) for amount in free}
        given = {amount: self.cleaned_data.get(amount, "") for amount in free}
        return {amount: whole(text) if amount == "pods" else text for amount, text in given.items() if text}

    def _choose(self, name: str, choices: Sequence[tuple[str, str]], initial: str | None = None) -> None:
        field = self.fields[name]
        field.choices = list(choices)  # type: ignore[attr-defined]
        chosen = choices[0][0] if choices else ""
        self.initial.setdefault(name, chosen if initial is None else initial)


def _nodes(pool: Pool) -> str:
    return f"{pool.nodes} node" if pool.nodes == 1 else f"{pool.nodes} nodes"


def described(offer: SandboxOffer) -> str:
    """A profile with what each pod costs beside its containers, where it costs anything."""
    amounts = overhead_to_json(offer.facts.overhead).items()
    cost = [f"{amount} of {part}" for part, amount in amounts if not amount.startswith("0")]
    paid = f"; each pod takes {' and '.join(cost)} more" if cost else ""
    return f"{offer.profile.title}: {offer.profile.promise}{paid}"


def whole(text: str) -> int | str:
    """A count where it is one; anything else is left for tenancy to refuse with its reason."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else text


class DeleteForm(DomainForm):
    """The name, typed, so that nobody deletes a cluster by a slip."""

    CODES: ClassVar = {
        "deletion-protected": (
            "confirm",
            "this cluster is protected from deletion: take the protection off first, on its page under Edit",
        ),
    }

    confirm = forms.CharField(
        label="Name",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    def __init__(self, data: Any = None, *, name: str, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(data, **kwargs)
        self._name = name
        self.fields["confirm"].label = f"Type {name} to confirm"

    def clean_confirm(self) -> str:
        """Exactly the name."""
        typed = str(self.cleaned_data["confirm"]).strip()
        if typed != self._name:
            msg = f"That is not the name. Type {self._name} to delete it, or go back to keep it."
            raise forms.ValidationError(msg)
        return typed
