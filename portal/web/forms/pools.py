"""Node pools and what goes into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms

from portal.web.forms.base import DomainForm
from portal.web.forms.people import PLAIN
from tenancy.enums import PoolKind, Sandbox
from tenancy.rules.pools import NAME_MAX
from tenancy.rules.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenancy.models import Tenant

KINDS: Final = (
    (PoolKind.DEDICATED.value, "Dedicated: one tenant's alone"),
    (PoolKind.SHARED.value, "Shared: everybody's"),
)


class PoolForm(DomainForm):
    """A pool as an admin wants it; one of that name is changed."""

    PATHS: ClassVar = {
        "metadata.name": "name",
        "spec.kind": "kind",
        "spec.tenant": "tenant",
        "spec.selector": "selector",
        "spec.sandboxes": "sandboxes",
        "spec.reserved": "reserved",
    }

    name = forms.CharField(
        label="Name",
        help_text=f"Lower-case letters, digits and “-”, at most {NAME_MAX} characters. A pool of that name is changed.",
        widget=forms.TextInput(attrs=PLAIN),
    )
    kind = forms.ChoiceField(
        label="Kind", choices=KINDS, widget=forms.RadioSelect, initial=PoolKind.DEDICATED.value
    )
    tenant = forms.ChoiceField(
        label="Tenant", required=False, help_text="Another one than before: its nodes are wiped first."
    )
    selector = forms.CharField(
        label="Labels a node must have",
        required=False,
        help_text="Such as disk=ssd, several with commas between; empty for any node.",
        widget=forms.TextInput(attrs=PLAIN),
    )
    sandboxes = forms.MultipleChoiceField(
        label="Sandboxes its nodes run",
        required=False,
        help_text="None chosen: all that the host offers.",
        choices=[(sandbox.value, profile.title) for sandbox, profile in PROFILES.items()],
        widget=forms.CheckboxSelectMultiple,
    )

    reserved = forms.CharField(
        label="Devices that nobody is granted",
        required=False,
        help_text="By accelerator class, such as nvidia-h100=1, several with commas between.",
        widget=forms.TextInput(attrs=PLAIN),
    )

    def __init__(self, data: Any = None, *, tenants: Iterable[Tenant], **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(data, **kwargs)
        named = [(tenant.name, tenant.display_name or tenant.name) for tenant in tenants]
        self.fields["tenant"].choices = [("", "Nobody yet"), *named]  # type: ignore[attr-defined]

    def clean_selector(self) -> dict[str, str]:
        """Pairs of label and value."""
        return self._pairs("selector", "label")

    def clean_reserved(self) -> dict[str, int]:
        """Pairs of class and number of devices; 0 is the same as none."""
        pairs = self._pairs("reserved", "class")
        if wrong := next((value for value in pairs.values() if not value.isdecimal()), None):
            msg = f"“{wrong}” is no number of devices: write class=number."
            raise forms.ValidationError(msg)
        return {key: int(value) for key, value in pairs.items() if int(value)}

    def _pairs(self, field: str, what: str) -> dict[str, str]:
        pairs = [pair.strip() for pair in str(self.cleaned_data[field]).split(",") if pair.strip()]
        if wrong := next((pair for pair in pairs if not all(pair.partition("=")[::2])), None):
            msg = f"“{wrong}” is no {what} and value: write {what}=value."
            raise forms.ValidationError(msg)
        return {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}

    def clean_sandboxes(self) -> tuple[Sandbox, ...]:
        """As tenancy knows them."""
        return tuple(Sandbox(word) for word in self.cleaned_data["sandboxes"])
