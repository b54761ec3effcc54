"""Random templates, clusters and changes of both, through the database: what a plan says is what then happens."""

from __future__ import annotations

import json
from random import Random

import pytest

from tenancy.actions import clusters, templates
from tenancy.enums import ConditionType
from tenancy.errors import DomainError
from tenancy.models import TemplateVersion, VirtualCluster
from tenancy.queries import clusters as known
from tenancy.queries import impact
from tenancy.rules.templates import FIELDS, GROUPS
from tenancy.template_enums import TemplateVerdict
from tests import factories as make
from tests.support.manifests import config

pytestmark = pytest.mark.django_db
CASES, MANY = 10, 200
STEPS = 7
CLUSTERS = ("one", "two", "three")
RANGES = ("^1", "^1.0", "~1.1", "1.0.0", "1.1.0", ">=1.1 <3", "^2", "<1.2")
SOME = {
    "kubernetesVersion": ("1.36", "1.35", "1.99"),
    "isolation": ({"sandbox": "gvisor"}, {"sandbox": "kata"}, {"model": "shared"}, {"pool": "mine"}, None),
    "resources": ({"cpu": "1"}, {"cpu": "2", "memory": "1Gi"}, {"pods": 50}, {"storage": "0"}, {}),
    "accelerators": ([], [{"class": "gpu"}], [{"class": "gpu", "count": 3}]),
    "persistence": ("persistent", "ephemeral", None),
    "deletionProtection": (True, False),
    "addOns": ([], [{"name": "motd", "version": "1.0.0"}], [{"name": "motd", "version": "1.1.0"}]),
}
SIZE = {"type": "string", "enum": ["1", "4"], "default": "1"}
PODS = {"type": "integer", "minimum": 5, "maximum": 60}


class World:
    """What there is in one case."""

    def __init__(self, seed, bob):
        self.draw, self.bob, self.root = Random(seed), bob, make.admin()
        make.template()
        self.publish("1.0.0", self.content())

    def spec(self, most=2):
        fields = self.draw.sample(sorted(SOME), self.draw.randint(0, most))
        return {field: self.draw.choice(SOME[field]) for field in fields}

    def content(self):
        draw, cluster = self.draw, self.spec(3)
        found = {"cluster": cluster}
        properties = {}
        if draw.random() < 0.5:
            properties["size"] = SIZE
            cluster["resources"] = {**(cluster.get("resources") or {}), "cpu": {"$param": "size"}}
        if draw.random() < 0.2:
            properties["pods"] = PODS
            cluster["resources"] = {**(cluster.get("resources") or {}), "pods": {"$param": "pods"}}
        if properties:
            required = [name for name in properties if name == "pods"]
            found["parameters"] = {"type": "object", "properties": properties, "required": required}
        if draw.random() < 0.5:
            locks = draw.sample((*GROUPS, *FIELDS), draw.randint(0, 3))
            found[draw.choice(("locked", "locked", "overridable"))] = locks
        return found

    def wish(self):
        if self.draw.random() < 0.2:
            return self.spec()
        given = {"size": self.draw.choice(("1", "4"))} if self.draw.random() < 0.4 else {}
        if self.draw.random() < 0.3:
            given["pods"] = self.draw.choice((5, 61))
        template = {"name": "web", "version": self.draw.choice(RANGES), "parameters": given}
        return {**self.spec(), "template": template}

    def publish(self, version, content):
        make.published(version, content.pop("cluster"), **content)

    def state(self):
        rows = VirtualCluster.objects.select_related("template_version__template", "tenant", "host")
        return {row.name: (row.template_version, known.effective_values(row)) for row in rows}


def ending(action, **named):
    try:
        return action(**named), None
    except DomainError as error:
        return None, (error.code, error.detail, error.errors)


