from __future__ import annotations

import json

import pytest

from tenancy.actions import add_ons, clusters, quarantine, templates
from tenancy.actions.clusters import put
from tenancy.enums import ConditionStatus, ConditionType, Phase, Reason
from tenancy.errors import Conflict, Immutable, Invalid, NotAllowed, NotFound, StepUpRequired
from tenancy.models import AddOnVersion, AuditEvent, VirtualCluster
from tenancy.policy import Actor
from tenancy.queries import clusters as known
from tenancy.queries import impact
from tenancy.rules.add_on_states import AddOnState
from tenancy.rules.add_ons import OBJECTS_MAX, TEXT_MAX, check
from tenancy.rules.conditions import Condition
from tests import factories as make
from tests.support.manifests import MANIFEST, config, of

ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a:b.c"}}
AT = "spec.manifests"


def faults(data):
    with pytest.raises(Invalid) as refused:
        check(data)
    assert all(fault.detail for fault in refused.value.errors)
    return [(fault.path, fault.code) for fault in refused.value.errors]


def test_any_objects_are_taken():
    check({"manifests": of(config(), config(namespace="other"), ROLE), "description": "All kinds"})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, [(AT, "required")]),
        ({"manifests": 1, "more": 2, "description": []}, ["spec.more", "spec.description", AT]),
        ({"manifests": "a: ["}, [(AT, "not-yaml")]),
        ({"manifests": "# nothing"}, [(AT, "out-of-range")]),
        ({"manifests": "a" * (TEXT_MAX + 1)}, [(AT, "too-long")]),
        ({"manifests": of(*[config(f"a{n}") for n in range(OBJECTS_MAX + 1)])}, [(AT, "out-of-range")]),
        (
            {"manifests": "--- []\n--- {metadata: []}"},
            [(f"{AT}[0]", "wrong-type"), (f"{AT}[1]", "wrong-type")],
        ),
        (
            {"manifests": "metadata: {}"},
            [(f"{AT}[0].{key}", "required") for key in ("apiVersion", "kind", "metadata.name")],
        ),
        ({"manifests": of(config("../../etc"))}, [(f"{AT}[0].metadata.name", "required")]),
        ({"manifests": of(config(namespace="Up"))}, [(f"{AT}[0].metadata.namespace", "required")]),
        ({"manifests": of({**ROLE, "apiVersion": "v1/../v1"})}, [(f"{AT}[0].apiVersion", "required")]),
        ({"manifests": of(config(uid="1"))}, [(f"{AT}[0].metadata.uid", "unknown-field")]),
        ({"manifests": of(config(), config("b"), config(namespace="default"))}, [(f"{AT}[2]", "duplicate")]),
        (
            {"manifests": of({**config(), "kind": "ConfigMapList", "items": []})},
            [(f"{AT}[0].kind", "not-a-choice")],
        ),
        ({"manifests": of({**config(), "kind": "Secret"})}, [(f"{AT}[0]", "no-secrets")]),
        ({"manifests": of(config(namespace="atoll-system"))}, [(f"{AT}[0].metadata.namespace", "reserved")]),
        (
            {
                "manifests": of(
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "atoll-system"}}
                )
            },
            [(f"{AT}[0].metadata.namespace", "reserved")],
        ),
    ],
)
def test_what_is_not_taken_is_told_with_its_place(data, expected):
    found = faults(data)
    assert (found if isinstance(expected[0], tuple) else [path for path, _ in found]) == expected


pytestmark = pytest.mark.django_db


def refused(by, spec):
    with pytest.raises(Invalid) as found:
        put(by=by, tenant_name="team", name="first", spec_text=json.dumps(spec))
    return [(e.path, e.code) for e in found.value.errors]


def asks(version="1.0.0", name="motd"):
    return {"addOns": [{"name": name, "version": version}]}


def test_a_version_is_for_ever_and_its_description_is_not(bob, team):
    row = make.add_on()
    text = json.dumps({"description": "Words", "manifests": MANIFEST})

    assert add_ons.publish(by=make.admin(), name="motd", version="1.0.0", text=text) == (row, False)
    row.refresh_from_db()
    assert row.generation == 2
    with pytest.raises(Immutable):
        make.add_on("motd", "1.0.0", config())
    with pytest.raises(NotAllowed):
        add_ons.publish(by=bob, name="motd", version="1.0.1", text=text)
    with pytest.raises(StepUpRequired):
        add_ons.publish(by=Actor(make.admin().user, decides=False), name="x", version="1.0.0", text=text)
    with pytest.raises(Invalid):
        add_ons.publish(by=make.admin(), name="motd", version="1.0", text=text)
    actions = AuditEvent.objects.filter(action__startswith="add-on").values_list("action", flat=True)
    assert sorted(actions) == ["add-on.describe", "add-on.publish"]


def test_a_cluster_chooses_from_the_catalogue(bob, team):
    make.add_on()
    made = make.cluster(bob, "team", spec=asks())

    assert known.effective_values(made)["addOns"] == {"motd": "1.0.0"}
    wanted = known.desired(made.uid)
    assert [(one.name, one.version, one.manifests) for one in wanted.add_ons] == [("motd", "1.0.0", MANIFEST)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (asks("1.0.1"), [("spec.addOns[0]", "not-offered")]),
        (asks(name="other"), [("spec.addOns[0]", "not-offered")]),
        (asks("^1.0"), [("spec.addOns[0].version", "not-a-version")]),
        (asks(name=""), [("spec.addOns[0].name", "required")]),
        ({"addOns": {}}, [("spec.addOns", "wrong-type")]),
        ({"addOns": asks()["addOns"] * 21}, [("spec.addOns", "wrong-type")]),
        ({"addOns": asks()["addOns"] * 2}, [("spec.addOns[1].name", "duplicate")]),
        (
            {"addOns": [*asks()["addOns"], *asks(name="same")["addOns"]]},
            [("spec.addOns[1]", "contradiction")],
        ),
    ],
)
def test_what_cannot_be_chosen(bob, team, spec, expected):
    make.add_on()
    make.add_on("same")
    assert refused(bob, spec) == expected
    assert not VirtualCluster.objects.exists()


