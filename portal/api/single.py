"""One object with an address of its own: how it is read, and whether it is as it is wanted.

``…/ready`` below the address of each is made from its view, here, once: who waits need not know what for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from portal.api.base import Operation, Resource
from portal.api.errors import problem
from portal.api.preconditions import expectation
from portal.api.scopes import DECLARED
from portal.api.serializers.waiting import WaitQuery
from portal.api.waiting import NOT_YET, WAIT, Wait, look_until_told, patient
from tenancy.enums import Outlook
from tenancy.queries import readiness
from tenancy.rules.preconditions import meet

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.serializers import Serializer

AT_ONCE: Final = "It is in force as soon as it is written, so that this answers 200 wherever a GET does."
_ABOUT: Final = """Tells whether it is as it is wanted now: 200, or 503 while that takes its time.

409 says that waiting is in vain. With `wait=30s` the answer comes when there is one other than 503, or then.
{}"""


class Single(Resource):
    """A view of one object."""

    kind: ClassVar[type[Serializer[Any]]]
    readiness: ClassVar[str] = AT_ONCE
    """What 200, 503 and 409 mean for it, for readers of the OpenAPI document."""

    # What subclasses define takes the parts of the address by name.
    def found(self, *_: Any, **named: Any) -> Any:  # noqa: ANN401 - a model
        """The object, as far as the actor may see it; raises ``NotFound``."""
        raise NotImplementedError

    def shown(self, found: Any) -> Response:  # noqa: ANN401 - a model
        """What GET answers."""
        return self.answer(self.kind, found)

    def told(self, **named: Any) -> Response:  # noqa: ANN401 - parts of the address
        """The answer to GET."""
        return self.shown(self.found(**named))

    def last(self, request: Request, found: Any) -> Response:  # noqa: ANN401 - a model
        """The answer to DELETE, before it is done: what it was; raises 412 where ``If-Match`` names something else."""
        told = self.shown(found)
        meet(expectation(request), told["ETag"])
        return told

    def awaited(self, request: Request, **named: Any) -> Response:  # noqa: ANN401 - parts of the address
        """The answer to GET of ``…/ready``."""
        found = self.found(**named)
        seen = readiness.of(found)
        if seen.outlook is Outlook.READY:
            return self.shown(found)
        told = partial(problem, detail=seen.why, code=seen.outlook.value, phase=seen.phase)
        if seen.outlook is Outlook.IN_VAIN:
            return told(409)
        request.META[WAIT] = Wait(type(found), found.uid, seen.phase, self.query["wait"])
        return told(NOT_YET, headers=looked_at_again(found))


def looked_at_again(row: Any) -> dict[str, str]:  # noqa: ANN401 - a model
    """``Retry-After`` for the answer to a write of what takes its time."""
    seen = readiness.of(row)
    return {"Retry-After": str(seen.again)} if seen.outlook is Outlook.NOT_YET else {}


def ready(view: type[Single]) -> type[Resource]:
    """The view of ``…/ready`` below the address of an object."""
    reading: Operation = getattr(view.get, DECLARED)  # type: ignore[attr-defined] # each is read
    asking = Operation(
        f"{reading.name}Ready", reading.answers, query=WaitQuery, problems=(409,), scope=reading.scope
    )

    def get(self: Single, request: Request, **named: Any) -> Response:  # noqa: ANN401
        return self.awaited(request, **named)

    get.__doc__ = _ABOUT.format(view.readiness)

    class Ready(view):  # type: ignore[valid-type,misc] # one for each
        http_method_names = ("get", "head")

        @classmethod
        def as_view(cls, **initkwargs: Any) -> Any:  # noqa: ANN401 - DRF's signature
            """Looked at again and again while the caller waits; whatever else the object's own view does of the kind."""
            return patient(super(Single, cls).as_view(**initkwargs), look_until_told)  # type: ignore[misc] # as above

    Ready.__name__ = Ready.__qualname__ = f"{view.__name__}Ready"
    setattr(Ready, "get", asking(get))  # noqa: B010 - mypy knows of no get
    return Ready
