"""A template, and a version of it as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

from django import forms

from portal.web.forms.base import DomainForm, sentence
from portal.web.forms.people import PLAIN
from tenancy.actions.templates import NAME_MAX, TemplateWish
from tenancy.rules import yaml_text

if TYPE_CHECKING:
    from tenancy.errors import DomainError

TEXT_MAX: Final = 200_000
"""Characters of a version in a form."""


class TemplateForm(DomainForm):
    """Who may use a template."""

    PATHS: ClassVar = {"spec.tenants": "tenants"}

    description = forms.CharField(label="Description", required=False, max_length=500)
    tenants = forms.CharField(
        label="Who may use it",
        required=False,
        help_text="Names of tenants with commas between; everybody where it is left empty.",
        widget=forms.TextInput(attrs=PLAIN),
    )
    deprecated = forms.BooleanField(
        label="Deprecated: it works, and people are told to take another one", required=False
    )

    def field_of(self, path: str) -> str | None:
        """Tenants are one field, which ones is told in words."""
        return super().field_of(path.partition("[")[0])

    def wish(self) -> TemplateWish:
        """As the action takes it."""
        given = self.cleaned_data
        named = tuple(dict.fromkeys(name.strip() for name in given["tenants"].split(",") if name.strip()))
        return TemplateWish(given["description"], given.get("deprecated", False), named or None)


class NewTemplateForm(TemplateForm):
    """One that is not there yet."""

    PATHS: ClassVar = {**TemplateForm.PATHS, "metadata.name": "name"}

    name = forms.CharField(
        label="Name",
        help_text=f"Small letters, digits and hyphens, at most {NAME_MAX}.",
        widget=forms.TextInput(attrs=PLAIN),
    )
    field_order = ("name", "description", "tenants")
    deprecated = None  # type: ignore[assignment] # a new one is not


class VersionForm(DomainForm):
    """A version to be published, as YAML or JSON."""

    PATHS: ClassVar = {"metadata.version": "version"}
    CODES: ClassVar = {
        "immutable": (
            "version",
            "it is published with other content, and never changes: give the next number",
        )
    }

    version = forms.CharField(
        label="Version", help_text="Three numbers, such as 1.2.0.", widget=forms.TextInput(attrs=PLAIN)
    )
    text = forms.CharField(
        label="Content",
        max_length=TEXT_MAX,
        strip=False,
        help_text="YAML or JSON: cluster, parameters, locked or overridable, notes.",
        widget=forms.Textarea(attrs={"rows": 24, "class": "code", **PLAIN}),
    )

    def clean_text(self) -> str:
        """The content as JSON."""
        try:
            found = yaml_text.document(str(self.cleaned_data["text"]))
        except ValueError as error:
            raise forms.ValidationError(sentence(str(error))) from error
        if not isinstance(found, dict):
            msg = "Give an object: cluster, and beside it parameters, locked or overridable, notes."
            raise forms.ValidationError(msg)
        return json.dumps(found, ensure_ascii=False)

    def blame(self, error: DomainError) -> None:
        """Each fault of the content beside it, with its path."""
        content = [fault for fault in error.errors if fault.path.startswith("spec")]
        for fault in content:
            self.add_error("text", f"{fault.path}: {fault.detail}.")
        if not content:
            super().blame(error)
