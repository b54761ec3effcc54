"""Keeps the committed OpenAPI document equal to what the code serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from portal.env import REPOSITORY

if TYPE_CHECKING:
    import argparse

DOCUMENT: Final = REPOSITORY / "docs" / "openapi.yaml"


class Command(BaseCommand):
    """``manage.py openapi`` writes it, ``manage.py openapi --check`` fails when it is stale."""

    help = "Write docs/openapi.yaml, or check that it is what the code serves."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Whether to write or to check, and where."""
        parser.add_argument("--check", action="store_true", help="fail when the document is stale")
        parser.add_argument("--file", type=Path, default=DOCUMENT)

    def handle(self, *_: Any, check: bool, file: Path, **__: Any) -> None:  # noqa: ANN401 - Django's signature
        """Raises ``CommandError`` for a stale document, and for a schema with warnings."""
        fresh = file.with_name(f".{file.name}.fresh")
        try:
            call_command("spectacular", file=str(fresh), fail_on_warn=True, validate=True)
            if check and (not file.exists() or fresh.read_text() != file.read_text()):
                raise CommandError(f"{file} is stale: run `manage.py openapi` and commit it")
            if not check:
                fresh.replace(file)
        finally:
            fresh.unlink(missing_ok=True)
