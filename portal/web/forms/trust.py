"""Which jobs of a CI system may act as a service account, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from django import forms

from portal.web.forms.base import DomainForm, sentence
from portal.web.forms.people import PLAIN
from tenancy.errors import DomainError
from tenancy.rules import trust, yaml_text

if TYPE_CHECKING:
    from collections.abc import Sequence


class TrustForm(DomainForm):
    """The whole list, as the API takes it in ``spec.trust``."""

    text = forms.CharField(
        label="Trusted jobs",
        required=False,
        max_length=20_000,
        strip=False,
        help_text="YAML or JSON: a list of issuer and claims, audience and lifetime if you like. Empty: none.",
        widget=forms.Textarea(attrs={"rows": 10, "class": "code", **PLAIN}),
    )

    def clean_text(self) -> list[trust.TrustPolicy]:
        """The policies; each fault of their form with its path."""
        text = str(self.cleaned_data["text"])
        try:
            return trust.read(yaml_text.document(text) if text.strip() else [], "spec.trust")
        except ValueError as error:
            raise forms.ValidationError(sentence(str(error))) from error
        except DomainError as error:
            raise forms.ValidationError(_told(error)) from error

    def blame(self, error: DomainError) -> None:
        """All that is refused is in the text."""
        self.add_error("text", _told(error))


def written(policies: Sequence[dict[str, Any]]) -> str:
    """Policies as the form shows them."""
    shown = trust.written(policies)
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True) if shown else ""


def _told(error: DomainError) -> list[str]:
    return [f"{one.path}: {sentence(one.detail)}" for one in error.errors] or [sentence(error.detail)]
