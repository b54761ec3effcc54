"""What gets through between tenants and to the host: packets decide, not objects.

First nothing is in force and every way is open, so each try can succeed. Then the very policies that the
provisioner makes are applied, and only what a tenant needs answers; a pod without policies goes on reaching
all, so what is closed is not merely dead. IPv6 the lab has none (tests/lab proves that).
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from subprocess import DEVNULL, PIPE, Popen

import pytest

from tests.isolation import traffic, wires
from tests.isolation.traffic import SERVER
from tests.lab.conftest import until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

OWN = {
    "tenant",
    "tenant-from-53",
    "tenant-from-8443",
    "far",
    "dns-udp",
    "dns-by-service-udp",
    "dns-by-service-tcp",
}
"""Of the own pods, whichever port a packet comes from."""
OWN_API = {"api", "api-by-service"}
HOST_API = {"host-api-by-address", "host-api-by-service"}
ALLOWED = {
    "tenant": OWN | OWN_API,
    # Itself without a packet; as the syncer, the host's API.
    "plane": OWN | HOST_API | {"api", "plane-other-port"},
    # Without any label: nobody makes such a pod, and if somebody did, all is closed.
    "stray": set(),
}
"""What each of a tenant's pods reaches of its own cluster and of the host; nothing else."""
SOURCES = [f"{who}/{name}" for who in ("one", "two") for name in ALLOWED]
OUTSIDER = "open/control"
QUIET = 4.0
"""Seconds without a word after which a connection is taken to be cut."""


@pytest.fixture(scope="module")
def ground(lab_home):
    with traffic.laid_out(lab_home) as found:
        yield found


@pytest.fixture(scope="module")
def tries(ground):
    return set(traffic.targets(ground))


@pytest.fixture(scope="module")
def before(ground):
    """What answered whom while no policy was there."""
    pings = ground.answers("one/bare", traffic.pings(ground).values())
    return {**ground.heard([*SOURCES, OUTSIDER]), "pings": pings}


class Talk:
    """A connection that says something every fifth of a second and hears it back; lasts until it is cut."""

    def __init__(self, ground, source: str, target: str) -> None:
        script = f"while sleep 0.2; do echo tick; done | nc {ground.addresses[target]} {SERVER}"
        who, name = source.split("/")
        lab = ground.cluster.lab
        kubectl = [f"{lab.bin_dir}/kubectl", f"--kubeconfig={lab.kubeconfig}", "-n", ground.space(who)]
        words = [*kubectl, "exec", name, "--", "sh", "-c", script]
        self.process = Popen(words, stdout=PIPE, stderr=DEVNULL, text=True)
        self.heard = time.monotonic()
        self.count = 0
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()
        until(lambda: self.count > 1)

    def _listen(self) -> None:
        for _ in self.process.stdout or ():
            self.heard, self.count = time.monotonic(), self.count + 1

    @property
    def silence(self) -> float:
        """Seconds since it was last heard."""
        return time.monotonic() - self.heard

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.listener.join()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture(scope="module")
def talks(ground, before):
    """Connections made while every way was open: to the other tenant, and to a pod of the own cluster."""
    made = {target: Talk(ground, "one/tenant", target) for target in ("two/tenant", "one/far")}
    yield made
    for talk in made.values():
        talk.end()


@pytest.fixture(scope="module")
def flows(ground, before):
    """Of UDP and of protocols that have no connections, begun while every way was open: to both tenants' pods."""
    source, others = ground.addresses["one/bare"], [ground.addresses[p] for p in ("two/bare", "one/far")]
    with wires.flowing(source, others) as heard:
        for wire in heard.values():
            until(lambda w=wire: w.heard(source, QUIET) == set(wires.PROTOCOLS.values()))
        yield heard


@pytest.fixture(scope="module")
def guarded(ground, before, talks, flows):
    """The policies are in force: they reach the nodes within moments."""
    ground.protect("one", "two")
    until(lambda: "metadata-tcp" not in ground.answers("one/tenant", traffic.targets(ground).values()))
    return ground


@pytest.fixture(scope="module")
def after(guarded):
    return guarded.heard([*SOURCES, OUTSIDER])


def expected(source):
    """The names that are to answer a source, as ``two/plane``."""
    who, _, name = source.partition("/")
    return {target if target in HOST_API else f"{who}-{target}" for target in ALLOWED[name]}


def listening(address, port):
    with suppress(OSError), socket.create_connection((address, port), timeout=2):
        return True
    return False


@pytest.mark.parametrize("source", [*SOURCES, OUTSIDER])
def test_without_policies_every_way_is_open(before, tries, source):
    assert tries - before[source] == set()


@pytest.mark.parametrize("source", SOURCES)
def test_with_them_a_pod_reaches_what_it_needs_and_nothing_else(after, source):
    assert after[source] == expected(source)


def test_what_is_closed_is_not_dead_and_nobody_gets_in_from_elsewhere(after, tries):
    tenants = {name for name in tries if name.startswith(("one-", "two-"))}
    assert after[OUTSIDER] == tries - tenants


def test_echo_requests_are_packets_too(guarded, before):
    pings = traffic.pings(guarded)
    assert before["pings"] == set(pings)
    assert guarded.answers("one/bare", pings.values()) == {"one-tenant", "one-far"}


def test_a_connection_from_before_the_policies_is_cut_and_an_own_one_is_not(guarded, talks):
    """The kernel knows it as established and would let it pass for ever."""
    until(lambda: talks["two/tenant"].silence > QUIET, 30)
    assert talks["one/far"].silence < QUIET


def test_flows_of_other_protocols_are_cut_too(guarded, flows):
    """Each packet would prolong the kernel's entry of its flow, and so its leave to pass."""
    source = guarded.addresses["one/bare"]
    until(lambda: not flows[guarded.addresses["two/bare"]].heard(source, QUIET), 30)
    assert {"udp", "sctp"} <= flows[guarded.addresses["one/far"]].heard(source, QUIET)


def test_people_reach_the_api_and_no_pod_of_the_tenant(guarded, before):
    api, tenant = guarded.addresses["one:api"], guarded.addresses["one/tenant"]
    assert listening(api, 443)
    assert not listening(tenant, SERVER)
    assert not listening(guarded.addresses["one/plane"], SERVER)


def test_the_host_still_reads_logs_and_runs_commands(guarded):
    space = guarded.space("one")
    assert guarded.cluster.kubectl("-n", space, "exec", "tenant", "--", "echo", "here") == "here\n"
    assert "CoreDNS" in guarded.cluster.kubectl("-n", space, "logs", "dns")


@pytest.mark.parametrize("name", ["atoll-deny", "atoll-tenant-pods", "atoll-control-plane"])
def test_without_one_of_the_policies_something_changes(guarded, name):
    wanted = {source: expected(source) for source in SOURCES if source.startswith("one/")}
    guarded.cluster.kubectl("-n", guarded.space("one"), "delete", "networkpolicy", name)
    try:
        until(lambda: guarded.heard(wanted) != wanted)
    finally:
        guarded.protect("one")
    until(lambda: guarded.heard(wanted) == wanted)


def test_these_are_all_the_policies_there_are(ground):
    made = [body["metadata"]["name"] for body in ground.policies("one")]
    assert made == ["atoll-deny", "atoll-tenant-pods", "atoll-control-plane"]
