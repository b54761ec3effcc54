"""A generic REST provider against a portal that runs, for every route that is written by PUT.

It plans, creates, plans again, updates, imports, destroys and makes anew, and compares what it wrote with
what it reads to the letter. Its creates and updates are cut off at random moments, as by ``kill -9``, and
several of it apply at once: one object comes of it.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.portal.api.contract_table import CONTRACT
from tests.portal.api.test_no_drift import member, spelled

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
CUTS = 12
AT_ONCE = 8
QUIET = 1.5
"""Seconds without a change after which nothing is on its way any more."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: the connection ends as that of a process that was killed."""


@pytest.fixture(scope="module")
def world(atoll):
    """What the entries of the table are about, made as an admin makes it."""
    with atoll.api("root") as root:
        made = [
            root.put("/tenants/team", json={"spec": {}}),
            root.put("/tenants/team/members/ada", json={"spec": {"role": "owner"}}),
            root.put("/accelerator-classes/gpu", json={"spec": {"resource": "example.com/gpu"}}),
            root.put("/hosts/lab", json={"spec": {"kubeconfig": "in-cluster"}}),
            root.put("/cluster-templates/web", json={"spec": {"description": "For the web"}}),
            root.post("/users", json={"metadata": {"name": "bea"}, "spec": {}}),
        ]
    assert [one.text for one in made if one.status_code >= 300] == []
    return atoll


class Provider:
    """One object of a configuration."""

    def __init__(self, atoll, entry, api):
        self.atoll, self.entry, self.api = atoll, entry, api
        self.path = entry.address.removeprefix("/api/v1")

    def read(self):
        """The whole object; ``None`` where there is none."""
        answer = self.api.get(self.path)
        assert answer.status_code in {200, 404}, answer.text
        return answer.json() if answer.status_code == 200 else None

    def spec(self):
        """As it is spelled."""
        answer = self.api.get(self.path)
        return member(spelled(answer.content), "spec") if answer.status_code == 200 else None

    def plan(self, spec):
        answer = self.api.put(f"{self.path}?dry_run=true", content=body(spec), headers=JSON)
        assert answer.status_code == 200, answer.text
        return answer.json()["action"]

    def apply(self, spec):
        """The status; afterwards it is as it was written, and nothing is left to do."""
        answer = self.api.put(self.path, content=body(spec), headers=JSON)
        assert answer.status_code in {200, 201}, answer.text
        assert member(spelled(answer.content), "spec") == spelled(json.dumps(spec)) == self.spec()
        assert self.plan(spec) == "none"
        return answer.status_code

    def cut_off(self, spec):
        """An apply that is killed at some moment: before all was sent, or before an answer came."""
        place, sent = urlsplit(self.atoll.url), body(spec)
        head = (
            f"PUT /api/v1{self.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.atoll.tokens[WHO[self.entry.by]]}\r\nContent-Length: {len(sent)}\r\n\r\n"
        ).encode()
        whole = head + sent
        with closing(socket.create_connection((place.hostname, place.port))) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.sendall(whole[: random.choice((len(whole), len(whole), random.randrange(len(whole))))])
            time.sleep(random.uniform(0, 0.05))

    def landed(self):
        """Waits for applies that were cut off and are on their way still: a late one would be a change of its own."""
        before, since = None, time.monotonic()
        while time.monotonic() - since < QUIET:
            found = self.read()
            if found != before:
                before, since = found, time.monotonic()
            time.sleep(0.1)

    def destroy(self):
        """Until nothing is there."""
        answer = self.api.delete(f"{self.path}?wait=30s" if self.entry.deleted == 202 else self.path)
        assert answer.status_code in {200, 204}, answer.text
        assert self.read() is None
        assert self.api.delete(self.path).status_code in {202, 404}


WHO = {"owner": "ada", "admin": "root"}
JSON = {"Content-Type": "application/json"}


def body(spec):
    return json.dumps({"spec": spec}).encode()


@pytest.fixture
def mine(world, route):
    entry = CONTRACT[route]
    with world.api(WHO[entry.by]) as api:
        yield Provider(world, entry, api)


@pytest.mark.parametrize("route", sorted(CONTRACT))
def test_a_life_with_applies_that_were_cut_off(mine):
    entry = mine.entry
    settled = json.loads(json.dumps(entry.spec))
    assert (mine.plan(settled), mine.read()) == ("create", None)

    for _ in range(CUTS):
        mine.cut_off(settled)
    with ThreadPoolExecutor(AT_ONCE) as crowd:
        apply = lambda _: mine.api.put(mine.path, content=body(settled), headers=JSON)  # noqa: E731
        together = list(crowd.map(apply, range(AT_ONCE)))
    assert {one.status_code for one in together} <= {200, 201}, [one.text for one in together]
    assert sum(one.status_code == 201 for one in together) <= 1
    assert mine.apply(settled) == 200
    mine.landed()
    made = mine.read()
    assert {one.json()["metadata"]["uid"] for one in together} == {made["metadata"]["uid"]}
    assert made["metadata"]["generation"] == 1

    for _ in range(CUTS):
        mine.cut_off(entry.other)
    mine.apply(entry.other)
    mine.landed()
    changed = mine.read()
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    if entry.deleted is None:  # a published version: what is in it stays
        return
    assert changed["metadata"]["generation"] == 2

    imported = changed["spec"]  # by its key, as `import` has it
    assert mine.plan(imported) == "none"
    whole = mine.api.get(mine.path)
    again = mine.api.put(mine.path, content=whole.content, headers=JSON)
    assert (again.status_code, again.headers["ETag"]) == (200, whole.headers["ETag"])

    mine.destroy()
    assert mine.apply(settled) == 201
    anew = mine.read()["metadata"]
    assert (anew["generation"], anew["uid"] == made["metadata"]["uid"]) == (1, False)
    mine.destroy()
