"""A team's clusters in several pools that have the class: one request at a time, and nobody is forgotten."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tenancy.actions import clusters, decisions, devices, requests
from tenancy.enums import Phase, PlatformRole
from tenancy.errors import NotAllowed
from tenancy.grant_enums import RequestState
from tenancy.models import GrantRequest, VirtualCluster
from tests import factories as make
from tests.support.grants import approve, ask, has, put, spec, terms

pytestmark = pytest.mark.django_db


@pytest.fixture
def own(bob, team):
    """A second pool with the class, the team's own."""
    return make.gpu_pool(4, "own", "team")


def put_own(by, count, name="second"):
    make.cluster(by, "team", name, {**spec(count), "isolation": {"model": "dedicated-pool", "pool": "own"}})
    return VirtualCluster.objects.get(name=name)


def open_request():
    found = GrantRequest.objects.filter(state=RequestState.REQUESTED).first()
    return found and (found.pool.name, found.amount, found.asked_by)


def told(name):
    return VirtualCluster.objects.get(name=name).conditions.get(type="Approved").message


@pytest.mark.parametrize("decide", ["approve", "deny", "withdraw"])
def test_the_other_pools_request_follows_once_the_open_one_is_decided(bob, own, decide):
    put(bob, 2)
    put_own(bob, 3)
    assert open_request() == ("gpus", 2, ["bob"])
    assert "one for this cluster is made by itself" in told("second")
    assert devices.ask_in_turn() == 0
    first = GrantRequest.objects.get()
    {
        "approve": lambda: approve(first),
        "deny": lambda: decisions.deny(by=make.admin(), uid=first.uid, reason="no"),
        "withdraw": lambda: requests.withdraw(by=bob, uid=first.uid),
    }[decide]()
    assert devices.ask_in_turn() == 1
    assert open_request() == ("own", 3, ["bob"])
    assert "An admin decides the open request" in told("second")
    approve(GrantRequest.objects.get(state=RequestState.REQUESTED))
    assert has("second") == (3, 3)
    assert VirtualCluster.objects.get(name="second").phase == Phase.PENDING
    assert devices.ask_in_turn() == 0
    assert open_request() is None  # what was denied is not asked for again


def test_a_request_that_nobody_needs_any_more_makes_way_at_once(bob, own):
    put(bob, 2)
    put_own(bob, 3)
    clusters.delete(by=bob, tenant_name="team", name="first")
    assert open_request() == ("own", 3, ["bob"])


def test_whoever_wished_it_does_not_decide_it(bob, own):
    root = make.admin()
    eve = make.actor("eve", PlatformRole.ADMIN)
    put(bob, 2)
    put_own(root, 1)
    put_own(bob, 1, "third")
    approve(GrantRequest.objects.get(), eve)
    devices.ask_in_turn()
    assert open_request() == ("own", 2, ["bob", "root"])
    request = GrantRequest.objects.get(state=RequestState.REQUESTED)
    with pytest.raises(NotAllowed, match="another admin"):
        approve(request, root)
    approve(request, eve)
    assert (has("second"), has("third")) == ((1, 1), (1, 1))


def test_a_persons_own_request_that_does_not_help_is_followed_by_the_clusters(bob, own):
    request = ask(bob, 1)
    put_own(bob, 3)
    approve(request, pool=("lab", "gpus"))
    devices.ask_in_turn()
    assert open_request() == ("own", 3, ["bob"])


def test_a_persons_own_request_that_helps_is_followed_by_none(bob, own):
    request = ask(bob, 3)
    put_own(bob, 3)
    approve(request, pool=("lab", "own"))
    assert has("second") == (3, 3)
    assert devices.ask_in_turn() == 1
    assert (open_request(), devices.ask_in_turn()) == (None, 0)


def test_a_wish_that_is_taken_back_is_not_asked_for(bob, own):
    put(bob, 2)
    put_own(bob, 3)
    put_own(bob, 0)
    approve(GrantRequest.objects.get())
    assert (devices.ask_in_turn(), open_request()) == (0, None)


def test_who_may_not_ask_for_devices_does_not_wait_for_a_turn(bob, own):
    put(bob, 2)
    with pytest.raises(NotAllowed):
        put_own(replace(bob, scopes=("clusters:*", "tenants:*")), 3)
    assert not VirtualCluster.objects.filter(name="second").exists()


def test_the_next_request_is_approved_by_policy_where_it_may(bob, own):
    make.accelerator(auto_approve_up_to=3)
    first = ask(bob, 4)
    put_own(bob, 3)
    requests.withdraw(by=bob, uid=first.uid)
    devices.ask_in_turn()
    assert has("second") == (3, 3)
    assert VirtualCluster.objects.get(name="second").unasked == {}
    assert told("second") == ""


def test_an_offer_of_less_stands_until_what_clusters_lack_changes(bob, team):
    put(bob, 4)
    request = GrantRequest.objects.get()
    decisions.counter(by=make.admin(), uid=request.uid, terms=terms(2), reason="two will do")
    make.cluster(bob, "team", "first", {**spec(4), "resources": {"cpu": "3"}})
    request.refresh_from_db()
    assert (request.state, request.amount) == (RequestState.COUNTERED, 2)
    narrow = replace(bob, scopes=("clusters:*", "tenants:*"))
    make.cluster(
        narrow, "team", "first", {**spec(4), "resources": {"cpu": "2"}}
    )  # it asks for no more than before
    put(bob, 3)
    request.refresh_from_db()
    assert (request.state, request.amount) == (RequestState.REQUESTED, 3)


def test_a_plan_is_refused_where_the_write_would_be(bob, own):
    ask(bob, 4)
    narrow = replace(bob, scopes=("clusters:*", "tenants:*"))
    wish = {**spec(3), "isolation": {"model": "dedicated-pool", "pool": "own"}}
    asked = {"by": narrow, "tenant_name": "team", "name": "second", "spec_text": json.dumps(wish)}
    for verb in (clusters.plan, clusters.put):
        with pytest.raises(NotAllowed):
            verb(**asked)
