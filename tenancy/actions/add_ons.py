"""What admins do to the catalogue of add-ons."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Final

from tenancy import policy
from tenancy.actions import audit, removed_versions
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.errors import Immutable, InUse, NotFound, refuse
from tenancy.models import AddOnVersion
from tenancy.queries import add_ons
from tenancy.rules import versions
from tenancy.rules.add_ons import check
from tenancy.rules.names import name_errors

if TYPE_CHECKING:
    from tenancy.policy import Actor

NAME_MAX: Final = 40


@atomic
def publish(*, by: Actor, name: str, version: str, text: str) -> tuple[AddOnVersion, bool]:
    """Publishes a version, or changes its description; True when it is new. Its manifests are for ever."""
    policy.check(by, Permission.TEMPLATE_MANAGE)
    row, action = _planned(by, name, version, text)
    if action == "none":
        return row, False
    row.spec_text, row.generation = text, row.generation + 1
    row.save()
    _note(by, "add-on.publish" if action == "create" else "add-on.describe", row)
    return row, action == "create"


@atomic
def plan(*, by: Actor, name: str, version: str, text: str) -> str:
    """What ``publish`` would do (``create``, ``update``, ``none``), with the same checks and no effect; so nobody is asked who they are."""
    policy.check_look(by, Permission.TEMPLATE_MANAGE)
    return _planned(by, name, version, text)[1]


def _planned(by: Actor, name: str, version: str, text: str) -> tuple[AddOnVersion, str]:
    """The row as it is, or a new one, and what is to be done with it."""
    refuse(name_errors("metadata.name", name, longest=NAME_MAX))
    number = versions.to_publish(version)
    data = json.loads(text)
    check(data)
    row = add_ons.of(name, version).select_for_update().first()
    if row is None:
        removed_versions.refuse_other(_home(name), str(number), data["manifests"])
        parts = {"major": number.major, "minor": number.minor, "patch": number.patch}
        return AddOnVersion(name=name, **parts, created_by=by.name, generation=0), "create"
    before = json.loads(row.spec_text)
    if before["manifests"] != data["manifests"]:
        msg = f"add-on {row} is published, and what is published never changes: publish another version"
        raise Immutable(msg)
    return row, "none" if before == data else "update"


@atomic
def delete(*, by: Actor, name: str, version: str) -> None:
    """Removes a version that no cluster and no template names; its number may come back with the same content alone."""
    policy.check(by, Permission.TEMPLATE_MANAGE)
    row = add_ons.of(name, version).select_for_update().first()
    if row is None:
        raise NotFound(missing(name, version))
    some = list(islice(add_ons.users(row), 5))
    if some:
        raise InUse(f"add-on {row} is named by {', '.join(some)}: give these another first", some)
    removed_versions.remember(by, _home(name), row.version, json.loads(row.spec_text)["manifests"])
    _note(by, "add-on.delete", row)
    row.delete()


def _home(name: str) -> str:
    return f"add-on/{name}"


def missing(name: str, version: str) -> str:
    """What is said of one that was not published."""
    return f"add-on {name!r} has no version {version!r}"


def _note(by: Actor, action: str, row: AddOnVersion) -> None:
    audit.note(actor=by.name, action=action, target=f"add-on/{row.name}/version/{row.version}")
