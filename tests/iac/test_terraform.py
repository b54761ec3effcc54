"""docs/iac/terraform by Terraform and OpenTofu with the generic REST provider, as a team uses it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from lab import build
from tests.iac.stage import EXAMPLES, run

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
NO_CHANGE, CHANGES = 0, 2
"""How a plan with -detailed-exitcode ends."""
KILLS = 6


class Tool:
    """One of the two, in a folder of its own with a copy of the example."""

    def __init__(self, program, provider, atoll, folder, name, example="terraform", who="ada"):
        self.atoll, self.folder, self.name, self.who = atoll, folder, name, who
        shutil.copytree(EXAMPLES / example, folder, dirs_exist_ok=True)
        overrides = f'provider_installation {{ dev_overrides {{ "Mastercard/restapi" = "{provider}" }} }}\n'
        (folder / "cli.tfrc").write_text(overrides)
        self.program = program
        self.say()

    def say(self, **variables):
        """What the team writes."""
        told = {"atoll_url": self.atoll.url, **variables}
        told |= {"tenant": "demo", "name": self.name} if self.name else {}
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(told))

    @property
    def environment(self):
        token = self.atoll.tokens[self.who]
        return self.atoll.environment(
            TF_CLI_CONFIG_FILE=str(self.folder / "cli.tfrc"), TF_VAR_atoll_token=token, TF_IN_AUTOMATION="1"
        )

    def __call__(self, *words, status=0):
        return run(
            [self.program, *words, "-no-color"], self.environment, self.folder, timeout=300, status=status
        )

    def plan(self, status):
        return self("plan", "-input=false", "-detailed-exitcode", status=status)

    def apply(self):
        return self("apply", "-input=false", "-auto-approve")

    def destroy(self):
        return self("destroy", "-input=false", "-auto-approve")

    def begin_apply(self):
        words = [self.program, "apply", "-input=false", "-auto-approve", "-no-color"]
        return subprocess.Popen(
            words,
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def output(self):
        return json.loads(self("output", "-json"))["cluster"]["value"]

    def clusters(self):
        return [c for c in self.atoll.clusters() if c["metadata"]["name"] == self.name]

    def operations(self):
        return [kind for kind, name in self.atoll.operations() if name == self.name]

    def lose_the_state(self):
        for file in self.folder.glob("terraform.tfstate*"):
            file.unlink()


@pytest.fixture(scope="module", params=["terraform", "tofu"])
def program(request):
    """Terraform as it is on this machine; OpenTofu is compiled, as the lab's programs are."""
    if request.param == "tofu":
        return str(build.ensure(["tofu"], _tell) / "tofu")
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("Terraform is not on this machine, and is no Go module that may be compiled")
    return found


@pytest.fixture
def tool(program, atoll, tmp_path, request):
    provider = build.ensure(["terraform-provider-restapi"], _tell)
    number = len(atoll.operations())
    return Tool(program, provider, atoll, tmp_path, f"tf-{number}")


def test_add_ons_that_admins_keep_and_teams_take(program, atoll, tmp_path):
    """An admin's state has the add-on and a template that brings it; a team's cluster names it in its own spec."""
    provider = build.ensure(["terraform-provider-restapi"], _tell)
    admin = Tool(program, provider, atoll, tmp_path / "admin", "", "terraform-add-ons", "root")
    assert "3 added" in admin.apply()
    assert "No changes" in admin.plan(NO_CHANGE)
    with atoll.api() as api:
        [version] = api.get("/cluster-templates/small/versions").json()["items"]
    chosen = [{"name": "limits", "version": "1.0.0"}]
    assert version["spec"]["cluster"]["addOns"] == chosen

    team = Tool(program, provider, atoll, tmp_path / "team", "limited")
    team.say(add_ons=chosen)
    team.apply()
    assert "No changes" in team.plan(NO_CHANGE)
    [made] = team.clusters()
    assert [(one["name"], one["status"]) for one in made["status"]["addOns"]] == [("limits", "True")]
    assert team.output()["effective"]["addOns"] == chosen
    team.destroy()
    admin.destroy()
    with atoll.api() as api:
        assert api.get("/add-ons").json()["items"] == []


def _tell(text, done, total):
    print(text, flush=True)  # noqa: T201 - a compilation takes minutes


