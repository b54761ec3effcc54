"""Linking people to an OpenID provider."""

from __future__ import annotations

from typing import ClassVar

from django import forms

from portal.web.forms.base import DomainForm
from portal.web.forms.people import PLAIN


class IdentityForm(DomainForm):
    """Who is who."""

    PATHS: ClassVar = {"spec.username": "username", "spec.issuer": "issuer", "spec.subject": "subject"}
    CODES: ClassVar = {"already-exists": ("subject", "somebody is linked to it already: unlink them first")}

    username = forms.CharField(label="User here", max_length=150, widget=forms.TextInput(attrs=PLAIN))
    issuer = forms.CharField(label="Provider (issuer)", max_length=255, widget=forms.TextInput(attrs=PLAIN))
    subject = forms.CharField(
        label="Subject there (sub)",
        max_length=255,
        widget=forms.TextInput(attrs=PLAIN),
        help_text="Whoever tries to sign in unlinked is shown theirs.",
    )
