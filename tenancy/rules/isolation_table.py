"""Which tenant may run its pods how: trust by isolation model by sandbox profile, in one table.

Two rules made it: an untrusted tenant shares a kernel with no other tenant, and its pods are
never without a sandbox, for what breaks out of a container owns the node's credentials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenancy.enums import IsolationModel, Sandbox, Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVERY: Final = frozenset(Sandbox)

ALLOWED: Final[Mapping[tuple[Trust, IsolationModel], frozenset[Sandbox]]] = {
    (Trust.UNTRUSTED, IsolationModel.SHARED): frozenset({Sandbox.GVISOR, Sandbox.KATA}),
    (Trust.UNTRUSTED, IsolationModel.DEDICATED_POOL): _EVERY - {Sandbox.NONE},
    (Trust.TRUSTED, IsolationModel.SHARED): _EVERY,
    (Trust.TRUSTED, IsolationModel.DEDICATED_POOL): _EVERY,
}


def refusal(trust: Trust, model: IsolationModel, sandbox: Sandbox) -> str:
    """Why this tenant may not have this; empty when it may."""
    if sandbox in ALLOWED[trust, model]:
        return ""
    if sandbox is Sandbox.NONE:
        return "'none' is for trusted tenants only"
    return (
        f"{sandbox.value!r} leaves pods on the node's kernel, which an untrusted tenant shares with nobody,"
        " so it takes a node pool of the tenant's own"
    )
