"""A new API token."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings

from portal.web.forms.base import DomainForm
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenancy.models import Tenant

LIFETIMES = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "A year"), (0, "Until revoked"))
LOOKS = "*:read"


def _words(scope: Scope) -> str:
    """``gpu-requests:read`` → "GPU requests: read"."""
    text = scope.replace("gpu", "GPU").replace("-", " ").replace(":", ": ")
    return text[:1].upper() + text[1:]


SCOPES = ((LOOKS, "Look: at everything"), *((scope.value, _words(scope)) for scope in Scope))


class TokenForm(DomainForm):
    """What it is for, how far it reaches, how long it lives."""

    PATHS: ClassVar = {
        "tenant": "tenant",
        "spec.expiresAt": "days",
        "spec.scopes": "scopes",
        "spec.decides": "decides",
    }

    name = forms.CharField(
        label="What it is for", max_length=60, widget=forms.TextInput(attrs={"placeholder": "CI of the shop"})
    )
    tenant = forms.ChoiceField(label="Reaches", required=False)
    days = forms.TypedChoiceField(label="Works for", choices=LIFETIMES, coerce=int, initial=30)
    read_only = forms.BooleanField(
        label="Read-only", required=False, help_text="It can look but change nothing, in clusters neither."
    )
    scopes = forms.MultipleChoiceField(
        label="For these only", required=False, choices=SCOPES, widget=forms.CheckboxSelectMultiple
    )
    decides = forms.BooleanField(
        label="For decisions",
        required=False,
        help_text="It can approve, quarantine, and change tenants and hosts; it ends after 12 hours.",
    )

    def __init__(
        self,
        data: Any = None,  # noqa: ANN401 - Django's signature
        *,
        tenants: Iterable[Tenant] | None,
        may_decide: bool = False,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """``tenants`` are those it may be bound to; ``None`` where that is no question."""
        super().__init__(data, **kwargs)
        if tenants is None:
            del self.fields["tenant"]
        else:
            choices = [("", "All my tenants"), *((t.name, f"Only {t.name}") for t in tenants)]
            self.fields["tenant"].choices = choices  # type: ignore[attr-defined]
        if not may_decide:
            del self.fields["decides"]
        most = settings.ATOLL_TOKEN_DAYS
        if most:
            offered = [(days, words) for days, words in LIFETIMES if 0 < days <= most]
            self.fields["days"].choices = offered or [(most, f"{most} days")]  # type: ignore[attr-defined]

    @property
    def wish(self) -> dict[str, Any]:
        """As ``actions.tokens.create`` takes it."""
        given = self.cleaned_data
        return {
            "name": given["name"],
            "tenant": given.get("tenant") or None,
            "scopes": given["scopes"] or None,
            "read_only": given["read_only"],
            "decides": given.get("decides", False),
        }

    def expires_at(self, now: datetime) -> datetime | None:
        """When it ends; ``None`` for a token that lives as long as it may."""
        days = 0 if self.cleaned_data.get("decides") else self.cleaned_data["days"]
        return now + timedelta(days=days) if days else None
