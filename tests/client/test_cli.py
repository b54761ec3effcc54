"""The command against the real portal: what people and scripts read, and how it ends."""

from __future__ import annotations

import json
import re
from uuid import UUID

import httpx
import pytest
import yaml

from atoll_client.cli.output import Format
from tenancy.actions import decisions, inspection
from tenancy.enums import ConditionStatus, ConditionType, Reason
from tenancy.models import ApiToken, VirtualCluster
from tenancy.rules.conditions import Condition
from tests import factories
from tests.client.portal import Cut

FIRST = "/api/v1/tenants/team/clusters/first"


@pytest.fixture
def cluster(team):
    return factories.cluster(team, "team", spec={"resources": {"cpu": "2"}})


def test_a_cluster_is_made_changed_and_made_so_again(cli):
    assert cli("cluster", "create", "team/first", "--cpu", "2", "--pods", "7")[:2] == (
        0,
        "cluster team/first created\n",
    )
    assert VirtualCluster.objects.get().spec_text == '{"resources": {"cpu": "2", "pods": 7}}'

    status, _, told = cli("cluster", "create", "team/first")
    assert (status, "already" in told) == (4, True)
    apply = ("cluster", "apply", "team/first", "--set", "resources.cpu=3", "--deletion-protection")
    assert [cli(*apply)[1] for _ in range(2)] == [
        "cluster team/first changed\n",
        "cluster team/first unchanged\n",
    ]
    assert json.loads(VirtualCluster.objects.get().spec_text) == {
        "resources": {"cpu": "3"},
        "deletionProtection": True,
    }


def test_what_comes_next_is_told_beside_the_result(cli):
    _, out, told = cli("cluster", "create", "team/first", "-o", "name")

    assert out == "team/first\n"
    assert "atoll cluster wait team/first" in told


def test_create_after_a_cut_connection_makes_one_cluster(cli, portal):
    cli("whoami")  # the document is known from here on
    portal.faults = [Cut()]

    status, out, _ = cli("cluster", "create", "team/first")

    assert (status, out) == (0, "cluster team/first created\n")
    assert VirtualCluster.objects.count() == 1
    assert portal.told.count("POST /api/v1/tenants/team/clusters") == 2


@pytest.mark.parametrize("words", [("cluster", "list"), ("cluster", "list", "team"), ("get", "clusters")])
def test_lists_in_every_format(cli, cluster, words):
    as_json = json.loads(cli(*words, "-o", "json")[1])
    assert [one["metadata"]["name"] for one in as_json] == ["first"]
    assert yaml.safe_load(cli(*words, "-o", "yaml")[1]) == as_json
    assert cli(*words, "--output", "name")[1] == "team/first\n"
    head, row = cli(*words)[1].splitlines()
    assert (head.split()[:2], row.split()[:2]) == (["NAME", "PHASE"], ["team/first", "Pending"])


def test_an_object_is_written_as_the_api_has_it(cli, cluster, atoll):
    found = atoll.get("/tenants/team/clusters/first")

    assert json.loads(cli("cluster", "get", "team/first", "-o", "json")[1]) == found
    assert yaml.safe_load(cli("get", "cluster", "team/first")[1]) == found
    assert json.loads(cli("api", "get", "/tenants/team/clusters/first")[1]) == found


def test_filters_and_queries_are_flags(cli, cluster, portal):
    cli("cluster", "list", "team", "--phase", "Ready")
    cli("operation", "list", "--cluster", "first", "--state", "running", "-o", "name")

    assert [line for line in portal.told if "?" in line] == [
        "GET /api/v1/tenants/team/clusters?phase=Ready&limit=100",
        "GET /api/v1/operations?cluster=first&state=running&limit=100",
    ]


def test_the_contexts_tenant_is_meant_where_none_is_named(cli, cluster, monkeypatch):
    monkeypatch.setenv("ATOLL_TENANT", "team")

    assert cli("cluster", "get", "first", "-o", "name")[:2] == (0, "team/first\n")
    assert cli("gpu", "requests")[0] == 0


