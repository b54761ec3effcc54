"""A host with one node that tenants used, and its controllers and kubelet, moved on by ``tick``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from provisioner.ports import CLAIMS, CONFIG_MAPS, NAMESPACES, NODES, PODS, VOLUMES
from provisioner.reconcile.moving import wiping
from tests.fakes.kube import Store
from tests.fakes.world import Crash

PLATFORM = "registry.example/platform:1"
SECRET = "registry.example/acme/secret:1"


@dataclass
class NodeHost:
    """What is on the disk of the node is in ``disk``; the API tells of it what a host's would."""

    store: Store = field(default_factory=Store)
    disk: set[str] = field(default_factory=lambda: {"file", "volume", SECRET})
    stubborn: set[str] = field(default_factory=set)
    """What no wipe removes."""
    answers: bool = True
    crash_at: int = 0
    points: int = 0
    dead: bool = False

    def __post_init__(self) -> None:
        node = {
            "metadata": {"name": "blue", "uid": "uid-blue", "labels": {"kubernetes.io/hostname": "blue"}},
            "spec": {"taints": [{"key": "example.com/theirs", "value": "x", "effect": "NoSchedule"}]},
        }
        self.store.put(NODES, node)
        for name in ("atoll-acme-first-1", "atoll-node-wipe", "kube-system"):
            self.store.put(NAMESPACES, {"metadata": {"name": name}})
        self.store.put(
            CONFIG_MAPS,
            {"metadata": {"name": "wipe", "namespace": "atoll-node-wipe"}, "data": {"image": "tools:1"}},
        )
        self.pod("web", "atoll-acme-first-1")
        self.pod("proxy", "kube-system")
        self._tell()

    def point(self) -> None:
        """A place between two effects, where the worker may die."""
        self.points += 1
        if self.points == self.crash_at:
            self.dead = True
        if self.dead:
            raise Crash

    def pod(self, name: str, namespace: str) -> None:
        metadata = {"name": name, "namespace": namespace}
        self.store.put(PODS, {"metadata": metadata, "spec": {"nodeName": "blue"}})

    def volume(
        self, claim: str = "data", namespace: str = "atoll-acme-first-1", *, policy: str = "Delete"
    ) -> None:
        terms = [
            {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["blue"]}]}
        ]
        spec = {
            "claimRef": {"namespace": namespace, "name": claim},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
            "persistentVolumeReclaimPolicy": policy,
            "local": {"path": f"/volumes/{claim}"},
        }
        self.store.put(
            VOLUMES, {"metadata": {"name": f"pv-{claim}"}, "spec": spec, "status": {"phase": "Bound"}}
        )
        self.store.put(CLAIMS, {"metadata": {"name": claim, "namespace": namespace}})

    @property
    def node(self) -> Any:
        return self.store.seen(NODES, "blue")

    def taints(self) -> set[str]:
        return {f"{t['key']}={t['value']}:{t['effect']}" for t in self.node["spec"]["taints"]}

    def tick(self) -> None:
        """Taint eviction, reclaiming of volumes, the kubelet running the wipe and telling of its images."""
        fenced = any(t["effect"] == "NoExecute" for t in self.node["spec"]["taints"])
        for _, namespace, name in [k for k in self.store.objects if k[0] == "pods"]:
            if namespace == "atoll-node-wipe":
                self._wipe(name)
            elif fenced and self.answers and namespace.startswith("atoll-"):
                self.store.drop(PODS, name, namespace)
        for name in self.store.names(VOLUMES):
            claim = self.store.objects[("persistentvolumes", "", name)]["spec"]["claimRef"]
            if self.store.seen(CLAIMS, claim["name"], claim["namespace"]) is None:
                self.store.drop(VOLUMES, name)
        self._tell()

    def _wipe(self, name: str) -> None:
        pod = self.store.seen(PODS, name, "atoll-node-wipe")
        if pod is None or pod.get("status"):
            return
        tenants = [k for k in self.store.objects if k[0] == "pods" and k[1].startswith("atoll-acme")]
        assert not tenants, "wiped under a tenant's pod"
        gone = self.disk - self.stubborn
        self.disk -= gone
        left = sorted(self.disk)
        said = {
            **{kind: {"removed": 0, "left": []} for kind in wiping._KINDS},
            "images": {"removed": len(gone), "left": left, "kept": [PLATFORM], "untold": 0},
        }
        ended = {"terminated": {"exitCode": 0, "message": json.dumps(said)}}
        pod["status"] = {"phase": "Succeeded", "containerStatuses": [{"name": "wipe", "state": ended}]}
        self.store.put(PODS, pod)

    def _tell(self) -> None:
        images = [{"names": [PLATFORM]}, *([{"names": [SECRET]}] if SECRET in self.disk else [])]
        conditions = [{"type": "Ready", "status": "True" if self.answers else "Unknown"}]
        wanted = {"images": images, "conditions": conditions}
        if self.node.get("status") != wanted:
            self.store.put(NODES, {**self.node, "status": wanted})
