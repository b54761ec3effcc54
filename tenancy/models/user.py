from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import AbstractUser

from tenancy.enums import PlatformRole
from tenancy.models.columns import choice_field, one_of


class User(AbstractUser):
    """A person; what they may do in a tenant is in their memberships."""

    platform_role = choice_field(PlatformRole, default=PlatformRole.NONE)

    class Meta(AbstractUser.Meta):
        constraints: ClassVar = [one_of("user", "platform_role", PlatformRole)]

    def __str__(self) -> str:
        return self.username
