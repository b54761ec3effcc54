"""Puts a cluster to sleep and wakes it: two changes of its spec, for those who write no specs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tenancy.actions import clusters as verbs
from tenancy.actions.unit import atomic
from tenancy.queries import clusters
from tenancy.rules.preconditions import Expectation

if TYPE_CHECKING:
    from tenancy.actions.clusters import PutResult
    from tenancy.models import VirtualCluster
    from tenancy.policy import Actor

PAUSED: Final = "paused"
RELEASE: Final = "releaseAcceleratorsWhilePaused"


def pause(*, by: Actor, tenant_name: str, name: str, release: bool | None = None) -> PutResult:
    """To sleep; ``release`` says whether its accelerators go back meanwhile, None leaves that as its spec has it."""
    cluster = clusters.get(by, tenant_name, name)
    told = {PAUSED: True} if release is None else {PAUSED: True, RELEASE: release}
    return _put(by, cluster, told)


def resume(*, by: Actor, tenant_name: str, name: str) -> PutResult:
    """Awake: accelerators that it gave back are asked for again."""
    return _put(by, clusters.get(by, tenant_name, name), {PAUSED: False})


@atomic
def _put(by: Actor, cluster: VirtualCluster, told: dict[str, bool]) -> PutResult:
    """The spec with these words; all else of it stays as it was written. Whoever changes it meanwhile goes first."""
    spec = json.loads(cluster.spec_text) or {}
    for key, value in told.items():
        _say(spec, key, value, templated=cluster.template_version_id is not None)
    return verbs.put(
        by=by,
        tenant_name=cluster.tenant.name,
        name=cluster.name,
        spec_text=json.dumps(spec, ensure_ascii=False),
        expect=Expectation(etags=frozenset({verbs.etag(cluster)})),
    )


def _say(spec: dict[str, Any], key: str, value: bool, *, templated: bool) -> None:  # noqa: FBT001 - of the spec
    """What is false goes without saying, unless a template might say otherwise."""
    if value or templated:
        spec[key] = value
    else:
        spec.pop(key, None)
