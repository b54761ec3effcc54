"""What people read: the guide, the status, the figures."""

from __future__ import annotations

import json
import subprocess

from command import guide, reset, single, status, surroundings
from command.bench import report


def test_a_step_of_the_lab_is_told():
    progress = {"state": "building", "step": "building runc", "done": 5, "total": 14}
    assert guide.lab_line(progress) == "lab building: 5/14 building runc"


def test_a_lab_that_does_nothing_is_not_told():
    assert guide.lab_line({}) == ""
    assert guide.lab_line({"state": "stopped", "step": "stopped"}) == ""


def test_a_cluster_tells_what_it_waits_for():
    conditions = [
        {"status": "True", "reason": "AsWanted", "message": "fine"},
        {"status": "False", "reason": "NotReady", "message": "pod cluster-0 is starting"},
        {"status": "False", "reason": "Waiting", "message": "later"},
    ]
    cluster = {"status": {"phase": "Provisioning", "conditions": conditions}}
    assert guide.cluster_line(cluster) == "Provisioning: pod cluster-0 is starting"


def test_the_steps_of_the_host_are_not_told_twice():
    condition = {
        "status": "False",
        "reason": "HostStarting",
        "message": "host lab is being built: step 3 of 15",
    }
    cluster = {"status": {"phase": "Pending", "conditions": [condition]}}
    assert guide.cluster_line(cluster) == "Pending: waits for its host"


def test_the_lines_to_paste_are_a_proper_script(home):
    text = guide.kubectl(home, "http://127.0.0.1:8000").replace("In another terminal:", "")
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    assert f"{home.root}/demo.token" in text


def test_status_of_nothing(home):
    seen = status.look(home)
    assert (seen["running"], seen["url"], seen["services"], seen["lab"], seen["problems"]) == (
        False,
        None,
        {},
        None,
        [],
    )
    assert "is not running; ./atoll up starts it" in status.text(seen)


def test_status_names_a_service_that_died(home):
    (home.run / "worker.pid").write_text(json.dumps({"name": "worker", "pid": 2**22 - 1, "started": 1}))
    with single.claimed(home):
        single.announce(home, "http://127.0.0.1:9", "lab")
        seen = status.look(home)
    assert seen["services"]["worker"]["running"] is False
    assert seen["problems"] == [
        f"worker is not running; its log: {home.logs}/worker.log",
        "the portal does not serve: see what it says above, and ./atoll logs portal",
    ]


def test_the_environment_for_scripts_can_be_sourced(home):
    environment = surroundings.make(home, 8123)
    surroundings.write(home, environment)
    script = f". {home.run}/env && echo $ATOLL_HOME $ATOLL_PUBLIC_URL"
    said = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(home.root), "http://127.0.0.1:8123"]


def test_services_never_see_an_admins_kubeconfig(home, monkeypatch):
    monkeypatch.setenv("ATOLL_KUBECONFIG", "/root/.kube/config")
    assert "ATOLL_KUBECONFIG" not in surroundings.make(home, 8000)


def test_what_a_person_set_is_kept(home, monkeypatch):
    monkeypatch.setenv("ATOLL_PUBLIC_URL", "https://atoll.example.com")
    assert surroundings.make(home, 8000)["ATOLL_PUBLIC_URL"] == "https://atoll.example.com"


def test_reset_takes_what_is_ours_and_leaves_the_rest(home, monkeypatch, capsys):
    monkeypatch.setenv("ATOLL_HOME", str(home.root))
    home.credentials.write_text("admin: x\n")
    (home.root / "audit").mkdir()
    (home.root / "audit" / "2026-11-21.jws").write_text("a head that nobody can check without its key\n")
    (home.root / "thesis.tex").write_text("years of work")
    monkeypatch.setattr("sys.argv", ["atoll"])
    from command import arguments

    assert reset.run(arguments.parse(["reset", "--yes"])) == 0
    assert [p.name for p in home.root.iterdir()] == ["thesis.tex"]
    assert "left alone: thesis.tex" in capsys.readouterr().out


def test_figures_replace_older_ones_and_leave_the_page(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n\nBefore.\n")
    report.write(report.Result([30.0, 31.0, 29.0], [29.0, 28.0, 30.0]), page)
    page.write_text(page.read_text() + "\nAfter.\n")
    report.write(report.Result([40.0], [30.0]), page)
    text = page.read_text()
    assert text.count("## Create → Ready") == 1
    assert text.startswith("# Performance\n\nBefore.\n")
    assert text.endswith("After.\n")
    assert "| **median** | **40.0** | **30.0** |" in text
    assert "+10.0 s (+33%); allowed are 3.0 s: not kept." in text


def test_what_is_promised():
    assert report.Result([31.9], [30.0]).kept  # two seconds
    assert not report.Result([33.1], [30.0]).kept
    assert report.Result([65.0], [60.0]).kept  # a tenth
    assert not report.Result([66.1], [60.0]).kept
