"""Kubeconfigs without secrets, and the plugin that kubectl asks."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from django.db import connections
from django.utils import timezone

from atoll_client import Misconfigured, TimedOut, contexts, kubeconfig
from portal.api.views import kubeconfigs
from tenancy.actions import access, work
from tenancy.enums import WorkKind
from tenancy.models import AccessRequest
from tests import factories

REPOSITORY = Path(__file__).resolve().parents[2]
REACHED = {"server": "https://10.0.0.1:443", "certificate-authority-data": "Q0E="}


def mint(uid, token="t1"):
    """What the worker does."""
    row = AccessRequest.objects.get(uid=uid)
    lease = work.claim(WorkKind.ACCESS, row.uid)
    text = yaml.safe_dump(
        {
            "clusters": [{"name": "team-first", "cluster": REACHED}],
            "users": [{"name": "alice", "user": {"token": token}}],
            "contexts": [{"name": "team-first", "context": {"cluster": "team-first", "user": "alice"}}],
            "current-context": "team-first",
        }
    )
    expires = timezone.now() + timedelta(seconds=row.lifetime)
    assert access.hand_over(lease, row.uid, kubeconfig=text, expires_at=expires)


@pytest.fixture
def worker(monkeypatch):
    """One that answers as soon as the portal looks; gives the uids that it was asked for."""
    minted = []
    real = kubeconfigs.is_pending

    def look(uid):
        if real(uid):
            minted.append(uid)
            mint(uid, f"t{len(minted)}")
        return real(uid)

    monkeypatch.setattr(kubeconfigs, "is_pending", look)
    return minted


@pytest.fixture
def cluster(team):
    return factories.ready(factories.cluster(team, "team"))


def age(seconds):
    """The kept credential is so much nearer to its end."""
    (place,) = (Path(os.environ["XDG_CACHE_HOME"]) / "atoll" / "credentials").glob("*.json")
    kept = json.loads(place.read_text())
    ends = datetime.fromisoformat(kept["expiresAt"]) - timedelta(seconds=seconds)
    place.write_text(json.dumps({**kept, "expiresAt": ends.isoformat()}))
    return place


def test_the_kubeconfig_holds_no_secret_and_names_the_plugin(cli, cluster, worker, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/kube/config:/elsewhere")

    status, out, told = cli("cluster", "kubeconfig", "team/first")

    path = Path(out.strip())
    assert (status, path, stat.S_IMODE(path.stat().st_mode)) == (0, tmp_path / "kube" / "config", 0o600)
    made = yaml.safe_load(path.read_text())
    assert made["current-context"] == "team/first@testserver"
    assert made["clusters"] == [{"name": "team/first@testserver", "cluster": REACHED}]
    plugin = made["users"][0]["user"]["exec"]
    assert plugin["apiVersion"] == "client.authentication.k8s.io/v1"
    assert plugin["args"][-2:] == ["kube-credential", "team/first"]
    assert {"name": "ATOLL_URL", "value": "http://testserver"} in plugin["env"]
    assert os.environ["ATOLL_TOKEN"] not in path.read_text()
    assert "token: t1" not in path.read_text()
    assert "kubectl --kubeconfig" in told


def test_the_plugin_prints_a_credential_and_keeps_it_until_shortly_before_its_end(cli, cluster, worker):
    first = json.loads(cli("kube-credential", "team/first")[1])
    again = json.loads(cli("kube-credential", "team/first")[1])

    assert first == again
    assert (first["kind"], first["status"]["token"]) == ("ExecCredential", "t1")
    ends = datetime.fromisoformat(first["status"]["expirationTimestamp"])
    assert timedelta(minutes=9) < ends - datetime.now(UTC) <= timedelta(minutes=10)
    place = age(seconds=545)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert json.loads(cli("kube-credential", "team/first")[1])["status"]["token"] == "t2"
    assert len(worker) == 2


def test_somebody_elses_credential_is_not_used(cli, cluster, worker, monkeypatch):
    cli("kube-credential", "team/first")
    monkeypatch.setenv("ATOLL_TOKEN", factories.token(factories.admin()))

    assert json.loads(cli("kube-credential", "team/first")[1])["status"]["token"] == "t2"


def test_what_is_kept_of_tokens_that_are_no_more_goes(cli, cluster, worker, monkeypatch):
    cli("kube-credential", "team/first")
    old = age(0)
    for path in old.parent.iterdir():
        os.utime(path, (0, 0))
    monkeypatch.setenv("ATOLL_TOKEN", factories.token(factories.admin()))

    cli("kube-credential", "team/first")

    assert old not in old.parent.iterdir()
    assert len(list(old.parent.iterdir())) == 2


@pytest.mark.parametrize("text", ["", "{", '{"token": 1}', "[]"])
def test_a_broken_cache_is_made_anew(cli, cluster, worker, text):
    cli("kube-credential", "team/first")
    age(0).write_text(text)

    assert json.loads(cli("kube-credential", "team/first")[1])["status"]["token"] == "t2"


def test_a_late_worker_is_asked_again(cli, cluster, impatient, portal, monkeypatch):
    monkeypatch.setattr("atoll_client.waiting.time.sleep", lambda _: mint(AccessRequest.objects.get().uid))

    assert json.loads(cli("kube-credential", "team/first")[1])["status"]["token"] == "t1"
    assert [line.split("/")[-2] for line in portal.told] == ["first", "kubeconfigs"]


def test_a_kubeconfig_that_was_lost_on_the_way_is_asked_for_anew(atoll, cluster, worker, portal):
    from tests.client.portal import Cut

    portal.faults = [Cut()]

    assert "token: t2" in atoll.kubeconfig("team", "first").text
    assert len({request.headers["Idempotency-Key"] for request in portal.seen}) == 2


def test_the_plugin_says_why_it_cannot(cli, team):
    factories.cluster(team, "team")

    status, out, told = cli("kube-credential", "team/first")

    assert (status, out) == (4, "")
    assert "Ready" in told


def test_a_token_can_be_in_the_file_where_no_plugin_can_run(cli, cluster, worker):
    made = yaml.safe_load(cli("cluster", "kubeconfig", "team/first", "--lifetime", "30m", "-f", "-")[1])

    assert made["users"][0]["user"] == {"token": "t1"}
    assert AccessRequest.objects.get().lifetime == 1800


def test_merging_keeps_what_others_wrote(tmp_path):
    path = tmp_path / "config"
    path.write_text(
        "current-context: mine\npreferences: {x: 1}\nusers: null\n"
        "clusters: [{name: c, cluster: {server: s}}]\ncontexts: [{name: mine, context: {cluster: c}}]\n"
    )
    context = contexts.Context("https://prod.test", "secret", name="prod")
    new = kubeconfig.entry(context, "team", "first", REACHED, ["/usr/bin/atoll"])

    for _ in range(2):
        kubeconfig.merge(path, new, use=False)
    found = yaml.safe_load(path.read_text())

    assert (found["current-context"], found["preferences"]) == ("mine", {"x": 1})
    assert [one["name"] for one in found["clusters"]] == ["c", "team/first@prod"]
    assert [one["name"] for one in found["users"]] == ["team/first@prod"]
    plugin = found["users"][0]["user"]["exec"]
    assert plugin["args"] == ["kube-credential", "team/first", "--context", "prod"]
    assert "secret" not in path.read_text()


def test_a_link_stays_one(tmp_path):
    (tmp_path / "real").write_text("")
    (tmp_path / "config").symlink_to("real")

    kubeconfig.merge(
        tmp_path / "config", kubeconfig.entry(contexts.Context("https://a.test"), "t", "c", {}, ["atoll"])
    )

    assert (tmp_path / "config").is_symlink()
    assert "t/c@a.test" in (tmp_path / "real").read_text()


@pytest.mark.parametrize("text", ["[", "- 1", "clusters: 3", "users: [x]"])
def test_what_is_no_kubeconfig_is_left_alone(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(Misconfigured, match="give --file"):
        kubeconfig.merge(path, {"clusters": [], "users": [], "contexts": [], "current-context": "x"})
    assert path.read_text() == text


def test_kubectls_lock_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(kubeconfig, "_LOCK_SECONDS", 0.1)
    (tmp_path / "config.lock").touch()

    with pytest.raises(TimedOut, match=r"config\.lock has been there"):
        kubeconfig.merge(
            tmp_path / "config", kubeconfig.entry(contexts.Context("https://a.test"), "t", "c", {}, ["a"])
        )


@pytest.mark.django_db(transaction=True)
def test_many_kubectls_at_once_ask_for_one_credential(live_server, monkeypatch, tmp_path):
    """Processes of their own, through a socket, with a worker beside."""
    alice = factories.actor("alice")
    factories.host()
    factories.tenant("team", owner=alice)
    factories.ready(factories.cluster(alice, "team"))
    settings = {
        "ATOLL_URL": live_server.url,
        "ATOLL_TOKEN": factories.token(alice),
        "PYTHONPATH": str(REPOSITORY),
    }
    stop = threading.Event()

    def work_off():
        while not stop.wait(0.05):
            for row in AccessRequest.objects.filter(state="pending"):
                mint(row.uid)
        connections.close_all()

    worker = threading.Thread(target=work_off)
    worker.start()
    try:
        argv = [sys.executable, "-m", "atoll_client", "kube-credential", "team/first"]
        running = [
            subprocess.Popen(argv, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        said = [json.loads(one.communicate(timeout=60)[0]) for one in running]
    finally:
        stop.set()
        worker.join(10)

    assert [one["status"]["token"] for one in said] == ["t1"] * 4
    assert AccessRequest.objects.count() == 1
    assert [one.returncode for one in running] == [0] * 4
