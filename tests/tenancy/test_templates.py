from __future__ import annotations

import json

import pytest

from tenancy.actions import clusters, quarantine, templates, tenants, work
from tenancy.actions.clusters import put
from tenancy.enums import ConditionType, OperationKind, Phase, Reason, WorkKind
from tenancy.errors import Conflict, Immutable, Invalid, NotAllowed, NotFound
from tenancy.models import (
    AuditEvent,
    ClusterTemplate,
    GrantRequest,
    Operation,
    TemplateVersion,
    VirtualCluster,
)
from tenancy.queries import clusters as known
from tenancy.queries import impact
from tenancy.queries import templates as reads
from tests import factories as make

pytestmark = pytest.mark.django_db
SMALL = {"resources": {"cpu": "1"}}
LARGE = {"resources": {"cpu": "8"}}


@pytest.fixture
def web(team):
    """A template with one version."""
    return make.published("1.2.0", SMALL)


def asks(version="^1.2", **own):
    return {**own, "template": {"name": "web", "version": version}}


def cpu(cluster):
    cluster.refresh_from_db()
    return known.spec(cluster).resources.get("cpu")


def in_use(cluster):
    cluster.refresh_from_db()
    return cluster.template_version.name


def followed(cluster):
    cluster.refresh_from_db()
    return next(c for c in known.conditions(cluster) if c.type is ConditionType.TEMPLATE_FOLLOWED)


def refused(by, spec, name="first"):
    with pytest.raises(Invalid) as found:
        put(by=by, tenant_name="team", name=name, spec_text=json.dumps(spec))
    return [(e.path, e.code) for e in found.value.errors]


def test_a_cluster_begins_with_the_newest_of_its_range(bob, web):
    make.published("1.3.0", LARGE)
    make.published("2.0.0", SMALL)
    made = make.cluster(bob, "team", spec=asks(persistence="ephemeral"))

    assert (in_use(made), cpu(made)) == ("1.3.0", 8)
    assert json.loads(made.spec_text) == asks(persistence="ephemeral")
    event = AuditEvent.objects.get(action="cluster.create")
    assert event.facts["template"] == "web 1.3.0"


@pytest.mark.parametrize(
    ("wish", "path", "code"),
    [
        ({"name": "nothing", "version": "1.2.0"}, "name", "not-offered"),
        ({"name": "web", "version": "^3"}, "version", "not-offered"),
        ({"name": "web", "version": "1.2.1"}, "version", "not-offered"),
        ({"name": "web", "version": "1.2"}, "version", "not-a-version"),
        ({"name": "web"}, "version", "not-a-version"),
        ({"name": "", "version": "1.2.0"}, "name", "required"),
        ({"version": "1.2.0"}, "name", "required"),
        ({"name": "web", "version": "1.2.0", "parameters": {"x": 1}}, "parameters.x", "unknown-field"),
    ],
)
def test_a_template_that_cannot_be_had(bob, web, wish, path, code):
    assert refused(bob, {"template": wish}) == [(f"spec.template.{path}", code)]
    assert not VirtualCluster.objects.exists()


@pytest.mark.parametrize(
    "wish", [[], "web", {"name": "web", "version": "1.2.0", "parameters": []}, {"names": 1}]
)
def test_a_template_that_cannot_be_read(bob, web, wish):
    assert all(path.startswith("spec.template") for path, _ in refused(bob, {"template": wish}))


def test_a_template_is_for_those_it_names(bob, team, web):
    make.tenant("other")
    make.template("web", "other")

    assert refused(bob, asks()) == [("spec.template.name", "not-offered")]
    assert not reads.visible_to(bob).exists()
    with pytest.raises(NotFound):
        reads.get(bob, "web")
    make.template("web", "other", "team")
    assert in_use(make.cluster(bob, "team", spec=asks())) == "1.2.0"


def test_a_yanked_version_is_not_begun_with(bob, web):
    make.published("1.3.0", LARGE)
    make.published("1.3.0", LARGE, state="yanked")

    assert refused(bob, asks("1.3.0")) == [("spec.template.version", "not-offered")]
    assert in_use(make.cluster(bob, "team", spec=asks())) == "1.2.0"


