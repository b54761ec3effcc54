from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from provisioner.outcomes import Done, LeaseLost, Permanent, Stall, Transient, Wait
from provisioner.reconcile import engine
from provisioner.reconcile.engine import Step
from provisioner.reconcile.memory import Memory
from provisioner.reconcile.scope import Scope
from tenancy.enums import ConditionStatus, ConditionType, Reason, StepState
from tests.fakes.findings import FakeFindings
from tests.fakes.world import FakeGuard, World
from tests.provisioner.harness import CHART, WANTED


class Passes:
    """Runs steps that end as told, and keeps the reports."""

    def __init__(self, *stages, deleting=False, wanted=WANTED):
        self.reports = []
        self.ran = []
        kinds = iter(ConditionType)
        self.stages = tuple(tuple(self._step(next(kinds), e) for e in stage) for stage in stages)
        world, ticks = World(), itertools.count()
        self.world = world
        self.scope = Scope(
            desired=wanted,
            hosts=world.hosts(),
            tenants=world.tenant_apis(),
            guard=FakeGuard(),
            memory=Memory(),
            chart=CHART,
            now=lambda: world.now + timedelta(seconds=next(ticks)),
            pause=lambda _: None,
            publish=self.reports.append,
            findings=FakeFindings(),
            calendar=lambda: world.now,
            stepped=lambda *_: None,
        )

    def _step(self, kind, ending):
        def run(_scope):
            self.ran.append(kind)
            if isinstance(ending, Exception):
                raise ending
            return ending

        return Step(kind.value, kind, run)

    def go(self, *beside):
        steps = [self._step(ConditionType.DEVICES_SETTLED, ending) for ending in beside]
        self.scope.host = self.world.hosts().open(WANTED.host, FakeGuard())
        return engine.reconcile(self.scope, self.stages, beside=steps)

    def told(self):
        (report,) = self.reports
        return {c.type: (c.status, c.reason) for c in report.conditions}


class TestBeside:
    """A step that keeps the cluster from nothing, and that nothing of it keeps."""

    def test_its_wait_brings_the_next_look_forward_and_the_pass_is_clean(self):
        passes = Passes((Done(),))
        assert passes.go(WAIT) == WAIT
        assert passes.reports[0].clean

    def test_the_sooner_look_counts(self):
        later = Wait(9.0, Reason.WAITING, "later")
        assert Passes((WAIT,)).go(later) == WAIT
        assert Passes((later,)).go(WAIT) == WAIT

    @pytest.mark.parametrize("fault", [Transient("t", Reason.WAITING), Permanent("p", Reason.UNEXPECTED)])
    def test_its_fault_is_a_reason_to_look_again_only(self, fault):
        passes = Passes((Done(),))
        assert isinstance(passes.go(fault), Wait)
        assert passes.reports[0].clean
        told = passes.told()
        assert told[ConditionType.STALLED] == (ConditionStatus.FALSE, Reason.AS_WANTED)
        assert told[ConditionType.DEVICES_SETTLED][0] is ConditionStatus.UNKNOWN

    def test_it_is_looked_at_though_the_others_fail(self):
        passes = Passes((Transient("t", Reason.WAITING),), (Done(),))
        with pytest.raises(Transient):
            passes.go(Done())
        assert passes.ran == [HOST, ConditionType.DEVICES_SETTLED]
        assert not passes.reports[0].clean


HOST, NAMESPACE, LIMITS = list(ConditionType)[:3]
WAIT = Wait(1.0, Reason.WAITING, "for a pod")


def test_each_step_has_times_of_its_own():
    passes = Passes([Done()], [WAIT], [Done()])
    passes.go()
    first, second, ahead = passes.reports[0].steps
    assert first.began < first.ended < second.began < second.ended
    assert (ahead.began, ahead.ended) == (None, None)


