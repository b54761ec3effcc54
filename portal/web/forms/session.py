"""Signing in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from portal.web import throttle

if TYPE_CHECKING:
    from django.http import HttpRequest


class SignInForm(AuthenticationForm):
    """User name and password, slowed down after too many failures."""

    error_messages = {
        "invalid_login": "User name and password do not fit together. Check both; capitals count.",
        "inactive": "This account is suspended. Ask an admin to lift it.",
        "throttled": "Too many failed tries. Wait five minutes, or ask an admin for a new password.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["username"].label = "User name"

    def clean(self) -> dict[str, Any]:
        """Asks the throttle first, so that a right guess is not told from a wrong one while it blocks."""
        pair = self.cleaned_data.get("username", ""), _address(self.request)
        if throttle.blocked(*pair):
            raise forms.ValidationError(self.error_messages["throttled"], code="throttled")
        try:
            cleaned = super().clean()
        except forms.ValidationError:
            throttle.note_failure(*pair)
            raise
        throttle.forget(*pair)
        return cleaned


class ConfirmForm(SignInForm):
    """The password once more, of whoever is signed in."""

    error_messages = SignInForm.error_messages | {
        "invalid_login": "This is not your password. Capitals count."
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(*args, **kwargs)
        del self.fields["username"]

    def clean(self) -> dict[str, Any]:
        """As when signing in."""
        assert self.request is not None  # noqa: S101 - for the types
        self.cleaned_data["username"] = self.request.user.get_username()
        return super().clean()


def _address(request: HttpRequest | None) -> str:
    return str(request.META["REMOTE_ADDR"]) if request else ""