def test_what_was_read_can_be_applied(cli, cluster, tmp_path):
    text = cli("cluster", "get", "team/first", "-o", "yaml")[1]

    assert cli("cluster", "apply", "team/first", "-f", "-", stdin=text)[1] == "cluster team/first unchanged\n"
    file = tmp_path / "team.yaml"
    file.write_text(
        "kind: Cluster\nmetadata: {tenant: team, name: first}\nspec: {resources: {cpu: 3}}\n---\n"
        "kind: Cluster\nmetadata: {tenant: team, name: second}\nspec: {}\n"
    )
    assert cli("apply", "-f", file)[1] == "cluster team/first changed\ncluster team/second created\n"
    assert cli("apply", "-f", file)[1].count("unchanged") == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Clutter\n", "kind 'Clutter' is unknown; give one of"),
        ("kind: Cluster\nmetadata: {name: x}\n", "metadata.tenant, metadata.name: give them"),
        ("[1, 2]", "give objects in YAML or JSON"),
        ("{", "cannot be read"),
        ("", "give objects"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_files_that_say_nothing_usable(cli, text, says):
    status, out, told = cli("apply", "-f", "-", stdin=text)

    assert (status, out) == (2, "")
    assert says in told


def test_a_plan_tells_what_would_change_and_changes_nothing(cli, cluster):
    status, out, _ = cli("cluster", "plan", "team/first", "--cpu", "4")

    assert status == 0
    assert out.splitlines()[0] == "team/first: update"
    assert re.search(r"spec\.resources\.cpu +2 +4", out)
    assert VirtualCluster.objects.get().generation == 1
    assert json.loads(cli("cluster", "plan", "team/first", "-o", "json")[1])["action"] == "update"


def test_a_wait_tells_how_far_it_is_and_ends_with_the_object(cli, cluster, portal, monkeypatch):
    monkeypatch.setattr("atoll_client.waiting.time.sleep", lambda _: None)
    cli("cluster", "list")
    portal.after = [lambda: None] * 3 + [lambda: factories.ready(cluster)]

    status, out, told = cli("cluster", "wait", "team/first", "--timeout", "20s")

    assert (status, out) == (0, "cluster team/first is ready\n")
    assert "cluster team/first: Pending" in told


@pytest.mark.parametrize("how", ["json", "yaml", "name"])
def test_a_wait_for_a_program_says_nothing_but_the_result(cli, cluster, portal, how):
    cli("cluster", "list")
    portal.after = [lambda: factories.ready(cluster)]

    status, out, told = cli("cluster", "wait", "team/first", "-o", how)

    assert (status, told) == (0, "")
    assert out == "team/first\n" if how == "name" else yaml.safe_load(out)["status"]["phase"] == "Ready"


def test_gone_is_json_too(cli, cluster, portal):
    cli("cluster", "delete", "team/first", "-y")
    portal.after = [lambda: factories.observe(cluster, gone=True)]

    status, out, told = cli("cluster", "wait", "team/first", "--for", "gone", "-o", "json")

    assert (status, told) == (0, "")
    assert json.loads(out) == {"metadata": {"tenant": "team", "name": "first"}, "gone": True}


def test_a_wait_in_vain_ends_at_once_with_the_reason(cli, cluster):
    stalled = Condition(ConditionType.STALLED, ConditionStatus.TRUE, Reason.CHART_INVALID, "values: bad", 1)
    factories.observe(cluster, stalled)

    status, out, told = cli("cluster", "wait", "team/first")

    assert (status, out) == (4, "")
    assert "values: bad" in told


def test_a_wait_that_was_too_short_says_so(cli, cluster):
    status, _, told = cli("cluster", "wait", "team/first", "--timeout", "0s")

    assert status == 5
    assert "not ready after 0 s" in told


def test_an_interrupted_wait_says_how_to_go_on(cli, cluster, portal):
    cli("cluster", "list")
    portal.faults = [KeyboardInterrupt()]

    status, out, told = cli("cluster", "apply", "team/first", "--cpu", "3", "--wait")
    assert (status, "interrupted" in told) == (130, True)
    portal.faults = [None, None, KeyboardInterrupt()]
    status, out, told = cli("cluster", "apply", "team/first", "--cpu", "3", "--wait")

    assert (status, out) == (130, "")
    assert "look again: atoll cluster wait team/first" in told
    factories.ready(cluster)
    assert cli("cluster", "wait", "team/first")[:2] == (0, "cluster team/first is ready\n")


def test_nothing_is_deleted_without_a_yes(cli, cluster):
    status, _, told = cli("cluster", "delete", "team/first")
    assert (status, "add --yes" in told) == (2, True)
    assert not VirtualCluster.objects.get().deleting

    assert cli("cluster", "delete", "team/first", "--yes")[1] == "cluster team/first is being deleted\n"


def test_delete_can_wait_for_the_end(cli, cluster, portal):
    cli("cluster", "list")
    portal.after = [lambda: None, lambda: None, lambda: factories.observe(cluster, gone=True)]

    assert cli("cluster", "delete", "team/first", "-y", "--wait")[1] == "cluster team/first is gone\n"
    assert cli("cluster", "get", "team/first")[0] == 3


def test_tokens_are_made_and_revoked(cli):
    status, out, told = cli("token", "create", "ci", "--tenant", "team", "--read-only")

    assert status == 0
    assert re.fullmatch(r"atoll_[\w-]+\n", out)
    made = ApiToken.objects.get(name="ci")
    assert (made.read_only, "shown this once" in told) == (True, True)
    assert cli("token", "revoke", made.uid, "--yes")[0] == 0
    assert made.uid not in ApiToken.objects.filter(revoked_at=None).values_list("uid", flat=True)


def test_a_token_whose_text_was_lost_is_told(cli, portal):
    cli("cluster", "list")
    portal.faults = [Cut()]

    status, out, told = cli("token", "create", "ci")

    assert (status, "atoll_" in out) == (0, False)
    assert "shown once is not in it" in told


def test_accelerators_are_asked_for_and_granted(cli, team, monkeypatch):
    factories.accelerator()
    factories.gpu_pool(4)
    words = ("--class", "gpu", "--amount", "2", "--justification", "training")
    uid = cli("gpu", "request", "team", *words, "-o", "name")[1].strip()
    assert cli("gpu", "requests", "team", "-o", "name")[1].strip() == uid
    status, _, told = cli("gpu", "approve", uid, "--reason", "mine")
    assert (status, "ask an owner" in told) == (1, True)

    monkeypatch.setenv("ATOLL_TOKEN", factories.token(factories.admin()))
    assert cli("gpu", "what-if", uid, "--amount", "2")[0] == 0
    assert cli("gpu", "approve", uid, "--reason", "fine")[0] == 0
    (grant,) = json.loads(cli("gpu", "grants", "team", "-o", "json")[1])
    assert grant["spec"]["amount"] == 2
    assert cli("gpu", "return", grant["metadata"]["uid"], "--reason", "done")[0] == 0


def test_objects_of_any_kind_are_waited_for(cli, portal, monkeypatch):
    factories.accelerator()
    factories.gpu_pool(4)
    words = ("--class", "gpu", "--amount", "2", "--justification", "training", "-o", "name")
    _, out, told = cli("gpu", "request", "team", *words)
    uid = out.strip()
    assert f"wait for it: atoll gpu-request wait {uid}" in told

    portal.after = [lambda: decisions.approve(by=factories.admin(), uid=UUID(uid), reason="fine")]
    status, out, told = cli("gpu-request", "wait", uid)
    assert (status, out) == (0, f"gpu-request {uid} is ready\n")
    assert "the request is requested: an admin decides" in told

    uid = cli("gpu", "request", "team", *words)[1].strip()
    decisions.deny(by=factories.admin(), uid=UUID(uid), reason="too many")
    status, _, told = cli("gpu-request", "wait", uid, "--timeout", "5s")
    assert (status, "too many" in told) == (4, True)


def test_waiting_for_what_is_in_force_at_once_takes_nothing_away(cli):
    factories.user("mia")
    status, out, told = cli("member", "apply", "team/mia", "--role", "viewer", "--wait")
    assert (status, out, "wait for it" in told) == (0, "member team/mia created\n", False)
    assert cli("member", "delete", "team/mia", "--yes", "--wait")[1] == "member team/mia is gone\n"
    status, out, _ = cli("token", "create", "ci", "--wait")
    assert (status, out[:6]) == (0, "atoll_")


def test_other_nouns_come_from_the_document(cli, team, monkeypatch):
    factories.user("mia")
    assert cli("member", "apply", "team/mia", "--role", "viewer")[1] == "member team/mia created\n"
    assert cli("member", "list", "team", "-o", "name")[1] == "team/alice\nteam/mia\n"
    assert cli("member", "delete", "team/mia", "--yes")[1] == "member team/mia deleted\n"
    assert "member.put" in cli("audit", "list", "team")[1]
    monkeypatch.setenv("ATOLL_TOKEN", factories.token(factories.admin()))
    assert cli("pool", "apply", "lab/gold", "--kind", "dedicated", "--tenant", "team")[0] == 0
    assert cli("pool", "list", "lab", "-o", "name")[1] == "lab/gold\n"
    assert cli("host", "get", "lab", "-o", "name")[1] == "lab\n"
    inspection.sign()
    assert json.loads(cli("audit", "export")[1].splitlines()[0])


def test_who_am_i(cli):
    lines = cli("whoami")[1].splitlines()
    assert lines[0] == "alice at http://testserver"
    assert lines[2].split() == ["team", "owner"]
    assert json.loads(cli("whoami", "-o", "json")[1])["username"] == "alice"


# How it ends


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("cluster", "apply", "team/first", "--cpu", "many"), 1, "spec.resources.cpu"),
        (("cluster", "apply", "team/first", "--set", "nonsense=1"), 1, "spec.nonsense"),
        (("tenant", "apply", "team"), 1, "ask an owner of the team or an admin"),
        (("cluster", "get", "team/none"), 3, "see what there is"),
        (("cluster", "get", "nobody/none"), 3, "see what there is"),
        (("cluster", "apply", "team/first", "--if-match", '"x-1"'), 4, "get it again"),
        (("cluster", "get", "team"), 2, "give TENANT/NAME"),
        (("cluster", "get", "team//x"), 2, "as in demo/first"),
        (("cluster", "get", "a/b/c"), 2, "give TENANT/NAME"),
        (("cluster", "get", "../../me"), 2, "no reference"),
        (("cluster", "frobnicate"), 2, "No such command"),
        (("frobnicate",), 2, "No such command"),
        (("get", "frobs"), 2, "nothing that this Atoll has"),
        (("delete", "audit", "x", "-y"), 2, "its verbs"),
        (("cluster", "wait", "team/first", "--timeout", "soon"), 2, "as in 90s"),
        (("cluster", "apply", "team/first", "--set", "x"), 2, "as in --set resources.cpu=4"),
        (("cluster", "apply", "team/first", "--set", "a={"), 2, "quote it"),
        (("cluster", "apply", "team/first", "-f", "/nowhere"), 2, "/nowhere"),
        (("cluster", "list", "-o", "xml"), 2, "'table', 'json', 'yaml', 'name'"),
        (("api", "GET", "me"), 2, "no path of the API"),
        (("--frob",), 2, "No such option"),
        (("cluster", "list", "--context", "prod"), 2, "there is no context 'prod'"),
    ],
)
def test_refusals_have_a_status_and_say_what_to_do(cli, words, status, says):
    found, out, told = cli(*words)

    assert (found, out) == (status, "")
    assert says in told


