"""The examples of docs/iac as their readers run them, against a portal with a host that is played."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import yaml

from lab import build
from tests.iac.jobs import REPOSITORY
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
    larger.write_text('{"spec": {"resources": {"cpu": "lots"}}}')
    cluster("apply", spec=str(larger), status=1)
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


def test_curl_add_ons(atoll, tmp_path):
    """docs/iac/curl/add-on.sh by an admin, then a cluster of the team that has the add-on; again and again the same."""
    folder, root = EXAMPLES / "curl", atoll.environment("root")

    def add_on(verb, *objects, status=0):
        return run(
            [str(folder / "add-on.sh"), verb, "limits", "1.0.0", *objects], root, folder, status=status
        )

    def cluster(verb, status=0):
        words = [str(folder / "cluster.sh"), verb, "demo", "limited", str(spec)]
        return run(words, atoll.environment(), folder, status=status)

    assert add_on("plan", "limits.yaml") == "create\n"
    for _ in range(2):
        assert add_on("publish", "limits.yaml") == "limits 1.0.0\n"
    assert add_on("plan", "limits.yaml") == "none\n"
    other = tmp_path / "other.yaml"
    other.write_text((folder / "limits.yaml").read_text().replace("100m", "50m"))
    add_on("publish", str(other), status=1)  # what is published never changes
    spec = tmp_path / "spec.json"
    spec.write_text('{"spec": {"addOns": [{"name": "limits", "version": "1.0.0"}]}}')
    cluster("running", status=1)  # not there yet
    cluster("apply")
    cluster("wait")
    cluster("running")
    [made] = atoll.clusters()
    assert [(one["name"], one["status"]) for one in made["status"]["addOns"]] == [("limits", "True")]
    add_on("remove", status=1)  # in use
    cluster("delete")
    add_on("remove")


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


@pytest.fixture
def checkout(tmp_path):
    """A repository as the CI examples want it."""
    (tmp_path / "ci").mkdir()
    for name in ("cluster.sh", "spec.json"):
        shutil.copy(EXAMPLES / "curl" / name, tmp_path / "ci" / name)
    return tmp_path


@pytest.fixture(scope="module")
def ci(atoll, jobs):
    """The token of a service account, made as the page says; jobs of one repository may act as it, too."""
    account = "/tenants/demo/service-accounts/ci"
    trusted = {"issuer": jobs.issuer, "claims": {"repository": REPOSITORY}, "lifetime": "1h"}
    with atoll.api() as api:
        made = api.put(account, json={"spec": {"role": "member", "trust": [trusted]}})
        assert made.status_code == 201, made.text
        made = api.post(f"{account}/tokens", json={"metadata": {"name": "pipelines"}})
        assert made.status_code == 201, made.text
        return made.json()["token"]


def _steps(script, checkout, environment):
    """As a runner does: each in a shell that ends at the first fault."""
    path = f"{build.ensure(['kubernetes'], print)}:{environment['PATH']}"  # kubectl is the lab's
    return run(["bash", "-e", "-o", "pipefail", "-c", script], {**environment, "PATH": path}, checkout)


@pytest.mark.usefixtures("ci")
def test_github_actions(atoll, checkout, jobs):
    """Every `run` of the workflow in its order, with what the steps before it left in GITHUB_ENV."""
    text = (EXAMPLES / "github-actions" / "cluster.yml").read_text()
    given = {"vars.ATOLL_URL": atoll.url, "vars.ATOLL_TENANT": "demo", "github.event.number": "7"}
    workflow = yaml.safe_load(re.sub(r"\$\{\{ (\S+) \}\}", lambda found: given[found[1]], text))
    left = checkout / "env"
    left.touch()
    own = {"GITHUB_ENV": str(left), "RUNNER_TEMP": str(checkout), "ATOLL_TOKEN": ""}
    own |= jobs.environment | workflow["env"]
    said = {}
    for step in workflow["jobs"]["try"]["steps"]:
        if "run" in step:
            environment = (
                atoll.environment() | own | dict(line.split("=", 1) for line in left.read_text().split())
            )
            said[step["name"]] = _steps(step["run"], checkout, environment)
    assert said["Tests"] == "pr-7\n"
    with atoll.api() as api:
        [made] = api.get("/tenants/demo/audit", params={"action": "cluster.create", "limit": 1}).json()[
            "items"
        ]
    assert made["actor"] == "sa:demo/ci"
    assert [kind for kind, name in atoll.operations() if name == "pr-7"] == ["create", "delete"]
    assert atoll.clusters() == []


def test_gitlab_ci(atoll, checkout, ci):
    """Script and after_script of the job."""
    job = yaml.safe_load((EXAMPLES / "gitlab-ci" / ".gitlab-ci.yml").read_text())["cluster"]
    own = {
        "ATOLL_TOKEN": ci,
        "ATOLL_TENANT": "demo",
        "CI_MERGE_REQUEST_IID": "9",
        "CI_PROJECT_DIR": str(checkout),
    }
    environment = atoll.environment() | own | _expanded(job["variables"], own)
    assert _steps("\n".join(job["script"]), checkout, environment).endswith("mr-9\n")
    _steps("\n".join(job["after_script"]), checkout, environment)
    assert [kind for kind, name in atoll.operations() if name == "mr-9"] == ["create", "delete"]


def _expanded(variables, known):
    """GitLab puts variables into variables."""
    return {name: re.sub(r"\$(\w+)", lambda found: known[found[1]], text) for name, text in variables.items()}
