"""What is written by PUT under a key of the client's: each such resource is a ``DeclaredResource``.

It says where its objects are, what its serializer is, and which action writes and which removes one.
Everything that tools rely on is here, once: docs/api.md tells how to add one.
"""

from __future__ import annotations

import json
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.utils.encoding import escape_uri_path
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from portal.api.base import Operation, agree
from portal.api.preconditions import expectation
from portal.api.serializers.declared import Plan, PutQuery
from portal.api.serializers.waiting import WaitQuery
from portal.api.single import Single, looked_at_again
from tenancy.actions import declared
from tenancy.errors import NotFound
from tenancy.models.declared import Declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response

    from portal.api.serializers.declared import DeclaredSerializer

T = TypeVar("T", bound=Declared)
Kind = type[serializers.Serializer[Any]]
Answers = dict[int, Kind | PolymorphicProxySerializer]


def reads(name: str, kind: Kind, **more: Any) -> Operation:  # noqa: ANN401 - of ``Operation``
    """The GET of such a resource."""
    return Operation(name, {200: kind}, **more)


def writes(name: str, kind: Kind, *, plan: Kind = Plan, **more: Any) -> Operation:  # noqa: ANN401
    """The PUT of such a resource: creates, replaces or plans."""
    answers: Answers = {200: _or_plan(kind, plan), 201: kind}
    return Operation(name, answers, body=kind, query=PutQuery, conditional=True, problems=(409,), **more)


def removes(name: str, kind: Kind, **more: Any) -> Operation:  # noqa: ANN401
    """The DELETE of such a resource, which is gone at once, so that nobody has to wait however long they would."""
    return Operation(name, {200: kind}, query=WaitQuery, conditional=True, problems=(409,), **more)


@lru_cache
def _or_plan(kind: Kind, plan: Kind) -> PolymorphicProxySerializer:
    return PolymorphicProxySerializer(f"{kind.__name__}Or{plan.__name__}", [kind, plan], None)


class DeclaredResource(Single, Generic[T]):
    """One object of a kind; ``named`` are the parts of its address."""

    kind: ClassVar[type[DeclaredSerializer]]
    keys: ClassVar[Mapping[str, str]] = {}
    """Member of the metadata → part of the address that it repeats."""

    # What subclasses define takes the parts of the address by name.
    def rows(self, *_: Any, **named: Any) -> QuerySet[T]:  # noqa: ANN401
        """The one object, where it exists and the actor may see it; raises where they may see nothing of it."""
        raise NotImplementedError

    def write(self, *_: Any, **named: Any) -> object:  # noqa: ANN401
        """One call of an action, with ``self.body``."""
        raise NotImplementedError

    def remove(self, *_: Any, **named: Any) -> object:  # noqa: ANN401
        """One call of an action."""
        raise NotImplementedError

    def missing(self, *_: Any, **named: Any) -> str:  # noqa: ANN401
        """What a 404 says."""
        return f"there is no {' of '.join(repr(part) for part in reversed(named.values()))}"

    def found(self, **named: str) -> T:
        """The one of ``rows``."""
        found = self.rows(**named).first()
        if found is None:
            raise NotFound(self.missing(**named))
        return found

    def written(self, request: Request, **named: str) -> Response:
        """The answer to PUT: 201 for a new object, 200 for a changed or equal one, or a plan."""
        sent: dict[str, Any] = request.data  # type: ignore[assignment] # the serializer has seen an object
        self._agree(sent.get("metadata") or {}, named)
        if self.query["dry_run"]:
            return self.planned(request, **named)
        done = declared.put(self._wish(request, named))
        headers = looked_at_again(done.row) if done.changed else {}
        if done.created:
            headers["Location"] = escape_uri_path(request.path.rstrip("/"))
        return self.answer(self.kind, done.row, status=201 if done.created else 200, headers=headers)

    def planned(self, request: Request, *_: Any, **named: Any) -> Response:  # noqa: ANN401
        """The answer to PUT with ``dry_run``; for those whose plan tells of more than the spec."""
        return self.answer(Plan, declared.plan(self._wish(request, named)))

    def removed(self, request: Request, **named: str) -> Response:
        """The answer to DELETE: what it was; asked again, 404."""
        return declared.delete(
            self.rows(**named),
            partial(self.remove, **named),
            partial(self.answer, self.kind),
            expectation(request),
        )

    def _wish(self, request: Request, named: dict[str, str]) -> declared.Wish[T]:
        sent: dict[str, Any] = request.data  # type: ignore[assignment] # the serializer has seen an object
        return declared.Wish(
            by=self.actor,
            target=request.path.strip("/").removeprefix("api/v1/"),
            tenant=named.get("tenant", ""),
            text=json.dumps(sent["spec"], ensure_ascii=False),
            rows=partial(self.rows, **named),
            write=partial(self.write, **named),
            meaning=self.kind.meaning,
            expect=expectation(request),
        )

    def _agree(self, metadata: Mapping[str, Any], named: Mapping[str, str]) -> None:
        for member, part in self.keys.items():
            agree(metadata.get(member), named[part], f"metadata.{member}")