def test_what_is_published_never_changes(web):
    again = make.published("1.2.0", SMALL)
    assert (again.pk, again.generation) == (web.pk, 1)

    with pytest.raises(Immutable):
        make.published("1.2.0", LARGE)
    with pytest.raises(Immutable):
        make.published("1.2.0", SMALL, notes="other")
    told = make.published("1.2.0", SMALL, state="deprecated")
    assert (told.state, told.generation) == ("deprecated", 2)
    assert AuditEvent.objects.get(action="template.state").facts["changes"]["state"]["to"] == "deprecated"


def test_one_and_true_are_not_the_same_content(team):
    make.published("1.0.0", {"resources": {"cpu": 1}})
    with pytest.raises(Invalid):
        make.published("1.0.0", {"resources": {"cpu": True}})


def test_only_admins_publish(bob, web):
    for call in (
        lambda: templates.put(by=bob, name="mine", wish=templates.TemplateWish()),
        lambda: templates.publish(by=bob, name="web", version="2.0.0", text='{"cluster": {}}'),
        lambda: templates.plan(by=bob, name="web", version="2.0.0", text='{"cluster": {}}'),
        lambda: templates.delete(by=bob, name="web"),
    ):
        with pytest.raises(NotAllowed):
            call()
    assert ClusterTemplate.objects.get().name == "web"


def test_a_template_in_use_stays(bob, web):
    made = make.cluster(bob, "team", spec=asks())
    with pytest.raises(Conflict, match="team/first"):
        templates.delete(by=make.admin(), name="web")

    put(by=bob, tenant_name="team", name="first", spec_text="{}")
    templates.delete(by=make.admin(), name="web")
    made.refresh_from_db()
    assert (made.template_version, made.filled_text) == (None, "")
    assert not TemplateVersion.objects.exists()


def test_a_cluster_follows_its_range(bob, web):
    made = make.ready(make.cluster(bob, "team", spec=asks(persistence="ephemeral")))
    pinned = make.ready(make.cluster(bob, "team", "pinned", asks("1.2.0")))
    before = made.generation
    make.published("1.3.0", LARGE)

    assert make.follow() is False

    assert (in_use(made), cpu(made), made.generation) == ("1.3.0", 8, before + 1)
    assert (made.phase, known.spec(made).persistence.value) == (Phase.UPDATING, "ephemeral")
    operation = Operation.objects.get(target_uid=made.uid, state="running")
    assert (operation.kind, operation.created_by) == (OperationKind.UPDATE, "template")
    event = AuditEvent.objects.filter(action="cluster.update").get()
    assert event.actor == "template"
    assert event.facts["changes"] == {"spec.resources.cpu": {"from": "1", "to": "8"}}
    assert event.facts["template"] == {"from": "web 1.2.0", "to": "web 1.3.0"}
    assert (in_use(pinned), pinned.phase) == ("1.2.0", Phase.READY)
    assert json.loads(made.spec_text) == asks(persistence="ephemeral")


def test_publishing_makes_the_template_due(web):
    work.finish(work.claim(WorkKind.TEMPLATE, web.template_id))
    assert work.claim(WorkKind.TEMPLATE, web.template_id) is None
    make.published("1.3.0", LARGE)
    assert work.claim(WorkKind.TEMPLATE, web.template_id) is not None


def test_a_lost_lease_moves_nothing(bob, web):
    made = make.cluster(bob, "team", spec=asks())
    make.published("1.3.0", LARGE)
    lease = work.claim(WorkKind.TEMPLATE, web.template_id)
    work.finish(lease)

    assert templates.follow(lease, web.template_id) is False
    assert in_use(made) == "1.2.0"


def test_many_are_moved_in_several_passes(bob, web, monkeypatch):
    monkeypatch.setattr(templates, "AT_ONCE", 2)
    made = [make.cluster(bob, "team", f"c{n}", asks()) for n in range(3)]
    make.published("1.3.0", LARGE)

    assert make.follow() is True
    assert make.follow() is False
    assert {in_use(one) for one in made} == {"1.3.0"}


