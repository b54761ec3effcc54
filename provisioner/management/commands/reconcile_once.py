"""``manage.py reconcile_once cluster UID``: one pass by hand, with what came of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from provisioner import wiring
from tenancy.actions import work
from tenancy.actions.unit import atomic
from tenancy.enums import WorkKind


class Command(BaseCommand):
    help = "Runs one pass over one object and tells its outcome."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", type=WorkKind, choices=list(wiring.PASSES))
        parser.add_argument("uid", type=UUID)

    def handle(self, *_args: Any, kind: WorkKind, uid: UUID, **_options: Any) -> None:  # noqa: ANN401 - Django's
        with atomic():
            work.request(kind, uid)
        outcome = wiring.run(kind, uid)
        if outcome is None:
            msg = "no pass was finished: it is leased to a worker, or it failed and is tried again (see the log)"
            raise CommandError(msg)
        self.stdout.write(repr(outcome))
