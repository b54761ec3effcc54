"""The audit log as a bundle, from the machine's own command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from tenancy.errors import DomainError
from tenancy.queries import bundle

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """``manage.py export_audit [--from ROW]``, to standard output."""

    help = "Write the audit log up to its signed head, to be verified elsewhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to begin."""
        parser.add_argument("--from", dest="first", type=int, default=1)

    def handle(self, *_: Any, first: int, **__: Any) -> None:  # noqa: ANN401 - Django's signature
        """Raises CommandError while nothing is signed."""
        try:
            for piece in bundle.lines(first):
                self.stdout.write(piece, ending="")
        except DomainError as error:
            raise CommandError(error.detail) from error