def test_a_template_brings_and_locks_them_and_its_next_version_changes_them(bob, team):
    make.add_on()
    make.add_on("motd", "1.1.0", config(text="hi"))
    make.published("1.0.0", asks(), locked=["addOns"])
    spec = {"template": {"name": "web", "version": "^1.0"}}
    made = make.cluster(bob, "team", spec=spec)
    assert refused(bob, {**spec, "addOns": []}) == [("spec.addOns", "locked")]

    plan = templates.plan(
        by=make.admin(),
        name="web",
        version="1.1.0",
        text=json.dumps({"cluster": asks("1.1.0"), "locked": ["addOns"]}),
    )
    assert impact.of(plan.clusters[0], plan.version).changes == (("addOns.motd", "1.0.0", "1.1.0"),)
    make.published("1.1.0", asks("1.1.0"), locked=["addOns"])
    make.follow()
    made.refresh_from_db()
    assert known.effective_values(made)["addOns"] == {"motd": "1.1.0"}


def test_a_template_names_what_there_is(team):
    with pytest.raises(Invalid) as refused_:
        make.published("1.0.0", asks())
    assert [e.path for e in refused_.value.errors] == ["spec.cluster.addOns[0]"]
    with pytest.raises(Invalid) as refused_:
        make.published("1.0.0", {"addOns": {"$param": "x"}})
    assert [e.path for e in refused_.value.errors] == ["spec.cluster.addOns"]


def test_what_is_named_stays(bob, team):
    row = make.add_on()
    make.add_on("motd", "1.1.0", config(text="hi"))
    make.published("1.0.0", asks("1.1.0"))
    make.cluster(bob, "team", spec=asks())
    root = make.admin()

    for version, user in (("1.0.0", "cluster team/first"), ("1.1.0", "template web 1.0.0")):
        with pytest.raises(Conflict, match=user):
            add_ons.delete(by=root, name="motd", version=version)
    clusters.put(by=bob, tenant_name="team", name="first", spec_text="{}")
    add_ons.delete(by=root, name="motd", version="1.0.0")
    assert not AddOnVersion.objects.filter(pk=row.pk).exists()
    with pytest.raises(NotFound):
        add_ons.delete(by=root, name="motd", version="1.0.0")


def told(cluster):
    cluster.refresh_from_db()
    return [(one.name, one.version, one.status, one.reason) for one in known.add_on_states_of(cluster)]


def test_what_is_seen_of_each_version_is_kept_until_another_is_wanted(bob, team):
    make.add_on()
    make.add_on("motd", "1.1.0", config(text="hi"))
    made = make.cluster(bob, "team", spec=asks())
    unknown, running = ConditionStatus.UNKNOWN, ConditionStatus.TRUE
    assert told(made) == [("motd", "1.0.0", unknown, Reason.NOT_YET_REPORTED)]

    make.observe(made, add_ons=(AddOnState("motd", "1.0.0", running, Reason.AS_WANTED),))
    make.observe(made)  # a pass that did not look
    assert told(made) == [("motd", "1.0.0", running, Reason.AS_WANTED)]
    assert known.desired(made.uid).add_ons_seen == (AddOnState("motd", "1.0.0", running, Reason.AS_WANTED),)
    put(by=bob, tenant_name="team", name="first", spec_text=json.dumps(asks("1.1.0")))
    assert told(made) == [("motd", "1.1.0", unknown, Reason.NOT_YET_REPORTED)]
    put(by=bob, tenant_name="team", name="first", spec_text=json.dumps({**asks("1.1.0"), "paused": True}))
    assert told(made) == [("motd", "1.1.0", unknown, Reason.PAUSED)]
    put(by=bob, tenant_name="team", name="first", spec_text="{}")
    assert told(made) == []


def test_a_quarantine_forgets_that_they_ran(bob, team):
    make.add_on()
    made = make.cluster(bob, "team", spec=asks())
    seen = Condition(ConditionType.ADD_ONS_READY, ConditionStatus.TRUE, Reason.AS_WANTED, "", 1)
    make.observe(made, seen, add_ons=(AddOnState("motd", "1.0.0", ConditionStatus.TRUE, Reason.AS_WANTED),))
    quarantine.begin(by=make.admin(), tenant_name="team", name="first", reason="it mines coins")
    assert told(made) == [("motd", "1.0.0", ConditionStatus.UNKNOWN, Reason.QUARANTINED)]
    rows = {one.type: one.status for one in known.conditions(made)}
    assert rows[ConditionType.ADD_ONS_READY] is ConditionStatus.UNKNOWN


def test_what_does_not_run_keeps_no_cluster_from_ready(bob, team):
    make.add_on()
    made = make.cluster(bob, "team", spec=asks())
    lame = Condition(ConditionType.ADD_ONS_READY, ConditionStatus.FALSE, Reason.ADD_ON_FAILED, "no", 1)
    make.observe(made, lame)
    made = make.ready(made)
    assert made.phase == Phase.READY
