"""A node on its way from one tenant to another: in order, whatever dies in between."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from provisioner.outcomes import Done, Fault, Transient, Wait
from provisioner.ports import CLAIMS, CONFIG_MAPS, NODES, PODS, VOLUMES, Busy, Refused
from provisioner.reconcile.moving import passing
from provisioner.reconcile.moving.scope import NodeScope
from tenancy.enums import PoolKind, Reason, StepState
from tenancy.rules.moves import DesiredMove, DesiredNode, NodeObservation
from tenancy.rules.pools import MOVING, POOL, TENANT, Pool
from tests.fakes.kube import FakeKube
from tests.fakes.node_host import PLATFORM, SECRET, NodeHost
from tests.fakes.world import Crash, FakeGuard
from tests.provisioner.harness import HOST

THEIRS = "example.com/theirs=x:NoSchedule"
GOLD = Pool("gold", PoolKind.DEDICATED, tenant="other", tenant_uid=UUID(int=7))
NAMESPACES_OF_TENANTS = ("atoll-acme-first-1", "atoll-gone-x-2")
MOVE = DesiredMove(UUID(int=1), wipe=True, clear=True, discard_volumes=False)
WANTED = DesiredNode(
    UUID(int=2), "blue", HOST, GOLD, holder="acme", move=MOVE, namespaces=NAMESPACES_OF_TENANTS
)


@dataclass
class Crew:
    """The node's row, its passes, and the host they run on."""

    host: NodeHost = field(default_factory=NodeHost)
    wanted: DesiredNode = WANTED
    seen: NodeObservation | None = None
    overtaken: bool = False
    given_at: frozenset[str] | None = None
    """What was on the disk when the node became the next holder's."""

    def once(self):
        kube = FakeKube(self.host.store, FakeGuard(), point=self.host.point)
        scope = NodeScope(
            desired=self.wanted,
            kube=kube,
            guard=FakeGuard(),
            now=lambda: datetime.now(UTC),
            publish=self._keep,
            commit=self._give,
        )
        try:
            return passing.reconcile(scope)
        except Fault as fault:
            return fault

    def until_done(self, passes=30):
        for _ in range(passes):
            outcome = self.once()
            if self.wanted.move is None:
                return
            self.host.tick()
        raise AssertionError(f"not there after {passes} passes: {outcome}")

    def _keep(self, seen):
        self.host.point()
        self.seen = seen
        move = None if seen.done else replace(self.wanted.move, evidence=seen.evidence)
        self.wanted = replace(self.wanted, move=move)
        self.host.point()
        return True

    def _give(self, move):
        self.host.point()
        if self.overtaken:
            return False
        self.given_at = frozenset(self.host.disk)
        moved = replace(move, wipe=False, handed_over=True, evidence=self.wanted.move.evidence)
        self.wanted = replace(self.wanted, holder="other", move=moved)
        self.host.point()
        return True

    def step(self, name):
        return next(s for s in self.seen.steps if s.name == name)


@pytest.fixture
def crew():
    return Crew()


def test_an_error_that_nobody_foresaw_is_told_with_its_step_and_tried_again(crew):
    broken = [True]
    crew.host.store.refuse = lambda _verb, key: ValueError("odd") if key[0] == "pods" and broken else None
    fault = crew.once()
    assert isinstance(fault, Transient)
    assert (crew.step("Pods").state, crew.step("Pods").message) == (StepState.RUNNING, fault.message)
    assert "nobody foresaw (ValueError)" in fault.message
    broken.clear()
    crew.until_done()


def assert_given_clean(crew):
    assert crew.given_at == frozenset()
    assert {k: v for k, v in crew.host.node["metadata"]["labels"].items() if "restriction" in k} == {
        POOL: "gold",
        TENANT: "other",
    }
    assert crew.host.taints() == {THEIRS, f"{POOL}=gold:NoExecute"}
    assert crew.host.store.names(PODS) == ["proxy"]


