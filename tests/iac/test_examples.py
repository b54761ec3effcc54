"""The examples of docs/iac as their readers run them, against a portal with a host that is played."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.iac.stage import EXAMPLES, run

pytestmark = pytest.mark.timeout(180)


def test_curl(atoll, tmp_path):
    """docs/iac/curl/cluster.sh with docs/iac/curl/spec.json"""
    folder = EXAMPLES / "curl"

    def cluster(verb, status=0, spec="spec.json"):
        words = [str(folder / "cluster.sh"), verb, "demo", "shell", *([spec] if spec else [])]
        return run(words, atoll.environment(), folder, status=status)

    assert json.loads(cluster("plan"))["action"] == "create"
    assert cluster("apply") == "generation 1, Pending\n"
    cluster("wait")
    assert json.loads(cluster("plan")) == {"action": "none", "changes": []}
    assert cluster("apply") == "generation 1, Ready\n"
    larger = tmp_path / "larger.json"
    larger.write_text('{"spec": {"resources": {"cpu": "3"}, "deletionProtection": true}}')
    assert cluster("apply", spec=str(larger)) == "generation 2, Updating\n"
    cluster("wait")
    config = yaml.safe_load(cluster("kubeconfig", spec=""))
    assert config["users"][0]["user"]["token"].startswith("token-")
    cluster("delete", spec="", status=1)  # protected
    cluster("apply")
    cluster("delete", spec="")
    assert atoll.clusters() == []
    assert [kind for kind, name in atoll.operations() if name == "shell"] == [
        "create",
        "update",
        "update",
        "delete",
    ]


def _play(atoll, *more, times=1):
    """How many tasks changed something, in so many plays one after the other."""
    variables = ["-e", "atoll_tenant=demo", "-e", "atoll_cluster=play"]
    words = ["ansible-playbook", *["cluster.yml"] * times, *variables, *more]
    said = run(words, atoll.environment(), EXAMPLES / "ansible")
    return int(re.findall(r"changed=(\d+)", said)[-1])


def test_ansible(atoll):
    """A second run changes nothing; what is gone is gone when the play ends."""
    assert _play(atoll, times=2) == 1
    assert [c["status"]["phase"] for c in atoll.clusters()] == ["Ready"]
    assert _play(atoll, "-e", "atoll_state=absent") == 1
    assert atoll.clusters() == []


@pytest.mark.long  # each run takes three seconds of a processor
def test_ansible_tells_what_it_would_do_and_changes(atoll):
    assert _play(atoll, "--check") == 1
    assert atoll.clusters() == []
    assert _play(atoll) == 1
    assert _play(atoll, "-e", '{"atoll_spec": {"resources": {"cpu": "1"}}}') == 1
    assert [c["metadata"]["generation"] for c in atoll.clusters()] == [2]
    assert _play(atoll, "-e", "atoll_state=absent", "--check") == 1
    assert len(atoll.clusters()) == 1
    assert _play(atoll, "-e", "atoll_state=absent") == 1
    assert _play(atoll, "-e", "atoll_state=absent") == 0
