"""``manage.py alive relay|worker``: whether that process on this machine did something lately; for probes."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenancy.enums import ServiceKind
from tenancy.queries import services

LATELY: Final = timedelta(minutes=5)
"""Of several workers each is rung only now and then."""


class Command(BaseCommand):
    help = "Ends with status 1 when the process was not heard of for five minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", type=ServiceKind, choices=list(ServiceKind))

    def handle(self, *_args: Any, kind: ServiceKind, **_options: Any) -> None:  # noqa: ANN401 - Django's
        host = socket.gethostname()
        # Celery's own name for a worker.
        name = f"celery@{host}" if kind is ServiceKind.WORKER else host
        if not services.heard_of(kind, name, LATELY):
            msg = f"{kind.value} {name} did nothing for {LATELY.seconds // 60} minutes"
            raise CommandError(msg)
