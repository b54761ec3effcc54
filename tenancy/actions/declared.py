"""Writing by PUT: one order of steps for all that is kept under a name of the writer's choice.

Lock, compare with what the writer believes, let the resource's own action do the work, keep the text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from tenancy.actions import audit
from tenancy.actions.unit import atomic
from tenancy.errors import NotFound
from tenancy.models.declared import Declared
from tenancy.rules.preconditions import ANYTHING, Expectation, etag, meet
from tenancy.rules.wishes import differences, echo

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

    from tenancy.policy import Actor

T = TypeVar("T", bound=Declared)
R = TypeVar("R")


@dataclass(frozen=True)
class Wish(Generic[T]):
    """Somebody's wish for one object."""

    by: Actor
    target: str
    """What audit rows call it, as ``tenants/blue``."""
    text: str
    """The spec, as written."""
    rows: Callable[[], QuerySet[T]]
    """The object, where it is there and the actor may see it; raises where they may see nothing of it."""
    write: Callable[[], object]
    """The action: checks the right, refuses, writes, audits, raises the generation where a value changes."""
    meaning: Callable[[T], dict[str, Any]]
    """The spec in force, as JSON, no field left out."""
    tenant: str = ""
    expect: Expectation = ANYTHING


@dataclass(frozen=True)
class Done(Generic[T]):
    """What a write did."""

    row: T
    before: dict[str, Any] | None
    """The spec as it was told; ``None`` where there was none."""
    after: dict[str, Any]
    changed: bool

    @property
    def created(self) -> bool:
        """Whether there was none before."""
        return self.before is None


@dataclass(frozen=True)
class Plan:
    """What a write would do."""

    action: str
    """``create``, ``update`` or ``none``."""
    changes: tuple[tuple[str, Any, Any], ...]
    """Path, old value, new value of each field that differs."""


class _Undone(Exception):
    def __init__(self, done: Done[Any]) -> None:
        super().__init__()
        self.done = done


@atomic
def put(wish: Wish[T]) -> Done[T]:
    """Creates or replaces; an equal spec changes nothing, and leaves no trace."""
    old = _locked(wish.rows())
    meet(wish.expect, etag_of(old) if old else None)
    before = echo(old.spec_text, old.spec_read, wish.meaning(old)) if old else None
    generation = old.generation if old else 0
    wish.write()
    row = wish.rows().get()
    if before is not None and row.generation == generation and before == json.loads(wish.text):
        return Done(row, before, before, changed=False)
    _keep(wish, row, generation, before)
    return Done(row, before, json.loads(wish.text), changed=True)


def plan(wish: Wish[Any]) -> Plan:
    """What ``put`` would do, found out by doing and undoing it: the same checks, the same refusals."""
    try:
        _try(wish)
    except _Undone as undone:
        done = undone.done
    if not done.changed:
        return Plan("none", ())
    return Plan("create" if done.created else "update", differences(done.before or {}, done.after))


@atomic
def delete(
    rows: QuerySet[T], remove: Callable[[], object], tell: Callable[[T], R], expect: Expectation = ANYTHING
) -> R:
    """Removes the object by its action and tells what it was; ``NotFound`` where it is not there."""
    old = _locked(rows)
    if old is None:
        remove()  # says best what is not there, or not allowed
        raise NotFound("there is nothing to delete")
    meet(expect, etag_of(old))
    last = tell(old)
    remove()
    return last


def etag_of(row: Declared) -> str:
    """The tag of its spec."""
    return etag(row.uid, row.generation)  # type: ignore[attr-defined] # each has a uid of its own


@atomic
def _try(wish: Wish[Any]) -> NoReturn:
    raise _Undone(put(wish))


def _locked(rows: QuerySet[T]) -> T | None:
    """Under lock, so that two editors are decided one after the other; references to it may be made meanwhile."""
    return rows.select_for_update(of=("self",), no_key=True).first()


def _keep(wish: Wish[T], row: T, generation: int, before: dict[str, Any] | None) -> None:
    row.spec_text, row.spec_read = wish.text, wish.meaning(row)
    if row.generation == generation:  # other words for the same: the tag changes with what is told
        row.generation += 1
        told = {
            path: {"from": old, "to": new} for path, old, new in differences(before, json.loads(wish.text))
        }
        audit.note(
            actor=wish.by.name, action="spec.respell", tenant=wish.tenant, target=wish.target, changes=told
        )
    row.save(update_fields=["spec_text", "spec_read", "generation"])
