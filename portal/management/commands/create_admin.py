"""The first admin of a production installation."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import TYPE_CHECKING, Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from tenancy.actions import users
from tenancy.enums import PlatformRole
from tenancy.errors import DomainError

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """``manage.py create_admin NAME``; the password is asked for, or one line of standard input."""

    help = "Make a platform admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The name to sign in with."""
        parser.add_argument("username")

    def handle(self, *_: Any, username: str, **__: Any) -> None:  # noqa: ANN401 - Django's signature
        """Raises CommandError where the name is taken or the password too weak."""
        password = _password(username)
        try:
            validate_password(password)
            users.create(username=username, password=password, platform_role=PlatformRole.ADMIN)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"made admin {username}")


def _password(username: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass(f"Password for {username}: ")
    if getpass("Once more: ") != password:
        raise CommandError("the two passwords differ: try again")
    return password
