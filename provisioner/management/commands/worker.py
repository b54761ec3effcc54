"""``manage.py worker``: does the passes, in child processes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from provisioner.celery import QUEUE, app


class Command(BaseCommand):
    help = "Does the passes; SIGTERM lets those under way end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=4, help="passes at the same time")

    def handle(self, *_args: Any, concurrency: int, **_options: Any) -> None:  # noqa: ANN401 - Django's
        app.worker_main(
            [
                "worker",
                "--pool=prefork",
                f"--concurrency={concurrency}",
                f"--queues={QUEUE}",
                # The one who started us sees our log; what gossip and mingling say is of no use.
                "--loglevel=WARNING",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ]
        )
