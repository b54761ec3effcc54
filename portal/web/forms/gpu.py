"""Asking for accelerators, deciding about them, and naming them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms

from portal.web.forms.base import DomainForm
from portal.web.forms.people import PLAIN
from tenancy.actions.accelerators import ClassWish
from tenancy.grant_enums import AcceleratorKind
from tenancy.queries import usage
from tenancy.rules.accelerators import KEY_MAX
from tenancy.rules.requests import TEXT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from tenancy.models import AcceleratorClass, NodePool

MOST: Final = 1_000_000
KINDS: Final = (
    (AcceleratorKind.EXTENDED_RESOURCE.value, "Extended resource: a device plugin's, such as nvidia.com/gpu"),
    (AcceleratorKind.DEVICE_CLASS.value, "DeviceClass: claimed by dynamic resource allocation"),
)


def _text(label: str, **options: Any) -> forms.CharField:  # noqa: ANN401 - Django's options
    # The rule is tenancy's; strip stays on, so that blanks alone are nothing.
    return forms.CharField(label=label, widget=forms.Textarea(attrs={"rows": 3}), **options)


def _day(label: str, **options: Any) -> forms.DateField:  # noqa: ANN401 - Django's options
    return forms.DateField(
        label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **options
    )


def _count(label: str, least: int = 0, **options: Any) -> forms.IntegerField:  # noqa: ANN401 - Django's options
    return forms.IntegerField(label=label, min_value=least, max_value=MOST, **options)


class AskForm(DomainForm):
    """What a team needs, for how long, and what for."""

    PATHS: ClassVar = {
        "spec.class": "key",
        "spec.amount": "amount",
        "spec.from": "since",
        "spec.until": "until",
        "spec.justification": "justification",
    }
    CODES: ClassVar = {
        "already-exists": ("key", "your team has an open request for this class: withdraw it, or wait for it")
    }

    key = forms.ChoiceField(label="Accelerator")
    amount = _count("How many", 1, initial=1)
    since = _day("From", required=False, help_text="UTC; today where left out.")
    until = _day("Until", required=False, help_text="The first day without them.")
    justification = _text("What for", max_length=TEXT_MAX, help_text="Whoever decides reads it.")

    def __init__(self, data: Any = None, *, classes: Iterable[AcceleratorClass], **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(data, **kwargs)
        named = [(row.key, f"{row.key} ({row.title})" if row.title else row.key) for row in classes]
        self.fields["key"].choices = named  # type: ignore[attr-defined]


class LimitForm(DomainForm):
    """The most that a tenant may be granted of a class."""

    key = forms.ChoiceField(label="Class")
    amount = _count("Limit", required=False, help_text="Devices in all pools together; empty for no limit.")

    def __init__(self, data: Any = None, *, classes: Iterable[AcceleratorClass], **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(data, **kwargs)
        self.fields["key"].choices = [(row.key, row.key) for row in classes]  # type: ignore[attr-defined]


class DaysForm(DomainForm):
    """From which day until which; the last thirty days where nothing is given."""

    since = _day("From", required=False, help_text="UTC")
    until = _day("Until", required=False, help_text="The first day that does not count.")

    def clean(self) -> dict[str, Any]:
        """What is left out lies thirty days from what is given."""
        given = super().clean() or {}
        since, until = usage.days(given.get("since"), given.get("until"))
        if since >= until:
            self.add_error("until", f"Give a day after {since}.")
        return given

    def days(self) -> tuple[date, date]:
        """Both, whatever is given."""
        given = getattr(self, "cleaned_data", {})
        return usage.days(given.get("since"), given.get("until"))


class ExtendForm(DomainForm):
    """More days of a grant."""

    PATHS: ClassVar = {"spec.until": "until", "spec.justification": "justification"}

    until = _day("New last day", help_text="UTC, the first day without them.")
    justification = _text("What for", max_length=TEXT_MAX, help_text="Whoever decides reads it.")


class DecisionForm(DomainForm):
    """The terms that an approver looks at, and why."""

    PATHS: ClassVar = {
        "reason": "reason",
        "pool": "pool",
        "amount": "amount",
        "spec.pool": "pool",
        "spec.amount": "amount",
        "spec.from": "since",
        "spec.until": "until",
    }

    amount = _count("Amount", 1, required=False)
    since = _day("From", required=False)
    until = _day("Until", required=False)
    pool = forms.ChoiceField(label="Pool", required=False)
    reason = _text("Reason", max_length=TEXT_MAX, help_text="Kept, and read by the team.")

    def __init__(self, data: Any = None, *, pools: Iterable[NodePool], **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(data, **kwargs)
        named = [f"{pool.host.name}/{pool.name}" for pool in pools]
        self.fields["pool"].choices = [("", "The fullest that it fits"), *((n, n) for n in named)]  # type: ignore[attr-defined]


class ClassForm(DomainForm):
    """A class of the catalogue as an admin wants it; one of that name is changed."""

    PATHS: ClassVar = {
        "metadata.name": "name",
        "spec.resource": "resource",
        "spec.weight": "weight",
        "spec.defaultDays": "default_days",
    }

    name = forms.CharField(
        label="Name",
        help_text=f"As teams ask for it, such as nvidia-h100; at most {KEY_MAX} characters. A class of that name is changed.",
        widget=forms.TextInput(attrs=PLAIN),
    )
    title = forms.CharField(label="Title", required=False, max_length=100)
    kind = forms.ChoiceField(
        label="On a host it is", choices=KINDS, widget=forms.RadioSelect, initial=KINDS[0][0]
    )
    resource = forms.CharField(
        label="Its name there",
        max_length=253,
        widget=forms.TextInput(attrs=PLAIN),
        help_text="Such as nvidia.com/gpu",
    )
    labels = forms.CharField(
        label="Labels of its nodes",
        required=False,
        help_text="The model, as label=value, several with commas between.",
        widget=forms.TextInput(attrs=PLAIN),
    )
    offered = forms.BooleanField(label="Teams can ask for it", required=False, initial=True)
    auto_approve_up_to = _count(
        "No admin is asked up to", initial=0, help_text="A team's devices in all; 0 for never."
    )
    two_approvers_from = _count(
        "Two admins decide from", initial=0, help_text="Devices of one request; 0 for never."
    )
    default_days = _count("Days that a cluster asks for", 1, initial=30)
    longest_days = _count("Most days of one grant", 1, initial=365)
    grace_seconds = _count("Seconds for pods to finish", initial=900, help_text="Once a grant is over.")
    weight = _count("Weight in reports", 1, initial=1, help_text="Units that one device counts.")

    def clean_labels(self) -> dict[str, str]:
        """Pairs of label and value."""
        pairs = [pair.strip() for pair in str(self.cleaned_data["labels"]).split(",") if pair.strip()]
        if wrong := next((pair for pair in pairs if not all(pair.partition("=")[::2])), None):
            msg = f"“{wrong}” is no label and value: write label=value."
            raise forms.ValidationError(msg)
        return {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}

    def wish(self) -> ClassWish:
        """As the action takes it."""
        given = {key: value for key, value in self.cleaned_data.items() if key != "name"}
        return ClassWish(**{**given, "kind": AcceleratorKind(given["kind"])})