def test_a_node_is_emptied_wiped_looked_at_and_given(crew):
    crew.host.volume("old", "atoll-gone-x-2")
    crew.host.store.drop(CLAIMS, "old", "atoll-gone-x-2")
    crew.until_done()
    assert_given_clean(crew)
    evidence = crew.seen.evidence
    assert evidence["before"]["images"] == [PLATFORM, SECRET]
    assert evidence["after"]["images"] == [PLATFORM]
    assert evidence["report"]["images"]["removed"] == 3
    assert [s.state for s in crew.seen.steps] == ["done"] * len(crew.seen.steps)


def tell_of_another_image(crew):
    """Passes while the kubelet tells of an image that the wipe does not know."""
    for _ in range(6):
        outcome = crew.once()
        crew.host.tick()
        images = [{"names": [PLATFORM]}, {"names": ["x/y:1"]}]
        crew.host.store.put(NODES, {**crew.host.node, "status": {"images": images}})
    return outcome


def test_it_is_fenced_before_anything_else(crew):
    outcome = crew.once()
    assert isinstance(outcome, Wait)
    assert crew.host.taints() == {THEIRS, f"{MOVING}=true:NoExecute"}
    assert "atoll-acme-first-1/web" in outcome.message
    assert (crew.step("Pods").state, crew.step("Wipe").state) == ("running", "pending")
    assert crew.host.disk == {"file", "volume", SECRET}


def test_a_worker_may_die_anywhere(crew):
    crew.host.volume("old", "atoll-gone-x-2")
    crew.host.store.drop(CLAIMS, "old", "atoll-gone-x-2")
    crew.until_done()
    points = crew.host.points
    assert points > 12
    for point in range(1, points + 1):
        again = Crew(NodeHost(crash_at=point))
        again.host.volume("old", "atoll-gone-x-2")
        again.host.store.drop(CLAIMS, "old", "atoll-gone-x-2")
        with pytest.raises(Crash):
            again.until_done()
        again.host.dead = False
        if again.wanted.move is not None:
            again.until_done()
        assert_given_clean(again)


def test_a_living_claim_is_waited_for_by_name(crew):
    crew.host.volume("data")
    for _ in range(5):
        outcome = crew.once()
        crew.host.tick()
    assert (outcome.reason, crew.given_at) == (Reason.CONFLICT, None)
    assert "atoll-acme-first-1/data" in outcome.message
    assert "discardVolumes" in outcome.message
    crew.wanted = replace(crew.wanted, move=replace(crew.wanted.move, discard_volumes=True))
    crew.until_done()
    assert_given_clean(crew)
    assert crew.host.store.names(VOLUMES) == []


def test_a_control_planes_store_is_never_discarded(crew):
    crew.host.volume("data-cluster-0")
    crew.wanted = replace(crew.wanted, move=replace(MOVE, discard_volumes=True))
    crew.once()
    crew.host.tick()
    outcome = crew.once()
    assert "control plane of atoll-acme-first-1" in outcome.message
    assert crew.host.store.names(CLAIMS) == ["data-cluster-0"]


def test_a_retained_volume_is_an_admins(crew):
    crew.host.volume("kept", "atoll-gone-x-2", policy="Retain")
    crew.once()
    crew.host.tick()
    assert "Retain" in crew.once().message


def test_volumes_of_the_hosts_own_stay_and_the_wipe_is_told(crew):
    crew.host.volume("metrics", "monitoring")
    crew.once()
    crew.host.tick()
    crew.once()
    (pod,) = [o for k, o in crew.host.store.objects.items() if k[:2] == ("pods", "atoll-node-wipe")]
    assert pod["spec"]["containers"][0]["env"][1]["value"] == "/volumes/metrics"
    crew.until_done()
    assert crew.host.store.names(VOLUMES) == ["pv-metrics"]


def test_what_a_wipe_leaves_keeps_the_node_back(crew):
    crew.host.stubborn = {"volume"}
    told = []
    for _ in range(12):
        told.append(crew.once().message)
        crew.host.tick()
    assert any("left after a wipe" in message and "volume" in message for message in told)
    assert crew.given_at is None
    crew.host.stubborn = set()
    crew.until_done()
    assert_given_clean(crew)


