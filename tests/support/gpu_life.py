"""Random lives of two teams with devices: whatever people (gpu_people) and the world (gpu_world) do, the books stay right."""

from __future__ import annotations

import inspect
from copy import deepcopy
from typing import TYPE_CHECKING

from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RULE_MARKER,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tenancy.errors import DomainError
from tenancy.models import Allocation, Grant, VirtualCluster
from tenancy.queries import books
from tenancy.queries import clusters as cluster_queries
from tests.support.gpu_facts import NODES, SIZES, Facts
from tests.support.gpu_people import TEAMS, People
from tests.support.gpu_world import WELL, World

if TYPE_CHECKING:
    from tenancy.policy import Actor


class Life(People, World, RuleBasedStateMachine):
    """Two teams, two admins, two shared pools; days pass by the rehearsal clock."""

    people: dict[str, Actor]
    common: Facts | None = None
    """As of what all lives begin with."""
    lived = 0
    """So many such lives are over."""

    def __init__(self):
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.move_to(0)
        self.facts = deepcopy(self.common) or Facts()

    @classmethod
    def prepare(cls):
        """Each team has devices, and pods that hold them; once, as all lives begin with it."""
        self = cls()
        for tenant, name, pool in (("team", "a1", "gpus"), ("crew", "b1", "more")):
            self.straight(tenant, 3, 4, 0, ("lab", pool))
            self.put(name, 3, "member")
            self.provisioner_follows(name)
            self.pods_start(name)
        cls.common = self.facts
        self.savepoint.__exit__(None, None, None)

    @initialize(
        begun=st.sampled_from(["held", "late", "lowered", "deleted"]),
        auto=st.sampled_from([0, 2]),
        two=st.sampled_from([0, 3]),
    )
    def begin(self, begun, auto, two):
        """What takes many steps to come to: grants are over or lowered, and pods still hold their devices."""
        self.policy(auto, two, offered=True)
        if begun == "late":
            self.days_pass(4, seen=True)
        elif begun == "lowered":
            self.put("a1", 1, "member")
        elif begun == "deleted":
            self.delete("a1")

    def teardown(self):
        type(self).lived += 1
        try:
            self.everything_comes_back()
        finally:
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    def act(self, verb, by, action, /, *args, **kwargs):
        """What an action gives, ``None`` where it was refused; either way compared with what it may change."""
        try:
            done, refused = action(*args, **kwargs), False
        except DomainError:
            done, refused = None, True
        self.facts.compare(verb, by.name if by else "", refused=refused)
        return done

    # --- what must hold

    @invariant()
    def the_books_are_right(self):
        assert books.faults() == []

    @invariant()
    def no_host_has_more_than_counts(self):
        self.facts.hosts_are_within_the_ledger()

    @invariant()
    def no_cluster_is_forgotten(self):
        """One that lacks devices says so; one that has all does not wait; nobody waits for what is there."""
        asked = {}
        for row in VirtualCluster.objects.filter(deletion_requested_at=None).select_related("tenant", "pool"):
            spec = cluster_queries.spec(row)
            gives = spec.paused and spec.release_accelerators_while_paused
            wish = 0 if gives else spec.accelerators.get("gpu", 0)
            target = self.facts.allocations.get(row.name, ("", "", 0, 0))[2]
            assert cluster_queries.desired(row.uid).awaiting_approval is (wish > target)
            if wish:
                asked[row.name] = (row.tenant.name, row.pool.name, wish)
        self.facts.nobody_waits_for_what_is_there(asked)

    def everything_comes_back(self):
        """After the last day, with every host seen to follow, nothing is held and an exact fit is granted."""
        for name in NODES:
            self.node(name, WELL)
        for tenant in TEAMS:
            self.suspend(tenant, suspended=False)
        for name in ("a1", "a2", "b1", "b2"):
            self.delete(name)
            self.cluster_is_gone(name)
        self.move_to(self.day + 60)
        self.facts.look()
        self.tick()
        assert not Grant.objects.filter(closed_at=None).exists()
        assert not Allocation.objects.filter(released_at=None).exists()
        self.policy(0, 0, offered=True)
        self.limit("team", None)
        for pool, size in SIZES.items():
            self.straight("team", size, 10, 0, ("lab", pool))
        held = Grant.objects.filter(closed_at=None).values_list("amount", flat=True)
        assert sorted(held) == sorted(SIZES.values())
        assert books.faults() == []


def only(machine, names):
    """Lives in which nothing but these rules happens, each as often; they end without coming back."""
    rules = {name: getattr(step, RULE_MARKER, None) for name, step in inspect.getmembers(machine)}
    arguments = {name: st.fixed_dictionaries(rules[name].arguments) for name in names}
    hidden = {name: _plain(getattr(machine, name)) for name, found in rules.items() if found is not None}

    def step(self, data, name):
        getattr(self, name)(**data.draw(arguments[name]))

    made = rule(data=st.data(), name=st.sampled_from(names))(step)
    return type("Life", (machine,), {**hidden, "step": made, "everything_comes_back": lambda _: None})


def _plain(step):
    """Of use to others, and no rule itself."""

    def hidden(self, *args, **kwargs):
        return step(self, *args, **kwargs)

    return hidden


def lives(machine, count, steps, **more):
    """Runs so many of them."""
    more |= {"deadline": None, "suppress_health_check": list(HealthCheck)}
    wanted = settings(max_examples=count, stateful_step_count=steps, **more)
    run_state_machine_as_test(machine, settings=wanted)


FIRST_FAULT = {
    "phases": [Phase.generate],
    "database": None,
    "derandomize": True,
    "report_multiple_bugs": False,
}
"""For lives of which one is to fail: the first is enough, and nobody wants it shorter."""
