from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from portal.web import presenters, progress, words
from portal.web.forms.base import sentence
from portal.web.forms.clusters import PERSISTENCES
from portal.web.templatetags import atoll
from portal.web.words import Tone
from provisioner.reconcile import stages
from tenancy.actions import work
from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    OperationKind,
    OperationState,
    Persistence,
    Phase,
    Reason,
    Sandbox,
    WorkKind,
)
from tenancy.rules.conditions import BY_STEPS, Condition
from tenancy.rules.profiles import PROFILES
from tests import factories

if TYPE_CHECKING:
    from tests.portal.web.conftest import World


@pytest.mark.parametrize(
    ("vocabulary", "said"),
    [
        (Phase, words.PHASES),
        (ConditionType, words.CONDITIONS),
        (Reason, words.REASONS),
        (OperationKind, words.OPERATIONS),
        (OperationState, words.OPERATION_STATES),
        (ConditionStatus, words.REACHABLE),
    ],
)
def test_every_word_of_the_vocabulary_has_words_for_people(vocabulary: Any, said: Any) -> None:
    assert set(said) == set(vocabulary)


def test_every_reason_ends_as_a_sentence() -> None:
    assert [reason for reason, said in words.REASONS.items() if not said.endswith(".")] == []


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (8 * 1024**3, "8 GiB"),
        (1536 * 1024**2, "1.5 GiB"),
        (512 * 1024**2, "512 MiB"),
        (100 * 1024**3, "100 GiB"),
    ],
)
def test_bytes_as_people_write_them(amount: int, said: str) -> None:
    assert presenters.bytes_(Decimal(amount)) == said


@pytest.mark.parametrize(
    ("took", "said"),
    [
        (0.04, "< 0.1 s"),
        (0.44, "0.4 s"),
        (12.7, "12 s"),
        (200, "3 min 20 s"),
        (7260, "2 h 1 min"),
        (-5, "< 0.1 s"),
    ],
)
def test_how_long_something_took(took: float, said: str) -> None:
    assert atoll.seconds(timedelta(seconds=took)) == said


def test_what_was_over_when_first_seen_has_no_length() -> None:
    now = datetime.now(UTC)
    assert atoll.span(now, now) == ""
    assert ">3.0 s<" in str(atoll.span(now, now + timedelta(seconds=3)))
    assert "data-since" in str(atoll.span(now, None))


def test_ago_is_exact_in_its_title() -> None:
    moment = datetime.now(UTC) - timedelta(minutes=5, seconds=1)
    said = str(atoll.ago(moment))
    assert ("5 minutes ago" in said, f"{moment:%H:%M:%S} UTC" in said) == (True, True)
    assert atoll.ago(None) == "never"


@pytest.mark.parametrize(
    ("given", "said"), [("wait a bit", "Wait a bit."), ("done!", "Done!"), ("step…", "Step…"), ("", ".")]
)
def test_details_become_sentences(given: str, said: str) -> None:
    assert sentence(given) == said


def test_degraded_cluster_names_the_first_fact_that_is_missing(world: World) -> None:
    made = factories.ready(factories.cluster(world.alice, "team", "first"))
    why = "pod cluster-0 keeps ending"
    seen = Condition(
        ConditionType.CONTROL_PLANE_AVAILABLE, ConditionStatus.FALSE, Reason.CRASH_LOOPING, why, 1
    )
    work.resync(WorkKind.CLUSTER)
    factories.observe(made, seen)
    shown = progress.of(made, None, workers=1)
    assert (made.phase, shown.tone, shown.detail) == ("Degraded", Tone.WARN, why)
    assert presenters.brief(made) == why


def test_facts_of_an_earlier_spec_are_marked_and_grey(world: World) -> None:
    made = factories.ready(factories.cluster(world.alice, "team", "first"))
    made.generation = 2
    fact = presenters.facts(made)[0]
    assert (fact.tone, fact.message) == (Tone.IDLE, "Seen of an earlier spec: As wanted.")


def test_negative_conditions_are_good_when_false(world: World) -> None:
    made = factories.ready(factories.cluster(world.alice, "team", "first"))
    tones = {fact.type: fact.tone for fact in presenters.facts(made)}
    assert (tones["Stalled"], tones["Released"]) == (Tone.GOOD, Tone.GOOD)


def test_version_follows_what_is_shown() -> None:
    assert presenters.version(1, "a") == presenters.version(1, "a")
    assert presenters.version(1, "a") != presenters.version(1, "b")


def test_every_step_of_the_provisioner_has_words() -> None:
    steps = {step.name for stage in (*stages.BUILD, *stages.PAUSE, *stages.TEARDOWN) for step in stage}
    assert steps - set(words.DOING) == set()


def test_steps_not_begun_have_the_names_they_will_have() -> None:
    built = [step.name for stage in stages.BUILD for step in stage]
    assert [words.CONDITIONS[kind] for kind in BY_STEPS] == built


def test_every_sandbox_has_words() -> None:
    assert (set(PROFILES), set(PERSISTENCES)) == (set(Sandbox), set(Persistence))