def test_the_hosts_own_word_counts_beside_the_report(crew):
    outcome = tell_of_another_image(crew)
    assert "still tells of the image x/y:1" in outcome.message
    assert crew.given_at is None


def test_a_node_that_does_not_answer_is_named(crew):
    crew.host.answers = False
    crew.host.tick()
    outcome = crew.once()
    assert "does not answer" in outcome.message
    assert outcome.after >= 5


def test_a_node_that_is_gone_is_waited_for(crew):
    node = crew.host.node
    crew.host.store.drop(NODES, "blue")
    assert "has no node 'blue' now" in crew.once().message
    crew.host.store.put(NODES, node)
    crew.until_done()
    assert_given_clean(crew)


def test_a_node_made_anew_after_its_wipe_is_wiped_again(crew):
    tell_of_another_image(crew)
    assert crew.wanted.move.evidence["report"]["nodeUid"] == "uid-blue"
    crew.host.disk.add(SECRET)
    fresh = {
        "metadata": {"name": "blue", "uid": "uid-other", "labels": {}},
        "spec": {"taints": [{"key": "example.com/theirs", "value": "x", "effect": "NoSchedule"}]},
    }
    crew.host.store.drop(NODES, "blue")
    for name in crew.host.store.names(PODS, "atoll-node-wipe"):  # as the host's collector of pods does
        crew.host.store.drop(PODS, name, "atoll-node-wipe")
    crew.host.store.put(NODES, fresh)
    crew.host.tick()
    crew.until_done()
    assert_given_clean(crew)


def test_a_host_without_the_wipe_is_told(crew):
    crew.host.store.drop(CONFIG_MAPS, "wipe", "atoll-node-wipe")
    crew.once()
    crew.host.tick()
    outcome = crew.once()
    assert (outcome.reason, crew.given_at) == (Reason.HOST_MISCONFIGURED, None)


def test_a_move_that_was_overtaken_gives_nothing(crew):
    crew.overtaken = True
    for _ in range(8):
        crew.once()
        crew.host.tick()
    assert crew.host.taints() == {THEIRS, f"{MOVING}=true:NoExecute"}


def test_a_namespace_that_is_gone_holds_nothing_back(crew):
    def refuse(verb, key):
        return Refused("pods is forbidden") if key[:2] == ("pods", "atoll-gone-x-2") else None

    crew.host.store.refuse = refuse
    crew.until_done()
    assert_given_clean(crew)


def test_without_remains_of_others_only_the_marks_change(crew):
    crew.wanted = replace(WANTED, move=replace(MOVE, wipe=False, clear=False))
    assert isinstance(crew.once(), Done)
    assert crew.host.store.names(PODS) == ["proxy", "web"]
    assert crew.host.node["metadata"]["labels"][POOL] == "gold"


def test_a_settled_node_is_kept_as_its_pool_wants_it(crew):
    crew.wanted = replace(WANTED, move=None)
    node = crew.host.node
    node["metadata"]["labels"][f"{POOL}-forged"] = "x"
    assert isinstance(crew.once(), Done)
    assert crew.host.taints() == {THEIRS, f"{POOL}=gold:NoExecute"}
    assert f"{POOL}-forged" not in crew.host.node["metadata"]["labels"]
    writes = len(crew.host.store.writes)
    crew.once()
    assert len(crew.host.store.writes) == writes


def test_who_writes_to_the_node_meanwhile_is_not_overruled(crew):
    crew.wanted = replace(WANTED, move=None)
    real = crew.host.store.seen

    def raced(kind, name, namespace=""):
        found = real(kind, name, namespace)
        if kind is NODES:
            copy = {**found, "metadata": {**found["metadata"]}}
            found["metadata"]["resourceVersion"] = "9999"
            return copy
        return found

    crew.host.store.seen = raced
    assert isinstance(crew.once(), Busy)
    assert crew.host.taints() == {THEIRS}
