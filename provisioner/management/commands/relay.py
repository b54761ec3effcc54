"""``manage.py relay``: rings the workers for what is due, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from provisioner.relay import Bell, Relay


class Command(BaseCommand):
    help = "Rings the workers for what is due; stops on SIGTERM."

    def handle(self, *_args: Any, **_options: Any) -> None:  # noqa: ANN401 - Django's signature
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Relay(Bell()).run(stop)
