"""A webhook."""

from __future__ import annotations

from typing import ClassVar

from django import forms

from portal.web.forms.base import DomainForm
from tenancy.actions.webhooks import NAME_MAX, WebhookWish
from tenancy.event_enums import EventType
from tenancy.rules.addresses import LONGEST


class WebhookForm(DomainForm):
    """Where events go, and which."""

    PATHS: ClassVar = {"spec.url": "url"}

    url = forms.CharField(
        label="Address",
        max_length=LONGEST,
        widget=forms.TextInput(attrs={"placeholder": "https://hooks.example.com/atoll", "inputmode": "url"}),
        help_text="https, on the public Internet.",
    )
    types = forms.MultipleChoiceField(
        label="Only these events",
        choices=[(kind.value, kind.value) for kind in EventType if kind is not EventType.PING],
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 6}),
        help_text="Choose none to send all.",
    )
    enabled = forms.BooleanField(
        label="Enabled",
        required=False,
        initial=True,
        help_text="What happens while it is not is not sent later.",
    )

    def wish(self) -> WebhookWish:
        """As the action takes it."""
        given = self.cleaned_data
        types = tuple(EventType(word) for word in given["types"])
        return WebhookWish(given["url"], types, enabled=given["enabled"])


class NewWebhookForm(WebhookForm):
    """A webhook that does not exist yet."""

    PATHS: ClassVar = {"metadata.name": "name", "spec.url": "url"}

    name = forms.CharField(
        label="Name", max_length=NAME_MAX, widget=forms.TextInput(attrs={"placeholder": "chat"})
    )
    field_order = ("name", "url", "types", "enabled")
