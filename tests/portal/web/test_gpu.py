"""Pages of accelerators: what a team has, requests and their decision, grants, the catalogue and the inbox."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tenancy.actions import accelerators, decisions, grants, requests
from tenancy.grant_enums import RequestState
from tenancy.models import (
    AcceleratorClass,
    DeviceUsage,
    Grant,
    GrantRequest,
    NodePool,
    Notice,
    VirtualCluster,
)
from tenancy.queries import calendar
from tenancy.rules.requests import Terms
from tests import factories
from tests.portal.web.conftest import World, shown

if TYPE_CHECKING:
    from django.test import Client

CLUSTER = {"tenant": "team", "name": "first", "size": "small", "version": "1.36"}


@pytest.fixture
def pool(world: World) -> NodePool:
    factories.accelerator()
    return factories.gpu_pool(4)


def day(after: int) -> str:
    return (calendar.today() + timedelta(days=after)).isoformat()


def ask(world: World, amount: int = 2) -> GrantRequest:
    return factories.gpu_request(world.alice, amount)


def test_a_team_asks_and_sees_what_becomes_of_it(world: World, pool: NodePool) -> None:
    client = world.client("bob")
    said = shown(client.get("/gpu"))
    assert "gpu 0 0 0 none -" in said
    assert "1 gpu would fit" in said
    assert "An admin will be asked" in said
    body = {"tenant": "team", "key": "gpu", "amount": "2", "justification": "training"}
    made = client.post("/gpu", body)
    request = GrantRequest.objects.get()
    assert (made.status_code, made["Location"]) == (302, f"/gpu/requests/{request.uid}")
    said = shown(client.get(made["Location"]))
    assert "2 gpu for team Requested" in said
    assert "The admins are told. What they decide comes to your inbox" in said
    assert "Approve" not in said
    again = client.post("/gpu", body)
    assert again.status_code == 422
    assert "withdraw it, or wait for it" in shown(again)
    assert "training" in shown(again)


def test_what_is_typed_is_told_at_once(world: World, pool: NodePool) -> None:
    client = world.client("alice")
    fit = f"/gpu/fit?tenant=team&key=gpu&until={day(5)}&amount="
    assert "5 gpu do not fit" in shown(client.get(f"{fit}5"))
    assert "The nearest amount that fits is 4" in shown(client.get(f"{fit}5"))
    factories.accelerator(auto_approve_up_to=3, two_approvers_from=4)
    assert "Granted at once, nobody has to be asked" in shown(client.get(f"{fit}3"))
    assert "Two admins will be asked" in shown(client.get(f"{fit}4"))
    assert shown(client.get(f"{fit}x")).startswith("1 gpu would fit")


def test_an_approver_sees_the_facts_and_decides(world: World, pool: NodePool) -> None:
    world_grant = factories.gpu_grant(world.alice, 1)
    request = ask(world, 4)
    client = world.client("root")
    assert "4 gpu team" in shown(client.get("/gpu/approvals"))
    said = shown(client.get(f"/gpu/requests/{request.uid}"))
    assert "It does not fit: 3 of 4 devices of pool 'gpus' are free" in said
    assert "The nearest amount that fits is 3: offer it instead" in said
    assert f"In the way 1 of team until {world_grant.ends_on}" in said
    what_if = f"/gpu/requests/{request.uid}/what-if?amount=3&since={day(0)}&until={day(9)}"
    assert "It fits in pool lab/gpus" in shown(client.get(what_if))
    bad = shown(client.get(f"/gpu/requests/{request.uid}/what-if?until={day(0)}"))
    assert "the last day is exclusive" in bad
    full = client.post(f"/gpu/requests/{request.uid}/approve", {"reason": "fine"})
    assert full.status_code == 422
    assert "Nearest that fits: 3" in shown(full)
    mute = client.post(f"/gpu/requests/{request.uid}/deny", {"reason": " "})
    assert mute.status_code == 422
    offer = {"reason": "three are left", "amount": "3"}
    assert client.post(f"/gpu/requests/{request.uid}/counter", offer).status_code == 302
    member = world.client("bob")
    said = shown(member.get(f"/gpu/requests/{request.uid}"))
    assert "Accept the offer Decline it Withdraw" in said
    assert "root: three are left" in said
    assert member.post(f"/gpu/requests/{request.uid}/accept").status_code == 302
    request.refresh_from_db()
    assert request.state == RequestState.APPROVED
    assert "gpu 4 0 0 none" in shown(member.get("/gpu"))


def test_nobody_agrees_to_other_terms_than_they_saw(world: World, pool: NodePool) -> None:
    factories.cluster(world.alice, "team", "first", {"accelerators": [{"class": "gpu", "count": 1}]})
    request = GrantRequest.objects.get()
    address, root, team = f"/gpu/requests/{request.uid}", world.client("root"), world.client("bob")

    def terms(client: Client) -> str:
        return client.get(address).content.decode().partition('name="terms" value="')[2].partition('"')[0]

    seen = terms(root)
    factories.cluster(world.alice, "team", "second", {"accelerators": [{"class": "gpu", "count": 3}]})
    moved = root.post(f"{address}/approve", {"reason": "one is fine", "terms": seen})
    said = root.get(moved["Location"])
    assert "so nothing was done" in shown(said)
    assert "one is fine" in said.content.decode()
    request.refresh_from_db()
    assert (request.state, request.amount) == (RequestState.REQUESTED, 4)
    offer = {"reason": "two", "terms": terms(root), "amount": "2"}
    assert root.post(f"{address}/counter", offer).status_code == 302
    seen = terms(team)
    root.post(f"{address}/counter", {"reason": "rather one", "amount": "1"})
    team.post(f"{address}/accept", {"terms": seen})
    request.refresh_from_db()
    assert (request.state, request.amount) == (RequestState.COUNTERED, 1)
    team.post(f"{address}/accept", {"terms": terms(team)})
    request.refresh_from_db()
    assert request.state == RequestState.APPROVED


def test_four_eyes_are_told_beforehand(world: World, pool: NodePool) -> None:
    mine = factories.gpu_request(world.root)
    said = shown(world.client("root").get(f"/gpu/requests/{mine.uid}"))
    assert "so another admin decides" in said
    assert "as asked" not in said


def test_a_grant_is_extended_returned_and_proved(world: World, pool: NodePool) -> None:
    grant = factories.gpu_grant(world.alice)
    client = world.client("bob")
    assert "In force: clusters of the team may use it" in shown(client.get(f"/gpu/grants/{grant.uid}"))
    bad = client.post(f"/gpu/grants/{grant.uid}", {"until": day(1), "justification": "more"})
    assert bad.status_code == 422
    assert f"Give a day after {grant.ends_on}" in shown(bad)
    good = client.post(f"/gpu/grants/{grant.uid}", {"until": day(60), "justification": "more"})
    request = GrantRequest.objects.get(extends=grant)
    assert good["Location"] == f"/gpu/requests/{request.uid}"
    decisions.deny(by=world.root, uid=request.uid, reason="no")
    assert client.post(f"/gpu/grants/{grant.uid}/return", {"reason": "done"}).status_code == 302
    said = shown(client.get(f"/gpu/grants/{grant.uid}"))
    assert "Reclaiming" in said
    assert "More days" not in said
    grants.tick()
    receipt = client.get(f"/gpu/grants/{grant.uid}/receipt")
    assert receipt.content.decode().strip() == Grant.objects.get().receipt
    assert "Receipt" in shown(client.get(f"/gpu/grants/{grant.uid}"))


def test_an_admin_names_what_a_host_has(world: World) -> None:
    factories.gpu_pool(4)
    client = world.client("root")
    page = client.get("/gpu/catalogue")
    assert "nvidia.com/gpu lab 4 on 1 node Name it" in shown(page)
    link = page.content.decode().split('href="/gpu/catalogue?kind')[1].split('"')[0].replace("&amp;", "&")
    assert 'value="nvidia.com/gpu"' in client.get(f"/gpu/catalogue?kind{link}").content.decode()
    body = {
        "name": "h100",
        "kind": "extended-resource",
        "resource": "nvidia.com/gpu",
        "auto_approve_up_to": "1",
        "two_approvers_from": "4",
        "default_days": "30",
        "longest_days": "365",
        "grace_seconds": "60",
        "weight": "10",
        "offered": "on",
    }
    bad = client.post("/gpu/catalogue", {**body, "resource": "gpu"})
    assert bad.status_code == 422
    assert "such as 'nvidia.com/gpu'" in shown(bad)
    assert client.post("/gpu/catalogue", body).status_code == 302
    made = AcceleratorClass.objects.get()
    assert (made.key, made.auto_approve_up_to, made.weight, made.offered) == ("h100", 1, 10, True)
    said = shown(client.get("/gpu/catalogue"))
    assert "h100 nvidia.com/gpu nobody up to 1, an admin, two from 4" in said
    assert "h100 lab/gpus 4 0 gpus-1: 4 of 4 not in use" in said
    assert 'value="h100"' in client.get("/gpu/catalogue?class=h100").content.decode()
    assert client.post("/gpu/catalogue/h100/remove").status_code == 302
    assert not AcceleratorClass.objects.exists()


def test_a_cluster_with_accelerators_says_who_is_asked_and_waits(world: World, pool: NodePool) -> None:
    client = world.client("alice")
    quota = "/clusters/new/quota?tenant=team&name=first&size=small&version=1.36&devices_gpu="
    assert "2 more than is granted, so an admin is asked" in shown(client.get(f"{quota}2"))
    assert shown(client.get(f"{quota}9")).count("devices of pool") == 1
    made = client.post("/clusters/new", {**CLUSTER, "devices_gpu": "2"})
    assert made.status_code == 302
    assert not [c for c in VirtualCluster.objects.all() if c.name != "first"]
    said = shown(client.get("/clusters/team/first"))
    assert "Gpu: 2 asked for, 0 granted: it goes on by itself once that is granted" in said
    assert "See the request for gpu" in said
    assert "gpu 2 0 granted" in said
    request = GrantRequest.objects.get()
    decisions.deny(by=world.root, uid=request.uid, reason="no")
    said = shown(client.get("/clusters/team/first"))
    assert "ask for devices again, or ask for less" in said
    assert "See the request" not in said
    terms = Terms(2, calendar.today(), calendar.today() + timedelta(days=5))
    asked = requests.submit(by=world.alice, tenant_name="team", key="gpu", terms=terms, justification="again")
    decisions.approve(by=world.root, uid=asked.uid, reason="yes")
    assert "asked for, 0 granted" not in shown(client.get("/clusters/team/first"))
    assert "within your grant" in shown(client.get(f"{quota}2"))


def test_the_inbox_counts_and_leads_on(world: World, pool: NodePool) -> None:
    request = ask(world)
    client = world.client("root")
    assert '<span class="count">1</span>' in client.get("/").content.decode()
    assert "team asks for 2 gpu" in shown(client.get("/inbox"))
    told = Notice.objects.get(user=world.root.user)
    assert client.post(f"/inbox/{told.uid}")["Location"] == f"/gpu/requests/{request.uid}"
    assert '<span class="count">' not in client.get("/").content.decode()
    assert world.client("bob").post(f"/inbox/{told.uid}").status_code == 404
    decisions.deny(by=world.root, uid=request.uid, reason="no room")
    bob = world.client("bob")
    assert "2 gpu for team: denied" in shown(bob.get("/inbox"))
    assert bob.post("/inbox/read").status_code == 302
    assert "Mark all as read" not in shown(bob.get("/inbox"))


def test_the_queue_of_approvers_keeps_itself_fresh(world: World, pool: NodePool) -> None:
    client = world.client("root")
    page = client.get("/gpu/approvals").content.decode()
    live = page.partition('hx-get="')[2].partition('"')[0]
    assert client.get(live).status_code == 204
    request = ask(world)
    fresh = client.get(live)
    assert "2 gpu team" in shown(fresh)
    requests.withdraw(by=world.alice, uid=request.uid)
    assert "Nothing waits for you" in shown(client.get(live + "0"))
    assert world.client("bob").get(live).status_code == 403


def test_the_page_of_a_request_keeps_itself_fresh(world: World, pool: NodePool) -> None:
    request = ask(world)
    address = f"/gpu/requests/{request.uid}"
    team, root = world.client("bob"), world.client("root")

    def live(client: Client) -> str:
        page = client.get(address).content.decode()
        return page.partition('id="request" hx-get="')[2].partition('"')[0].replace("&amp;", "&")

    waiting, deciding = live(team), live(root)
    assert [team.get(waiting).status_code, root.get(deciding).status_code] == [204, 204]
    what_if = f"{address}/what-if?amount=2&since={day(0)}&until={day(30)}"
    seen = root.get(what_if).content.decode().partition('name="shown" value="')[2].partition('"')[0]
    assert root.get(f"{what_if}&shown={seen}").status_code == 204
    accelerators.set_limit(by=world.root, tenant_name="team", key="gpu", amount=1)
    assert "It does not fit" in shown(root.get(f"{what_if}&shown={seen}"))
    offer = Terms(1, calendar.today(), calendar.today() + timedelta(days=5))
    decisions.counter(by=world.root, uid=request.uid, terms=offer, reason="one is left")
    fresh = team.get(waiting)
    assert "Accept the offer" in shown(fresh)
    assert "root: one is left" in shown(fresh)
    assert "hx-swap-oob" in fresh.content.decode()
    assert "half typed" in root.get(f"{deciding}&reason=half+typed").content.decode()
    requests.withdraw(by=world.alice, uid=request.uid)
    ended = team.get(waiting).content.decode()
    assert "hx-get" not in ended
    assert world.client("charlie").get(waiting).status_code == 404


def test_use_is_shown_to_a_team_and_to_admins(world: World, pool: NodePool) -> None:
    grant = factories.gpu_grant(world.alice, 2)
    hours = {"granted": 36_000, "held": 18_000, "used": 9_000}
    row = {"tenant": grant.tenant, "accelerator": grant.accelerator, "sampled_at": calendar.now()}
    DeviceUsage.objects.create(day=calendar.today(), **row, **hours)
    for name, where in (("bob", "/gpu/usage?tenant=team"), ("root", "/gpu/usage")):
        assert "team gpu 10.0 h 5.0 h 2.5 h 25 % 10.0" in shown(world.client(name).get(where))
    client = world.client("root")
    assert "Nothing was granted on these days" in shown(
        client.get(f"/gpu/usage?since={day(1)}&until={day(2)}")
    )
    wrong = client.get(f"/gpu/usage?since={day(1)}&until={day(1)}")
    assert f"Give a day after {day(1)}" in shown(wrong)
    assert world.client("bob").get("/gpu/usage").status_code == 403


def test_an_admin_limits_what_a_tenant_may_be_granted(world: World, pool: NodePool) -> None:
    client = world.client("root")
    assert client.post("/gpu/limit", {"tenant": "team", "key": "gpu", "amount": "3"}).status_code == 302
    said = shown(client.get("/gpu?tenant=team"))
    assert "team has a limit of 3 of gpu. What is granted stays." in said
    assert "gpu 0 0 0 3 -" in said
    client.post("/gpu/limit", {"tenant": "team", "key": "gpu", "amount": ""})
    assert "no limit any more" in shown(client.get("/gpu?tenant=team"))
    client.post("/gpu/limit", {"tenant": "team", "key": "none", "amount": "1"})
    assert "Choose a class" in shown(client.get("/gpu?tenant=team"))
    assert world.client("bob").post("/gpu/limit", {"tenant": "team", "key": "gpu"}).status_code == 403
    assert "Set limit of" not in shown(world.client("bob").get("/gpu"))
