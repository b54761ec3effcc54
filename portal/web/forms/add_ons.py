"""A version of an add-on to be published."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from django import forms

from portal.web.forms.base import DomainForm
from portal.web.forms.people import PLAIN
from tenancy.actions.add_ons import NAME_MAX
from tenancy.rules.add_ons import DESCRIPTION_MAX, TEXT_MAX

if TYPE_CHECKING:
    from tenancy.errors import DomainError


class AddOnForm(DomainForm):
    """Its name and number, and the objects as YAML."""

    PATHS: ClassVar = {
        "metadata.name": "name",
        "metadata.version": "version",
        "spec.description": "description",
    }
    CODES: ClassVar = {
        "immutable": (
            "version",
            "it is published with other objects, and never changes: give the next number",
        )
    }

    name = forms.CharField(
        label="Name",
        help_text=f"Small letters, digits and hyphens, at most {NAME_MAX}.",
        widget=forms.TextInput(attrs=PLAIN),
    )
    version = forms.CharField(
        label="Version", help_text="Three numbers, such as 1.2.0.", widget=forms.TextInput(attrs=PLAIN)
    )
    description = forms.CharField(label="Description", required=False, max_length=DESCRIPTION_MAX)
    manifests = forms.CharField(
        label="Objects",
        max_length=TEXT_MAX,
        strip=False,
        help_text="Kubernetes objects as YAML, with --- between them. No secrets: everybody reads the catalogue.",
        widget=forms.Textarea(attrs={"rows": 24, "class": "code", **PLAIN}),
    )

    def clean_manifests(self) -> str:
        """With the ends of lines that files have; browsers send others."""
        return str(self.cleaned_data["manifests"]).replace("\r\n", "\n")

    def spec_text(self) -> str:
        """As the API takes it: no description where none was given."""
        given = self.cleaned_data
        described = {"description": given["description"]} if given["description"] else {}
        return json.dumps({**described, "manifests": given["manifests"]}, ensure_ascii=False)

    def blame(self, error: DomainError) -> None:
        """Each fault of the objects beside them, with its path."""
        inside = [fault for fault in error.errors if fault.path.startswith("spec.manifests")]
        for fault in inside:
            self.add_error("manifests", f"{fault.path}: {fault.detail}.")
        if not inside:
            super().blame(error)
