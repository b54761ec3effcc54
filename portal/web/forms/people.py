"""Tenants, their members, and users."""

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator

from portal.web.forms.base import DomainForm
from tenancy.enums import PlatformRole, Role, Trust
from tenancy.rules.names import ACCOUNT_MAX, TENANT_MAX

PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
ROLES = (
    (Role.MEMBER.value, "Member: makes and deletes clusters"),
    (Role.OWNER.value, "Owner: also manages members"),
    (Role.VIEWER.value, "Viewer: looks, and gets read-only kubeconfigs"),
)
TRUSTS = (
    (Trust.UNTRUSTED.value, "Untrusted: every cluster is sandboxed"),
    (Trust.TRUSTED.value, "Trusted: may go without a sandbox"),
)
PLATFORM_ROLES = (
    (PlatformRole.NONE.value, "None: only what memberships give"),
    (PlatformRole.AUDITOR.value, "Auditor: sees everything, changes nothing"),
    (PlatformRole.ADMIN.value, "Admin: may do everything"),
)


class TenantForm(DomainForm):
    """A new tenant."""

    PATHS: ClassVar = {"metadata.name": "name"}
    CODES: ClassVar = {"already-exists": ("name", "a tenant of that name exists: choose another name")}

    name = forms.CharField(
        label="Name",
        help_text=f"Lower-case letters, digits and “-”, at most {TENANT_MAX} characters. It cannot be changed later.",
        widget=forms.TextInput(attrs=PLAIN),
    )
    display_name = forms.CharField(
        label="Display name", required=False, max_length=100, help_text="As people call the team; optional."
    )
    trust = forms.ChoiceField(
        label="Trust", choices=TRUSTS, widget=forms.RadioSelect, initial=Trust.UNTRUSTED.value
    )


class MemberForm(DomainForm):
    """Somebody who joins, or a new role for somebody who is in."""

    PATHS: ClassVar = {"username": "username"}

    username = forms.CharField(label="User name", max_length=150, widget=forms.TextInput(attrs=PLAIN))
    role = forms.ChoiceField(label="Role", choices=ROLES)


class AccountForm(DomainForm):
    """A service account, new or changed."""

    PATHS: ClassVar = {"metadata.name": "name"}

    name = forms.CharField(label="Name", max_length=ACCOUNT_MAX, widget=forms.TextInput(attrs=PLAIN))
    role = forms.ChoiceField(label="Role", choices=ROLES)
    description = forms.CharField(label="What it is for", required=False, max_length=200)


class UserForm(DomainForm):
    """A new person."""

    PATHS: ClassVar = {"metadata.name": "username"}
    CODES: ClassVar = {"already-exists": ("username", "a user of that name exists: choose another name")}

    username = forms.CharField(
        label="User name",
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        widget=forms.TextInput(attrs=PLAIN),
    )
    password = forms.CharField(
        label="First password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 8 characters. Hand it over in person or by a channel you trust.",
    )
    platform_role = forms.ChoiceField(label="Platform role", choices=PLATFORM_ROLES, required=False)

    def clean_password(self) -> str:
        """The portal's rules for passwords."""
        password = str(self.cleaned_data["password"])
        validate_password(password)
        return password