@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [
        (httpx.ConnectError("refused"), 5, "does not answer (refused)"),
        (httpx.ReadTimeout(""), 5, "no answer in time"),
        (httpx.Response(503, headers={"Retry-After": "99"}, json={"detail": "read-only"}), 5, "read-only"),
        (httpx.Response(429, headers={"Retry-After": "99"}, json={}), 5, "wait a little"),
        (httpx.Response(500, json={"detail": "oh", "requestId": "r-1"}), 1, "r-1"),
        (httpx.Response(200, text="<html>"), 1, "fault of atoll itself"),
    ],
)
def test_faults_of_the_network_have_a_status(cli, portal, monkeypatch, fault, status, says):
    monkeypatch.setattr("atoll_client.cli.shell.PATIENCE", 0.05)
    portal.faults = [fault] * 40

    found, _, told = cli("whoami")

    assert (found, says in told) == (status, True), told


def test_without_a_server_help_names_what_works(cli, portal):
    portal.faults = []
    assert "cluster" in cli("--help")[1]


def test_a_bad_token_is_told_where_to_sign_in(cli, monkeypatch):
    monkeypatch.setenv("ATOLL_TOKEN", "atoll_wrong")

    status, _, told = cli("whoami")

    assert (status, "atoll login http://testserver" in told) == (6, True)


def test_what_others_wrote_does_not_reach_the_terminal_raw(cli, team):
    tenant = "\x1b]0;pwned\x07[red]\u202e"
    factories.admin()
    from tenancy.models import Tenant

    Tenant.objects.filter(name="team").update(display_name=tenant)

    for words in (("tenant", "list"), ("tenant", "get", "team", "-o", "table")):
        out = cli(*words)[1]
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "[red]" in out


@pytest.mark.parametrize("how", Format)
def test_an_empty_list_is_one_in_every_format(cli, how):
    out = cli("cluster", "list", "team", "-o", how)[1]

    assert out == {"json": "[]\n", "yaml": "[]\n", "name": "", "table": "NAME\n"}[how]
