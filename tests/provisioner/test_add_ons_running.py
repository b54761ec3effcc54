"""Whether what add-ons start runs: told beside the build, of each; and what becomes of it while a cluster sleeps."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from provisioner.outcomes import Done, Wait
from provisioner.ports import CONFIG_MAPS, DEPLOYMENTS, EVENTS, PODS, Busy, Kind, Rejected
from tenancy.enums import ConditionStatus, ConditionType, Reason, StepState
from tenancy.rules.add_on_states import AddOnState
from tenancy.rules.add_ons import AddOn
from tests.provisioner.test_add_ons import inside, told, wants
from tests.provisioner.test_pause import settle, turn
from tests.support.manifests import config, of

if TYPE_CHECKING:
    from tests.provisioner.harness import Team

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {"selector": {"matchLabels": {"app": "web"}}},
}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "setup"}, "spec": {}}
JOBS = Kind("batch/v1", "jobs", "Job")
AT = "add-on motd 1.0.0, Deployment web: "


def ready_condition(team: Team):
    found = team.condition(ConditionType.ADD_ONS_READY)
    assert found is not None
    return found.status, found.reason, found.message


def seen(team: Team):
    return [(one.name, one.version, one.status, one.reason) for one in team.wanted.add_ons_seen]


def passes(team: Team, count=6):
    for _ in range(count):
        outcome = team.once()
        team.world.tick()
    return outcome


def test_a_cluster_without_any_has_nothing_that_could_not_run(ready):
    assert ready_condition(ready) == (ConditionStatus.TRUE, Reason.AS_WANTED, "")
    assert "Add-ons running" not in [step.name for step in ready.steps]
    assert ready.wanted.add_ons_seen == ()


def test_what_runs_is_told_so_and_of_the_generation(ready):
    wants(ready, WEB, config())
    assert isinstance(ready.until_settled(), Done)
    assert ready_condition(ready) == (ConditionStatus.TRUE, Reason.AS_WANTED, "")
    assert ready.condition(ConditionType.ADD_ONS_READY).observed_generation == ready.wanted.generation
    assert seen(ready) == [("motd", "1.0.0", ConditionStatus.TRUE, Reason.AS_WANTED)]
    assert (ready.steps[-1].name, ready.steps[-1].state) == ("Add-ons running", StepState.DONE)


def test_what_does_not_run_is_named_with_its_cause_and_keeps_the_cluster_from_nothing(ready):
    ready.world.broken = {"web"}
    other = AddOn("limits", "2.0.0", of(config("limits")))
    wants(ready, WEB, more=(other,))
    outcome = passes(ready)
    status, reason, message = ready_condition(ready)
    assert (status, reason) == (ConditionStatus.FALSE, Reason.ADD_ON_NOT_RUNNING)
    assert message.startswith(f"{AT}0 of 1 pods run as wanted: image example.com/none:1 cannot be had")
    assert message.endswith("it is looked at again; kubectl describe tells more")
    assert seen(ready) == [
        ("motd", "1.0.0", ConditionStatus.FALSE, Reason.ADD_ON_NOT_RUNNING),
        ("limits", "2.0.0", ConditionStatus.TRUE, Reason.AS_WANTED),
    ]
    assert isinstance(outcome, Wait)
    assert ready.observed_generation == ready.wanted.generation
    assert ready.condition(ConditionType.AVAILABLE).true

    ready.world.broken = set()
    ready.until_settled()
    assert ready_condition(ready)[0] is ConditionStatus.TRUE


def test_it_is_looked_at_ever_more_seldom(ready):
    ready.world.broken = {"web"}
    wants(ready, WEB)
    passes(ready)
    waits = []
    for minutes in (0, 1, 9, 90):
        ready.world.now += timedelta(minutes=minutes)
        waits.append(passes(ready).after)
    assert waits == [2.0, 6.0, 60.0, 300.0]


def test_what_the_host_refuses_is_told_in_its_words(ready):
    wants(ready, WEB)
    ready.until_settled()
    store = inside(ready)
    store.put(PODS, {"metadata": {"name": "web-0", "namespace": "default", "labels": {"app": "web"}}})
    event = {
        "metadata": {"name": "web-0.1", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "web-0"},
        "type": "Warning",
        "message": "exceeded quota: atoll-quota, requested: cpu=4",
    }
    store.put(EVENTS, event)
    store.seen(DEPLOYMENTS, "web", "default")["status"]["availableReplicas"] = 0
    ready.once()
    assert ready_condition(ready)[2].startswith(f"{AT}0 of 1 pods run as wanted: exceeded quota: atoll-quota")


def test_what_has_given_up_says_what_to_do(ready):
    ready.world.broken = {"setup"}
    wants(ready, JOB)
    passes(ready)
    status, reason, message = ready_condition(ready)
    assert (status, reason) == (ConditionStatus.FALSE, Reason.ADD_ON_FAILED)
    expected = "Job setup: it tried 3 times; delete it and it is made anew within minutes, or choose another"
    assert expected in message

    ready.world.broken = set()
    inside(ready).drop(JOBS, "setup", "default")
    ready.memory = type(ready.memory)()
    ready.until_settled()
    assert ready_condition(ready)[0] is ConditionStatus.TRUE


def test_one_that_is_refused_does_not_run_and_the_others_are_told_of(ready):
    refusal = Rejected("it refuses what we sent (422): no such field")
    inside(ready).refuse = lambda verb, key: refusal if (verb, key[2]) == ("apply", "bad") else None
    wants(ready, config("bad"), more=(AddOn("web", "1.0.0", of(WEB)),))
    ready.until_settled()
    passes(ready, 2)
    assert ready_condition(ready) == told(ready)
    assert seen(ready) == [
        ("motd", "1.0.0", ConditionStatus.FALSE, Reason.ADD_ON_REFUSED),
        ("web", "1.0.0", ConditionStatus.TRUE, Reason.AS_WANTED),
    ]


def test_an_api_that_does_not_tell_makes_it_unknown_and_nothing_else(ready):
    wants(ready, WEB)
    ready.until_settled()
    busy = Busy("it could not do it now (503)", Reason.WAITING)
    inside(ready).refuse = lambda verb, key: busy if (verb, key[0]) == ("find", "deployments") else None
    assert isinstance(ready.once(), Wait)
    assert ready_condition(ready)[0] is ConditionStatus.UNKNOWN
    assert ready.condition(ConditionType.AVAILABLE).true


def test_a_slow_api_is_not_asked_for_ever(ready):
    many = [{**WEB, "metadata": {"name": f"web-{n}"}} for n in range(3)]
    kinds = [JOB, {**WEB, "kind": "StatefulSet", "metadata": {"name": "db"}}]
    wants(ready, *many, *kinds)
    passes(ready)
    asked = []

    def slow(verb, key):
        if verb == "find" and key[0] in {"deployments", "jobs", "statefulsets"} and key[1] == "":
            asked.append(key[0])
            ready.world.now += timedelta(seconds=11)

    inside(ready).refuse = slow
    ready.once()
    assert asked == ["deployments"]
    assert ready.wanted.add_ons_seen == (
        AddOnState(
            "motd",
            "1.0.0",
            ConditionStatus.UNKNOWN,
            Reason.WAITING,
            "add-on motd 1.0.0: its objects could not be read within 10 s; it is looked at again",
        ),
    )


class TestAsleep:
    """A cluster with add-ons that sleeps: nothing is asked of what is not there, and what changed meanwhile comes at its waking."""

    @pytest.fixture
    def asleep(self, ready):
        wants(ready, WEB, config())
        ready.until_settled()
        turn(ready, paused=True)
        settle(ready)
        return ready

    def test_nothing_is_called_running_and_nothing_is_looked_at(self, asleep):
        assert ready_condition(asleep)[:2] == (ConditionStatus.UNKNOWN, Reason.PAUSED)
        assert told(asleep)[:2] == (ConditionStatus.UNKNOWN, Reason.PAUSED)
        assert asleep.wanted.add_ons_seen == ()
        asleep.restart()
        assert asleep.once() == Done()
        assert ready_condition(asleep)[:2] == (ConditionStatus.UNKNOWN, Reason.PAUSED)

    def test_another_version_comes_at_its_waking(self, asleep):
        wants(asleep, config(text="hi"), version="1.1.0")
        turn(asleep, paused=True)
        settle(asleep)
        assert asleep.fault is None
        assert asleep.condition(ConditionType.STALLED).status is ConditionStatus.FALSE
        assert told(asleep)[1] is Reason.PAUSED
        assert asleep.observed_generation == asleep.wanted.generation

        turn(asleep, paused=False)
        asleep.until_settled()
        store = inside(asleep)
        assert store.seen(CONFIG_MAPS, "motd", "default")["data"] == {"text": "hi"}
        assert store.seen(DEPLOYMENTS, "web", "default") is None
        assert seen(asleep) == [("motd", "1.1.0", ConditionStatus.TRUE, Reason.AS_WANTED)]
        assert ready_condition(asleep)[0] is ConditionStatus.TRUE

    def test_the_last_one_goes_at_its_waking(self, asleep):
        wants(asleep)
        turn(asleep, paused=True)
        settle(asleep)
        turn(asleep, paused=False)
        asleep.until_settled()
        assert inside(asleep).seen(CONFIG_MAPS, "motd", "default") is None
        assert ready_condition(asleep) == (ConditionStatus.TRUE, Reason.AS_WANTED, "")

    def test_one_that_is_refused_does_not_keep_it_from_sleep_and_its_mending_helps_at_waking(self, ready):
        refusal = Rejected("no such field")
        inside(ready).refuse = lambda verb, key: refusal if (verb, key[2]) == ("apply", "bad") else None
        wants(ready, config("bad"))
        ready.until_settled()
        turn(ready, paused=True)
        settle(ready)
        assert ready.condition(ConditionType.PAUSED).true
        assert ready.condition(ConditionType.STALLED).status is ConditionStatus.FALSE
        wants(ready, config("good"), version="1.0.1")
        turn(ready, paused=False)
        ready.until_settled()
        assert ready_condition(ready)[0] is ConditionStatus.TRUE
        assert inside(ready).seen(CONFIG_MAPS, "good", "default") is not None

    def test_first_add_ons_of_a_sleeping_cluster(self, ready):
        turn(ready, paused=True)
        settle(ready)
        wants(ready, WEB)
        turn(ready, paused=True)
        settle(ready)
        turn(ready, paused=False)
        ready.until_settled()
        assert seen(ready) == [("motd", "1.0.0", ConditionStatus.TRUE, Reason.AS_WANTED)]
