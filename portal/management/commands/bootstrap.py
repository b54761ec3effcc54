"""Makes what a first start needs: an admin, a host and, for trying things out, a demo tenant. Safe to repeat."""

from __future__ import annotations

import argparse
import secrets
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from portal import credentials
from tenancy.actions import clusters, members, tenants, tokens, users, work
from tenancy.actions.unit import atomic
from tenancy.enums import PlatformRole, Role, WorkKind
from tenancy.policy import Actor
from tenancy.queries import hosts as host_queries
from tenancy.queries import tenants as tenant_queries
from tenancy.queries import tokens as token_queries
from tenancy.queries import users as user_queries

ADMIN = "admin"
DEMO = "demo"
FIRST = "first"


class Command(BaseCommand):
    """``manage.py bootstrap [--demo] [--host NAME …]``; passwords and tokens go to files only we may read."""

    help = "Make the first admin and, with --demo, tenant 'demo' with member 'demo' and cluster 'demo/first'."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Whether the demo is wanted; what follows ``--host`` goes to ``register_host``."""
        parser.add_argument("--demo", action="store_true")
        parser.add_argument("--host", nargs=argparse.REMAINDER, default=[])

    def handle(self, *_: Any, demo: bool, host: list[str], **__: Any) -> None:  # noqa: ANN401 - Django's signature
        """Makes what is missing and leaves the rest alone."""
        admin = self._person(ADMIN, PlatformRole.ADMIN)
        self._token(admin, None)
        if host:  # before the first cluster, which needs one to go to
            call_command("register_host", *host, stdout=self.stdout)
        self._look_anew(admin)
        if demo:
            member = self._person(DEMO, PlatformRole.NONE)
            self._tenant(admin, member)
            self._token(member, DEMO)

    @staticmethod
    def _look_anew(admin: Actor) -> None:
        """What was seen before a stop may be so no longer."""
        work.request_all(WorkKind.HOST, [host.uid for host in host_queries.visible_to(admin)])
        work.resync(WorkKind.CLUSTER)

    def _person(self, username: str, role: PlatformRole) -> Actor:
        user = user_queries.find(username)
        if user is None:
            password = secrets.token_urlsafe(12)
            # The file first: a password that nobody knows would be worse than one that opens nothing.
            credentials.keep_password(settings.ATOLL_HOME, username, password)
            user = users.create(username=username, password=password, platform_role=role)
            self.stdout.write(f"made user {username}")
        return Actor(user)

    @atomic
    def _tenant(self, admin: Actor, member: Actor) -> None:
        """All of it or nothing; a demo cluster that somebody deleted later stays deleted."""
        if tenant_queries.visible_to(admin).filter(name=DEMO).exists():
            return
        tenants.create(by=admin, name=DEMO, display_name="Demo")
        members.put(by=admin, tenant=DEMO, username=member.name, role=Role.MEMBER)
        clusters.put(by=member, tenant_name=DEMO, name=FIRST, spec_text="{}")
        self.stdout.write(f"made tenant {DEMO} and cluster {DEMO}/{FIRST}")

    def _token(self, by: Actor, tenant: str | None) -> None:
        path = settings.ATOLL_HOME / f"{by.name}.token"
        found = token_queries.authenticate(path.read_text().strip()) if path.exists() else None
        if found and (tenant or found[0].decides):  # those of older releases decide nothing
            return
        make = partial(tokens.create, tenant=tenant) if tenant else tokens.create_lasting
        _, raw = make(by=by, name="made by atoll up")
        credentials.write(path, raw + "\n")
        self.stdout.write(f"made token {path.name}")