def test_a_pass_with_every_step_done_is_clean():
    passes = Passes([Done()], [Done("seen")])
    assert passes.go() == Done()
    assert passes.reports[0].clean is True
    assert passes.told()[NAMESPACE] == (ConditionStatus.TRUE, Reason.AS_WANTED)
    assert passes.told()[ConditionType.STALLED] == (ConditionStatus.FALSE, Reason.AS_WANTED)


def test_a_pass_whose_second_step_raises_is_not_clean_and_still_reports():
    """The trap of the first draft: the first step's Done must not speak for the pass."""
    passes = Passes([Done()], [Transient("no answer", Reason.HOST_UNREACHABLE)])
    with pytest.raises(Transient):
        passes.go()
    assert passes.reports[0].clean is False
    assert passes.told()[NAMESPACE] == (ConditionStatus.UNKNOWN, Reason.HOST_UNREACHABLE)


def test_a_waiting_step_ends_the_pass_and_the_rest_is_pending():
    passes = Passes([Done()], [WAIT], [Done()])
    assert passes.go() == WAIT
    assert passes.ran == [HOST, NAMESPACE]
    assert [(s.name, s.state, s.message) for s in passes.reports[0].steps] == [
        (HOST.value, StepState.DONE, ""),
        (NAMESPACE.value, StepState.RUNNING, "for a pod"),
        (LIMITS.value, StepState.PENDING, ""),
    ]
    assert passes.told()[NAMESPACE] == (ConditionStatus.FALSE, Reason.WAITING)


def test_steps_of_a_stage_do_not_wait_for_each_other():
    sooner = Wait(0.5, Reason.NOT_READY, "b")
    passes = Passes([WAIT, sooner, Done()])
    assert passes.go() == sooner
    assert passes.ran == [HOST, NAMESPACE, LIMITS]


def test_a_fault_in_a_stage_lets_the_other_steps_run():
    passes = Passes([Transient("x", Reason.UNEXPECTED), Done()])
    with pytest.raises(Transient):
        passes.go()
    assert passes.told()[NAMESPACE] == (ConditionStatus.TRUE, Reason.AS_WANTED)


def test_a_stall_is_reported_as_stalled():
    passes = Passes([Stall(Reason.CONFLICT, "not ours")], [Done()])
    assert passes.go() == Stall(Reason.CONFLICT, "not ours")
    assert passes.told()[ConditionType.STALLED] == (ConditionStatus.TRUE, Reason.CONFLICT)
    assert passes.reports[0].steps[0].state is StepState.FAILED


def test_a_permanent_fault_stalls():
    passes = Passes([Permanent("chart", Reason.CHART_INVALID)])
    with pytest.raises(Permanent):
        passes.go()
    assert passes.told()[HOST] == (ConditionStatus.FALSE, Reason.CHART_INVALID)
    assert passes.told()[ConditionType.STALLED] == (ConditionStatus.TRUE, Reason.CHART_INVALID)


def test_an_unforeseen_error_is_transient_and_named():
    passes = Passes([ZeroDivisionError("oh")])
    with pytest.raises(Transient) as caught:
        passes.go()
    assert caught.value.reason is Reason.UNEXPECTED
    assert "ZeroDivisionError" in passes.reports[0].steps[0].message


def test_nothing_is_reported_when_the_lease_is_lost():
    passes = Passes([Done()], [LeaseLost("gone")])
    with pytest.raises(LeaseLost):
        passes.go()
    assert passes.reports == []


def test_a_wait_that_holds_leaves_the_condition_as_it_was():
    passes = Passes([Wait(1.0, Reason.PROBE_RUNNING, "again", holds=True)])
    passes.go()
    assert HOST not in passes.told()
    assert passes.reports[0].clean is False


def test_what_was_told_already_is_not_told_again():
    passes = Passes([WAIT])
    passes.go()
    told = passes.reports[0].conditions
    again = Passes([WAIT], wanted=_with(told))
    again.scope.memory = passes.scope.memory
    again.go()
    assert again.reports == []


def _with(conditions):
    from dataclasses import replace

    return replace(WANTED, conditions=conditions)
