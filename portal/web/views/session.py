"""Signing in; signing out is Django's own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import LoginView

from portal.web.forms.session import SignInForm

if TYPE_CHECKING:
    from django.http import HttpResponse

    from portal.identity.config import Oidc


def _oidc() -> Oidc | None:
    """For the button; asked anew for each page."""
    found: Oidc | None = settings.ATOLL_OIDC
    return found


class SignIn(LoginView):
    """Goes on to ``next`` where that is a page of ours, else home."""

    template_name = "sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    extra_context = {"oidc": _oidc}

    def get_success_url(self) -> str:
        """Never back to here: Django takes that for a fault of the site, and it is only an odd link."""
        found = super().get_success_url()
        return self.get_default_redirect_url() if urlsplit(found).path == self.request.path else found

    def form_invalid(self, form: SignInForm) -> HttpResponse:  # type: ignore[override]
        """The form again, with what was typed but the password."""
        return self.render_to_response(self.get_context_data(form=form), status=422)
