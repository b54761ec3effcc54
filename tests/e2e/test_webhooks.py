"""Webhooks of a whole Atoll: a receiver on loopback, which the stack's admin allows, hears what happens."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
from contextlib import contextmanager

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.e2e.stack import children, wait_for
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
TENANT = "hooked"
HOOK = f"/tenants/{TENANT}/webhooks/chat"


@pytest.fixture
def admin(stack):
    with stack.client("admin.token") as api:
        yield api


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


@pytest.fixture
def secret(admin, receiver):
    """Of a webhook of a tenant of its own, which is deleted afterwards."""
    assert admin.put(f"/tenants/{TENANT}", json={"spec": {}}).status_code < 300
    made = admin.put(HOOK, json={"spec": {"url": receiver.url, "types": ["tenant.updated"]}})
    assert made.status_code == 201, made.text
    yield made.json()["secret"]
    admin.delete(HOOK)
    admin.delete(f"/tenants/{TENANT}")


_names = itertools.count(1)


def happens(admin):
    """One event."""
    spec = {"displayName": f"Name {next(_names)}"}
    assert admin.put(f"/tenants/{TENANT}", json={"spec": spec}).status_code == 200


def heard(receiver, count, seconds=15):
    """So many requests, all that came."""
    wait_for(
        lambda: f"{count} requests, of {receiver.requests}", lambda: len(receiver.requests) >= count, seconds
    )
    return receiver.requests


def ids(requests):
    return [one.headers["webhook-id"] for one in requests]


def delivery(admin, state):
    """The newest, once it is in a state."""

    def look():
        found = admin.get(f"{HOOK}/deliveries").json()["items"]
        return found[0] if found and found[0]["state"] == state else None

    return wait_for(f"a delivery is {state}", look, 15)


def test_down_up_redelivered_and_rotated(stack, admin, receiver, secret):
    receiver.status = 500
    happens(admin)
    heard(receiver, 1)
    receiver.status = 204
    first, again = heard(receiver, 2)  # after the five seconds that docs/webhooks.md tells
    assert ids([first, again]) == [ids([first])[0]] * 2
    event = Webhook(secret).verify(again.body, again.headers)
    assert (event["type"], event["id"]) == ("tenant.updated", ids([again])[0])
    done = delivery(admin, "delivered")
    assert [one["status"] for one in done["attempts"]] == [500, 204]

    assert admin.post(f"{HOOK}/deliveries/{done['id']}/redeliver").status_code < 300
    heard(receiver, 3)
    with signed_in(stack) as browser:
        sent = browser.post(f"{HOOK}/deliveries/{done['id']}/redeliver", data=token(browser))
        assert sent.status_code == 302, sent.text
    assert set(ids(heard(receiver, 4))) == {event["id"]}

    fresh = admin.post(f"{HOOK}/rotate").json()["secret"]
    happens(admin)
    newest = heard(receiver, 5)[-1]
    for key in (secret, fresh):
        Webhook(key).verify(newest.body, newest.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(fresh).verify(newest.body.replace(b"tenant.updated", b"tenant.deleted"), newest.headers)


@pytest.mark.long
def test_a_worker_that_dies_in_the_middle_sends_it_again(stack, admin, receiver, secret):
    main = stack.workers()[0]
    receiver.way = "silent"
    happens(admin)
    heard(receiver, 1)
    receiver.way = ""
    for pid in (main, *children(main)):
        os.kill(pid, signal.SIGKILL)

    first, second = heard(receiver, 2, 90)[:2]  # after the lease of the one that died

    assert ids([first]) == ids([second])
    Webhook(secret).verify(second.body, second.headers)
    assert [one["status"] for one in delivery(admin, "delivered")["attempts"]] == [200]


@pytest.mark.long
def test_a_clusters_life_is_told_in_order(admin, demo, receiver):
    path = f"/tenants/{demo.tenant}/webhooks/life"
    types = ["cluster.created", "cluster.phase-changed", "cluster.deleted"]
    made = admin.put(path, json={"spec": {"url": receiver.url, "types": types}})
    assert made.status_code == 201, made.text
    try:
        assert demo.put("told", {"persistence": "ephemeral"}).status_code == 201
        demo.wait_ready("told")
        assert demo.delete("told").status_code == 202
        demo.wait_gone("told")
        wait_for("its end is told", lambda: of("told", receiver)[-1]["type"] == "cluster.deleted", 15)
    finally:
        admin.delete(path)
    told = [Webhook(made.json()["secret"]).verify(one.body, one.headers) for one in receiver.requests]
    numbers = [int(one["id"].rpartition("-")[2]) for one in told]
    assert numbers == sorted(set(numbers))
    mine = of("told", receiver)
    assert [one["type"] for one in (mine[0], mine[-1])] == ["cluster.created", "cluster.deleted"]
    phases = [one["data"]["newPhase"] for one in mine if one["type"] == "cluster.phase-changed"]
    assert phases.index("Ready") < phases.index("Deleting")


def of(name, receiver):
    """What was told of a cluster."""
    bodies = [json.loads(one.body) for one in receiver.requests]
    return [one for one in bodies if one["data"]["object"]["name"] == name]


@contextmanager
def signed_in(stack):
    """A browser of the admin's."""
    found = re.search(r"^admin: (\S+)", (stack.home / "credentials").read_text(), re.MULTILINE)
    with httpx.Client(base_url=stack.url, headers={"Origin": stack.url}, timeout=30) as browser:
        browser.get("/sign-in")
        wish = {"username": "admin", "password": found[1], **token(browser)}
        answer = browser.post("/sign-in", data=wish)
        assert answer.status_code == 302, answer.text
        yield browser


def token(browser):
    return {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