def check_write(world):
    """A plan of a PUT, and the PUT."""
    wish = {"by": world.bob, "tenant_name": "team", "name": world.draw.choice(CLUSTERS)}
    wish["spec_text"] = json.dumps(world.wish())
    before = world.state()
    plan, refusal = ending(clusters.plan, **wish)
    assert world.state() == before
    _, refused = ending(clusters.put, **wish)
    assert refused == refusal
    after = world.state()
    changed = {name: seen for name, seen in after.items() if seen != before.get(name)}
    assert set(changed) <= {wish["name"]}
    if plan is None:
        assert not changed
        return "refused"
    version, values = after[wish["name"]]
    if plan.action == "none":
        assert not changed
        return "equal"
    assert version == (plan.template.version if plan.template else None)
    if plan.action == "update":
        assert with_changes(before[wish["name"]][1], plan.effective) == values
    return plan.action


def check_publish(world):
    """A plan of a version, the version, and what clusters then do by themselves."""
    version = f"{world.draw.choice((1, 1, 1, 2))}.{world.draw.randint(0, 3)}.{world.draw.randint(0, 2)}"
    content = world.content()
    text = {"by": world.root, "name": "web", "version": version, "text": json.dumps(content)}
    while make.follow():
        """What was left over from other steps does not count for this one."""
    before = world.state()
    plan, refusal = ending(templates.plan, **text)
    told = {one.name: impact.of(one, plan.version) for one in plan.clusters} if plan else {}
    assert world.state() == before
    _, refused = ending(templates.publish, **text)
    assert refused == refusal
    make.follow()
    after = world.state()
    for name, (row, values) in after.items():
        found = told.get(name)
        if found is None or found.verdict is not TemplateVerdict.MOVES:
            assert (row, values) == before[name], found
        elif found.message and row == before[name][0]:
            assert "accelerators" in found.message
        else:
            assert row.name == version, (found, why(name))
            assert with_changes(before[name][1], found.changes) == values
    return {found.verdict.value for found in told.values()} or {"none"}


def why(name):
    """What a cluster says of its template."""
    seen = known.conditions(VirtualCluster.objects.get(name=name))
    return next(one.message for one in seen if one.type is ConditionType.TEMPLATE_FOLLOWED)


def check_yank(world):
    """Nobody goes back because of it."""
    row = world.draw.choice(list(TemplateVersion.objects.all()))
    before = world.state()
    content = {**json.loads(row.spec_text), "state": world.draw.choice(("yanked", "active"))}
    templates.publish(by=world.root, name="web", version=row.name, text=json.dumps(content))
    make.follow()
    for name, (version, _) in world.state().items():
        then = before[name][0]
        assert then is None or reads_number(version) >= reads_number(then)


def reads_number(row):
    return (row.major, row.minor, row.patch)


def with_changes(values, changes):
    found = json.loads(json.dumps(values)) or {}
    for path, old, new in changes:
        *way, last = path.split(".")
        place = found
        for key in way:
            place = place.setdefault(key, {})
        assert place.get(last) == old
        place[last] = new
        if new is None and way in (["accelerators"], ["addOns"]):
            del place[last]
    return found


def live(seed, bob):
    world, seen = World(seed, bob), set()
    for name in CLUSTERS[:2]:
        ending(make.cluster, by=bob, tenant_name="team", name=name, spec=world.wish())
    for _ in range(STEPS):
        step = world.draw.choices((check_write, check_publish, check_yank), (3, 4, 1))[0]
        ended = step(world)
        seen |= ended if isinstance(ended, set) else {ended}
    return seen


@pytest.fixture
def world(bob, team):
    make.pool("mine", "team")
    make.add_on()
    make.add_on("motd", "1.1.0", config(text="hi"))
    return bob


@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(CASES))
def test_what_a_plan_says_happens(world, seed):
    assert live(seed, world)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(CASES, MANY))
def test_what_a_plan_says_happens_in_many_lives(world, seed):
    assert live(seed, world)
