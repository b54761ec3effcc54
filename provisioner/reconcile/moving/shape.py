"""The marks of pools on a node: read, compared and written without touching what others set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.ports import NODES
from provisioner.reconcile import nodes
from tenancy.rules.pools import PREFIX, Marks, wears

if TYPE_CHECKING:
    from provisioner.ports import Object
    from provisioner.reconcile.moving.scope import NodeScope
    from tenancy.rules.nodes import Taint


def ensure(scope: NodeScope, wanted: Marks) -> None:
    """Makes the node wear exactly these marks of ours; repeating changes nothing.

    The list of taints can only be replaced as a whole, so it is written over the very
    state that was read: whoever adds a taint meanwhile is not overruled.
    """
    seen = nodes.facts(scope.node)
    if not wears(seen.labels, seen.taints, wanted):
        scope.node = scope.kube.merge(NODES, scope.desired.name, patch(scope.node, wanted))


def patch(node: Object, wanted: Marks) -> Object:
    """What has to change of a node so that it wears these marks."""
    worn = [key for key in node["metadata"].get("labels") or {} if key.startswith(PREFIX)]
    others = [t for t in node.get("spec", {}).get("taints") or [] if not t["key"].startswith(PREFIX)]
    return {
        "metadata": {
            "resourceVersion": node["metadata"]["resourceVersion"],
            "labels": dict.fromkeys(worn) | dict(wanted.labels),
        },
        "spec": {"taints": [*others, *(_taint(taint) for taint in wanted.taints)]},
    }


def _taint(taint: Taint) -> Object:
    return {"key": taint.key, "value": taint.value, "effect": taint.effect}
