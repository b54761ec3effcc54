"""Asking for a kubeconfig."""

from __future__ import annotations

from typing import ClassVar, Final

from django import forms

from portal.web.forms.base import DomainForm

LIFETIMES: Final = ((600, "10 minutes"), (1800, "30 minutes"), (3600, "1 hour"))


class KubeconfigForm(DomainForm):
    """For how long the credential in it shall work."""

    PATHS: ClassVar = {"lifetime": "lifetime"}

    lifetime = forms.TypedChoiceField(label="Works for", choices=LIFETIMES, coerce=int, initial=3600)
