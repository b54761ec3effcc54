"""Which scope a token needs for an operation: declared with it, else named after resource and method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from portal.api.base import Operation, Resource

DECLARED: Final = "declared"
"""Attribute of a handler: its ``Operation``."""
_READS: Final = frozenset({"GET", "HEAD"})


def needed(view: Resource, method: str) -> Scope | None:
    """The scope; ``None`` for what needs none, and for methods that there are not.

    Raises ``LookupError`` for an operation nobody gave a scope, so that it is never open by mistake.
    """
    handler = getattr(view, method.lower(), None) if method.lower() in view.http_method_names else None
    if handler is None:
        return None
    declared: Operation | None = getattr(handler, DECLARED, None)
    if declared is not None and (declared.open or declared.any_token):
        return None
    if declared is not None and declared.scope is not None:
        return declared.scope
    word = f"{view.resource or view.tag}:{'read' if method in _READS else 'write'}"
    if word not in set(Scope):
        msg = f"{type(view).__name__}.{method.lower()} needs a scope: name one in @operation, or add {word!r} to Scope"
        raise LookupError(msg)
    return Scope(word)