def test_what_would_be_refused_stays_and_says_why(bob, web):
    made = make.ready(make.cluster(bob, "team", spec=asks(resources={"cpu": "2"})))
    make.published("1.3.0", LARGE, locked=["resources"])

    make.follow()

    found = followed(made)
    assert (in_use(made), cpu(made), made.phase) == ("1.2.0", 2, Phase.READY)
    assert (found.status.value, found.reason) == ("False", Reason.TEMPLATE_REFUSED)
    assert "web 1.2.0" in found.message
    assert "locks resources.cpu" in found.message
    make.published("1.3.0", LARGE, locked=["resources"], state="yanked")
    make.follow()
    assert (in_use(made), followed(made).status.value) == ("1.2.0", "True")
    make.published("1.4.0", SMALL)
    make.follow()
    assert (in_use(made), cpu(made), followed(made).status.value) == ("1.4.0", 2, "True")


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ({"isolation": {"sandbox": "kata"}}, "kata"),
        ({"kubernetesVersion": "1.2"}, "not offered"),
        ({"isolation": {"model": "dedicated-pool"}}, "for life"),
        ({"accelerators": [{"class": "gpu"}]}, "accelerators"),
        ({"accelerators": [{"class": "none-such"}]}, "none-such"),
    ],
)
def test_what_the_host_or_the_quota_refuses_stays(bob, web, cluster, words):
    made = make.cluster(bob, "team", spec=asks())
    make.published("1.3.0", cluster)

    make.follow()

    assert in_use(made) == "1.2.0"
    assert words in followed(made).message
    assert not GrantRequest.objects.exists()
    assert not Operation.objects.filter(created_by="template").exists()


def test_more_devices_than_are_granted_are_not_asked_for(bob, team):
    make.published("1.0.0", {"accelerators": [{"class": "gpu", "count": 1}]})
    make.gpu_grant(bob, 2)
    made = make.cluster(bob, "team", spec=asks("^1"))
    make.published("1.1.0", {"accelerators": [{"class": "gpu", "count": 3}]})

    make.follow()
    assert (in_use(made), GrantRequest.objects.filter(for_clusters=True).count()) == ("1.0.0", 0)
    assert "3 gpu, more than is granted" in followed(made).message

    make.published("1.2.0", {"accelerators": [{"class": "gpu", "count": 2}]})
    make.follow()
    made.refresh_from_db()
    assert (in_use(made), known.spec(made).accelerators) == ("1.2.0", {"gpu": 2})
    assert made.phase != Phase.AWAITING_APPROVAL


@pytest.mark.parametrize("kept", ["quarantine", "suspended", "deleted", "withdrawn"])
def test_what_is_to_be_left_alone_is(bob, web, kept):
    made = make.ready(make.cluster(bob, "team", spec=asks()))
    make.published("1.3.0", LARGE)
    if kept == "quarantine":
        quarantine.begin(by=make.admin(), tenant_name="team", name="first", reason="why")
    if kept == "suspended":
        tenants.update(by=make.admin(), name="team", suspended=True)
    if kept == "deleted":
        clusters.delete(by=bob, tenant_name="team", name="first")
    if kept == "withdrawn":
        make.tenant("other")
        make.template("web", "other")

    make.follow()

    assert in_use(made) == "1.2.0"


def test_a_cluster_whose_template_was_withdrawn_can_still_be_changed(bob, web):
    make.cluster(bob, "team", spec=asks())
    make.published("1.3.0", LARGE)
    make.tenant("other")
    make.template("web", "other")

    put(by=bob, tenant_name="team", name="first", spec_text=json.dumps(asks(persistence="ephemeral")))
    put(by=bob, tenant_name="team", name="first", spec_text=json.dumps(asks("1.2.0")))

    assert in_use(VirtualCluster.objects.get()) == "1.2.0"
    assert refused(bob, asks("^1.3")) == [("spec.template.version", "not-offered")]
    (use,) = reads.uses(known.visible_to(bob)).values()
    assert (use.withdrawn, use.behind, reads.get(bob, "web").name) == (True, False, "web")


def test_nothing_goes_back_by_itself(bob, web):
    make.published("1.3.0", LARGE)
    made = make.cluster(bob, "team", spec=asks())
    make.published("1.3.0", LARGE, state="yanked")
    make.follow()
    put(by=bob, tenant_name="team", name="first", spec_text=json.dumps(asks(persistence="ephemeral")))

    assert in_use(made) == "1.3.0"
    put(by=bob, tenant_name="team", name="first", spec_text=json.dumps(asks("1.2.0")))
    assert in_use(made) == "1.2.0"