def test_a_life(tool):
    """Create, wait, plan: nothing, change, plan: nothing, destroy."""
    tool.plan(CHANGES)
    assert "2 added, 0 changed, 0 destroyed" in tool.apply()
    [made] = tool.clusters()
    assert made["status"]["phase"] == "Ready"
    assert tool.output()["endpoint"] == made["status"]["endpoint"]
    assert "No changes" in tool.plan(NO_CHANGE)

    tool.say(resources={"cpu": "2", "memory": "4Gi", "storage": "10Gi"}, members={"grace": "viewer"})
    said = tool.plan(CHANGES)
    assert "2 to add, 1 to change, 1 to destroy" in said, said
    tool.apply()
    [changed] = tool.clusters()
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert changed["metadata"]["generation"] == changed["status"]["observedGeneration"] == 2
    assert tool.output()["effective"]["resources"]["cpu"] == "2"
    assert "No changes" in tool.plan(NO_CHANGE)

    state = (tool.folder / "terraform.tfstate").read_text()
    assert tool.atoll.tokens["ada"] not in state
    assert "kubeconfig" not in state

    tool.destroy()
    assert tool.clusters() == []
    assert tool.operations() == ["create", "update", "delete"]
    with tool.atoll.api() as api:
        assert api.get("/tenants/demo/members/grace").status_code == 404


def test_a_lost_state_is_imported(tool):
    """The provider knows no more of an imported object than its name: one apply, which changes nothing."""
    tool.apply()
    [made] = tool.clusters()
    tool.lose_the_state()
    tool("import", "-input=false", "restapi_object.cluster", f"/tenants/demo/clusters/{tool.name}")
    tool.apply()
    assert "No changes" in tool.plan(NO_CHANGE)
    [found] = tool.clusters()
    assert found["metadata"] == made["metadata"]
    assert tool.operations() == ["create"]
    tool.destroy()


def test_an_apply_that_was_killed_goes_on_with_the_same_cluster(tool):
    """Right after the cluster came to be, before the state was written."""
    begun = tool.begin_apply()
    while not tool.clusters():
        assert begun.poll() is None
        time.sleep(0.02)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait(10)
    [made] = tool.clusters()
    (tool.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)

    tool.apply()

    [found] = tool.clusters()
    assert found["metadata"] == made["metadata"]
    assert found["status"]["phase"] == "Ready"
    assert tool.operations() == ["create"]
    assert "No changes" in tool.plan(NO_CHANGE)
    tool.destroy()


def test_applies_that_are_killed_at_any_moment_come_to_one_cluster(tool):
    """Creates first, then updates; each time the next apply goes on from wherever the one before was."""
    larger = {"cpu": "2", "memory": "4Gi", "storage": "10Gi"}
    for told, done in (({}, ["create"]), ({"resources": larger}, ["create", "update"])):
        tool.say(**told)
        for _ in range(KILLS):
            begun = tool.begin_apply()
            with contextlib.suppress(subprocess.TimeoutExpired):
                begun.wait(random.uniform(0.1, 2.5))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(begun.pid, signal.SIGKILL)
            begun.wait(10)
            (tool.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
        tool.apply()
        assert tool.operations() == done
        assert "No changes" in tool.plan(NO_CHANGE)
        [found] = tool.clusters()
        assert found["metadata"]["generation"] == found["status"]["observedGeneration"] == len(done)
    tool.destroy()


def test_accelerators_that_people_have_to_approve(tool):
    """The apply does not wait for people; the plan after their decision shows nothing to do."""
    with tool.atoll.api() as api:  # one more than the tenant has from before
        lacking = 1 + len(api.get("/tenants/demo/gpu-grants").json()["items"])
    tool.say(accelerators=[{"class": "nvidia-h100", "count": lacking}], wait_seconds=0)
    tool.apply()
    [asked] = tool.clusters()
    assert asked["status"]["phase"] == "AwaitingApproval"
    assert "No changes" in tool.plan(NO_CHANGE)
    with tool.atoll.api("root") as api:
        approved = api.post(
            f"{asked['status']['request'].removeprefix('/api/v1')}/approve", json={"reason": "fine"}
        )
        assert approved.status_code == 200, approved.text
    while tool.clusters()[0]["status"]["phase"] != "Ready":
        time.sleep(0.1)
    tool.apply()  # tells the outputs, which were of a cluster that waited
    assert "No changes" in tool.plan(NO_CHANGE)
    tool.destroy()
