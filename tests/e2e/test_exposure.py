"""Tenants' APIs on a node port, as a cluster of one's own has them unless it is told otherwise."""

from __future__ import annotations

import pytest
import yaml

from tests.e2e.stack import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture
def ported(stack):
    """The lab once more, by its node ports; the least loaded host takes the next cluster."""
    with stack.client("admin.token") as api:
        known = api.get("/hosts/lab").json()["spec"]
        for accepts in (True, False):
            # A node that passes a connection on to another puts its own address on it.
            way = {"exposure": "nodePort", "clientCIDRs": ["0.0.0.0/0"]}
            spec = {**known, **way, "acceptsClusters": accepts}
            answer = api.put("/hosts/ported", json={"spec": spec})
            assert answer.is_success, answer.text
            if accepts:
                wait_for("the host was looked at", lambda: reachable(api), 60)
                yield


def reachable(api):
    return api.get("/hosts/ported").json()["status"]["reachable"] == "True"


def test_any_node_carries_the_api_and_the_certificate_holds(stack, demo, ported, tmp_path):
    assert demo.put("ported").status_code == 201
    demo.wait_ready("ported")
    kubeconfig = demo.kubeconfig("ported", tmp_path)
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    nodes = {a["address"] for n in stack.host("get", "nodes")["items"] for a in n["status"]["addresses"]}
    port = int(server.rpartition(":")[2])
    assert port >= 30000
    for node in sorted(address for address in nodes if address[0].isdigit()):
        kubeconfig.write_text(kubeconfig.read_text().replace(server, f"https://{node}:{port}"))
        server = f"https://{node}:{port}"
        assert stack.run_kubectl(kubeconfig, "get", "--raw", "/readyz") == "ok"
    demo.delete("ported")
    demo.wait_gone("ported")
