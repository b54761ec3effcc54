"""Tells Atoll of a host cluster, from the machine's own command line. Safe to repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from tenancy.actions import hosts
from tenancy.actions.unit import atomic
from tenancy.enums import Exposure
from tenancy.errors import DomainError
from tenancy.policy import Actor
from tenancy.queries import users

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """``manage.py register_host NAME --kubeconfig file:/path …``, in the name of the first admin."""

    help = "Register a host cluster or change its registration."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """See ``tenancy.rules.specs.HostAccess`` for what each means."""
        parser.add_argument("name")
        parser.add_argument("--kubeconfig", required=True, help="file:/path, env:NAME or in-cluster")
        parser.add_argument(
            "--exposure", choices=[e.value for e in Exposure], default=Exposure.CLUSTER_IP.value
        )
        parser.add_argument("--client-cidr", action="append", default=[])
        parser.add_argument("--control-plane-selector", action="append", default=[], metavar="LABEL=VALUE")
        parser.add_argument("--workload-selector", action="append", default=[], metavar="LABEL=VALUE")
        parser.add_argument("--progress-file", default="")
        parser.add_argument("--audit-log", default="", help="file:/path, as the workers read it")
        parser.add_argument("--check", action="store_true", help="only tell whether it could be done")

    @atomic
    def handle(self, *_: Any, name: str, check: bool, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Raises CommandError that names each fault."""
        admin = users.first_admin()
        if admin is None:
            raise CommandError("there is no admin yet: make one with ./atoll admin create NAME")
        try:
            done = hosts.put(by=Actor(admin), name=name, registration=_registration(options))
        except DomainError as error:
            raise CommandError(error.detail) from error
        if check:
            transaction.set_rollback(True)
            return
        self.stdout.write(f"host {name}: {'registered' if done[1] else 'up to date'}")


def _registration(options: dict[str, Any]) -> hosts.HostRegistration:
    return hosts.HostRegistration(
        kubeconfig=options["kubeconfig"],
        exposure=Exposure(options["exposure"]),
        client_cidrs=tuple(options["client_cidr"]),
        control_plane_selector=_labels(options["control_plane_selector"]),
        workload_selector=_labels(options["workload_selector"]),
        progress_file=options["progress_file"],
        audit_log=options["audit_log"],
    )


def _labels(given: list[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        label, equals, value = text.partition("=")
        if not (label and equals):
            raise CommandError(f"{text!r}: give LABEL=VALUE")
        pairs[label] = value
    return pairs
