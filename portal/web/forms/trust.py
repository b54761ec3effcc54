"""Which jobs of a CI system may act as a service account, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from django import forms
from rest_framework import exceptions

from portal.api.errors import flatten
from portal.api.serializers.service_accounts import TrustedJobs
from portal.web.forms.base import DomainForm, sentence
from portal.web.forms.people import PLAIN
from tenancy.rules import yaml_text
from tenancy.rules.trust import TrustPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tenancy.errors import DomainError, FieldError


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

    def clean_text(self) -> list[TrustPolicy]:
        """The policies; each fault of their form with its path."""
        text = str(self.cleaned_data["text"])
        try:
            found = yaml_text.document(text) if text.strip() else []
        except ValueError as error:
            raise forms.ValidationError(sentence(str(error))) from error
        if not isinstance(found, list):
            msg = "Give a list: begin each policy with “- issuer:”."
            raise forms.ValidationError(msg)
        read = TrustedJobs(data=found, many=True)
        try:
            read.is_valid(raise_exception=True)
        except exceptions.ValidationError as error:
            faults = flatten(error.get_full_details(), "spec.trust")
            raise forms.ValidationError(list(_told(faults))) from error
        return [TrustPolicy(**one) for one in read.validated_data]

    def blame(self, error: DomainError) -> None:
        """All that is refused is in the text."""
        self.add_error("text", list(_told(error.errors)) or [sentence(error.detail)])


def written(trust: Sequence[dict[str, Any]]) -> str:
    """Policies as the form shows them, without what is left to Atoll."""
    if not trust:
        return ""
    shown = [
        {key: value for key, value in one.items() if value} for one in TrustedJobs(trust, many=True).data
    ]
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def _told(faults: Iterator[FieldError] | Sequence[FieldError]) -> Iterator[str]:
    for fault in faults:
        yield f"{fault.path}: {sentence(fault.detail)}"
