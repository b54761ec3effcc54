"""Asking for a cluster, and confirming its end."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms

from portal.web.forms.base import DomainForm
from tenancy.enums import Persistence, Sandbox, Trust
from tenancy.errors import Invalid
from tenancy.rules import offers
from tenancy.rules.names import CLUSTER_MAX, name_errors
from tenancy.rules.profiles import PROFILES
from tenancy.rules.spec_parsing import parse_spec
from tenancy.rules.specs import facts_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tenancy.models import HostCluster, Tenant

AMOUNTS: Final = ("cpu", "memory", "storage", "pods")


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

PERSISTENCES: Final[Mapping[Persistence, str]] = {
    Persistence.PERSISTENT: "Persistent: its API objects survive a restart of the control plane",
    Persistence.EPHEMERAL: "Ephemeral: quick to make, gone when its control plane restarts",
}


@dataclass(frozen=True)
class Offer:
    """What one tenant may choose today."""

    tenants: Sequence[Tenant]
    tenant: Tenant
    host: HostCluster | None
    versions: tuple[str, ...]
    sandboxes: tuple[Sandbox, ...]
    persistences: tuple[Persistence, ...]


def offer(tenants: Sequence[Tenant], tenant: Tenant, host: HostCluster | None) -> Offer:
    """What can be had on that host; nothing of the host's own while it has not been looked at."""
    facts = facts_from_json(host.facts) if host else None
    sandboxes = offers.offered_sandboxes(facts, Trust(tenant.trust)) if facts else ()
    lasting = (Persistence.PERSISTENT,) if facts and facts.default_storage_class else ()
    persistences = (*lasting, Persistence.EPHEMERAL) if facts else ()
    versions = tuple(host.kubernetes_versions) if host else ()
    return Offer(tenants, tenant, host, versions, sandboxes, persistences)


class ClusterForm(DomainForm):
    """Only what can be chosen on that host; whatever is left out, Atoll chooses."""

    PATHS: ClassVar = {
        "metadata.name": "name",
        "spec.kubernetesVersion": "version",
        "spec.isolation.sandbox": "sandbox",
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
    sandbox = forms.ChoiceField(label="Sandbox", required=False, widget=forms.RadioSelect)
    persistence = forms.ChoiceField(label="Persistence", required=False, widget=forms.RadioSelect)

    def __init__(self, data: Any = None, *, offer: Offer, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(data, **kwargs)
        self.offer = offer
        self._choose("tenant", [(t.name, t.display_name or t.name) for t in offer.tenants], offer.tenant.name)
        self._choose(
            "size", [*((key, size.title) for key, size in SIZES.items()), (CUSTOM, "Custom")], "standard"
        )
        versions = sorted(offer.versions, key=newest, reverse=True)
        self._choose("version", [(v, v) for v in versions], versions[0] if versions else "")
        self._choose(
            "sandbox", [(s.value, f"{PROFILES[s].title}: {PROFILES[s].promise}") for s in offer.sandboxes]
        )
        self._choose("persistence", [(p.value, PERSISTENCES[p]) for p in offer.persistences])
        self.fields["version"].required = bool(versions)

    def clean(self) -> dict[str, Any]:
        """All faults at once: tenancy's rules for names and specs are asked before the action is."""
        cleaned = super().clean() or {}
        if cleaned.get("size") == CUSTOM:
            for amount in AMOUNTS:
                if not cleaned.get(amount):
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
        sandbox = chosen.get("sandbox")
        spec = {
            "kubernetesVersion": chosen.get("version"),
            "isolation": {"sandbox": sandbox} if sandbox else {},
            "resources": self._resources(),
            "persistence": chosen.get("persistence"),
        }
        return json.dumps({key: value for key, value in spec.items() if value})

    def _resources(self) -> dict[str, Any]:
        size = SIZES.get(self.cleaned_data.get("size", ""))
        if size is not None:
            return {amount: getattr(size, amount) for amount in AMOUNTS}
        given = {amount: self.cleaned_data.get(amount, "") for amount in AMOUNTS}
        return {amount: whole(text) if amount == "pods" else text for amount, text in given.items() if text}

    def _choose(self, name: str, choices: Sequence[tuple[str, str]], initial: str | None = None) -> None:
        field = self.fields[name]
        field.choices = list(choices)  # type: ignore[attr-defined]
        chosen = choices[0][0] if choices else ""
        self.initial.setdefault(name, chosen if initial is None else initial)


def newest(version: str) -> tuple[int, ...]:
    """Orders minor versions as numbers: 1.9 before 1.10."""
    return tuple(int(part) for part in version.split("."))


def whole(text: str) -> int | str:
    """A count where it is one; anything else is left for tenancy to refuse with its reason."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else text


class DeleteForm(DomainForm):
    """The name, typed, so that nobody deletes a cluster by a slip."""

    CODES: ClassVar = {
        "deletion-protected": (
            "confirm",
            "this cluster is protected from deletion: set spec.deletionProtection to false with the API first",
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
