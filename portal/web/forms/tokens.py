"""A new API token."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms

from portal.web.forms.base import DomainForm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenancy.models import Tenant

LIFETIMES = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "A year"), (0, "Until revoked"))


class TokenForm(DomainForm):
    """What it is for, how far it reaches, how long it lives."""

    PATHS: ClassVar = {"tenant": "tenant", "spec.expiresAt": "days"}

    name = forms.CharField(
        label="What it is for", max_length=60, widget=forms.TextInput(attrs={"placeholder": "CI of the shop"})
    )
    tenant = forms.ChoiceField(label="Reaches", required=False)
    days = forms.TypedChoiceField(label="Works for", choices=LIFETIMES, coerce=int, initial=30)
    read_only = forms.BooleanField(
        label="Read-only", required=False, help_text="It can look but change nothing."
    )

    def __init__(self, data: Any = None, *, tenants: Iterable[Tenant], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(data, **kwargs)
        choices = [("", "All my tenants"), *((t.name, f"Only {t.name}") for t in tenants)]
        self.fields["tenant"].choices = choices  # type: ignore[attr-defined]

    def expires_at(self, now: datetime) -> datetime | None:
        """When it ends; ``None`` for a token that lives until it is revoked."""
        days = self.cleaned_data["days"]
        return now + timedelta(days=days) if days else None