def test_an_equal_spec_changes_nothing_however_far_behind_it_is(bob, web):
    made = make.cluster(bob, "team", spec=asks(resources={"cpu": "2"}))
    make.published("1.3.0", LARGE, locked=["resources"])
    text = json.dumps(asks(resources={"cpu": "2"}))

    again = put(by=bob, tenant_name="team", name="first", spec_text=text)

    assert (again.changed, in_use(made)) == (False, "1.2.0")
    assert clusters.plan(by=bob, tenant_name="team", name="first", spec_text=text).action == "none"


def test_another_field_leaves_the_version_and_another_range_takes_the_newest(bob, web):
    made = make.cluster(bob, "team", spec=asks())
    make.published("1.3.0", LARGE)

    put(by=bob, tenant_name="team", name="first", spec_text=json.dumps(asks(persistence="ephemeral")))
    assert in_use(made) == "1.2.0"
    put(by=bob, tenant_name="team", name="first", spec_text=json.dumps(asks(">=1.2 <2")))
    assert in_use(made) == "1.3.0"


PLANNED = [
    ({}, asks()),
    (asks("1.2.0"), asks("^1.2")),
    (asks("1.2.0"), {"resources": {"cpu": "2"}}),
    (asks(resources={"cpu": "3", "memory": "1Gi"}), asks("^1.3")),
    ({"resources": {"cpu": "1"}}, asks("1.2.0")),
    (asks(), asks(persistence="ephemeral", resources={"pods": 9})),
]


@pytest.mark.parametrize(("before", "after"), PLANNED)
def test_the_plan_is_what_then_happens(bob, web, before, after):
    made = make.cluster(bob, "team", spec=before)
    make.published("1.3.0", {"resources": {"memory": "2Gi"}})
    made.refresh_from_db()
    old = known.effective_values(made)

    plan = clusters.plan(by=bob, tenant_name="team", name="first", spec_text=json.dumps(after))
    made.refresh_from_db()
    assert known.effective_values(made) == old, "a plan has no effect"
    put(by=bob, tenant_name="team", name="first", spec_text=json.dumps(after))

    made.refresh_from_db()
    assert (plan.template.version if plan.template else None) == made.template_version
    assert _with(old, plan.effective) == known.effective_values(made)


def _with(values, changes):
    found = json.loads(json.dumps(values))
    for path, old, new in changes:
        *way, last = path.split(".")
        place = found
        for key in way:
            place = place[key]
        assert place[last] == old
        place[last] = new
    return found


def test_the_impact_of_a_version_is_what_then_happens(bob, web):
    names = {
        "moves": asks(),
        "stays": asks("~1.2"),
        "refused": asks(resources={"cpu": "2"}),
        "pinned": asks("1.2.0"),
    }
    made = {name: make.cluster(bob, "team", name, spec) for name, spec in names.items()}
    text = json.dumps({"cluster": LARGE, "locked": ["resources.cpu"]})
    plan = templates.plan(by=make.admin(), name="web", version="1.3.0", text=text)
    before = {c.name: impact.of(c, plan.version) for c in plan.clusters}
    assert TemplateVersion.objects.count() == 1

    version = make.published("1.3.0", LARGE, locked=["resources.cpu"])
    template = reads.get(bob, "web")
    after = {c.name: impact.of(c, version) for c in impact.users_of(bob, template)}
    verdicts = {name: found.verdict.value for name, found in after.items()}
    assert verdicts == {"moves": "moves", "stays": "stays", "refused": "refused", "pinned": "stays"}
    assert {name: (f.verdict, f.message, f.changes) for name, f in before.items()} == {
        name: (f.verdict, f.message, f.changes) for name, f in after.items()
    }
    assert after["moves"].changes == (("resources.cpu", "1", "8"),)
    assert "locks resources.cpu" in after["refused"].message

    make.follow()
    assert {name: in_use(one) for name, one in made.items()} == {
        "moves": "1.3.0",
        "stays": "1.2.0",
        "refused": "1.2.0",
        "pinned": "1.2.0",
    }
