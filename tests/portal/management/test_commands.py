from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from tenancy.actions import clusters
from tenancy.models import AuditEvent, HostCluster, Tenant, User, VirtualCluster, WorkItem
from tenancy.policy import Actor
from tenancy.queries import tokens

pytestmark = pytest.mark.django_db
HOST = ("--host", "lab", "--kubeconfig", "file:/tmp/lab.kubeconfig", "--client-cidr", "10.1.0.2/32")


@pytest.fixture
def home(settings, tmp_path):
    settings.ATOLL_HOME = tmp_path
    return tmp_path


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_a_first_start_makes_people_tenant_host_and_cluster(home):
    run("bootstrap", "--demo", *HOST)
    assert {u.username: u.platform_role for u in User.objects.all()} == {"admin": "admin", "demo": ""}
    tenant = Tenant.objects.get()
    assert [(m.user.username, m.role) for m in tenant.memberships.all()] == [("demo", "member")]
    assert [str(c) for c in VirtualCluster.objects.all()] == ["demo/first"]
    assert HostCluster.objects.get().client_cidrs == ["10.1.0.2/32"]


def test_passwords_and_tokens_open_and_are_private(home):
    run("bootstrap", "--demo", *HOST)
    for line in (home / "credentials").read_text().splitlines():
        name, _, password = line.partition(": ")
        assert User.objects.get(username=name).check_password(password)
    for name, bound in (("admin", False), ("demo", True)):
        _, actor = tokens.authenticate((home / f"{name}.token").read_text().strip())
        assert (actor.name, actor.bound_to is not None) == (name, bound)
    files = [p for p in home.iterdir() if p.is_file()]
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in files} == dict.fromkeys(
        ("credentials", "admin.token", "demo.token"), "0o600"
    )


def test_a_second_start_changes_nothing(home):
    run("bootstrap", "--demo", *HOST)
    before = {p.name: p.read_text() for p in home.iterdir() if p.is_file()}, AuditEvent.objects.count()
    said = run("bootstrap", "--demo", *HOST)
    assert (
        {p.name: p.read_text() for p in home.iterdir() if p.is_file()},
        AuditEvent.objects.count(),
    ) == before
    assert said == "host lab: up to date\n"


def test_a_second_start_looks_at_everything_anew(home):
    run("bootstrap", "--demo", *HOST)
    WorkItem.objects.update(handled=1, requested=1)
    run("bootstrap", "--demo", *HOST)
    assert [(w.requested, w.handled) for w in WorkItem.objects.all()] == [(2, 1), (2, 1)]


def test_a_lost_token_is_made_anew(home):
    run("bootstrap", *HOST)
    (home / "admin.token").unlink()
    run("bootstrap", *HOST)
    assert tokens.authenticate((home / "admin.token").read_text().strip()) is not None


def test_a_deleted_demo_cluster_does_not_come_back(home):
    run("bootstrap", "--demo", *HOST)
    demo = Actor(User.objects.get(username="demo"))
    clusters.delete(by=demo, tenant_name="demo", name="first")
    VirtualCluster.objects.all().delete()
    run("bootstrap", "--demo", *HOST)
    assert not VirtualCluster.objects.exists()


def test_without_the_demo_there_is_an_admin_only(home):
    run("bootstrap", *HOST)
    assert [u.username for u in User.objects.all()] == ["admin"]
    assert not Tenant.objects.exists()


def test_a_host_is_registered_and_changed(home):
    run("bootstrap")
    words = ("register_host", "mine", "--kubeconfig", "env:KUBE", "--exposure", "nodePort")
    assert run(*words) == "host mine: registered\n"
    assert run(*words) == "host mine: up to date\n"
    run(*words, "--workload-selector", "pool=tenants")
    assert HostCluster.objects.get().workload_selector == {"pool": "tenants"}


def test_a_check_registers_nothing(home):
    run("bootstrap")
    assert run("register_host", "mine", "--kubeconfig", "env:KUBE", "--check") == ""
    assert not HostCluster.objects.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("mine", "--kubeconfig", "apiVersion: v1"), "Atoll keeps the place of a credential"),
        (("Mine", "--kubeconfig", "env:KUBE"), "metadata.name"),
        (("mine", "--kubeconfig", "env:KUBE", "--client-cidr", "10"), "'10' is not a network"),
        (("mine", "--kubeconfig", "env:KUBE", "--workload-selector", "pool"), "'pool': give LABEL=VALUE"),
    ],
)
def test_a_host_that_cannot_be_is_refused_with_the_fix(home, words, says):
    run("bootstrap")
    with pytest.raises(CommandError, match=says):
        run("register_host", *words)


def test_a_host_needs_an_admin_first():
    with pytest.raises(CommandError, match=r"make one with ./atoll admin create NAME"):
        run("register_host", "mine", "--kubeconfig", "env:KUBE")


def test_an_admin_is_made_with_the_password_given(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a-long-enough-secret\n"))
    assert run("create_admin", "ada") == "made admin ada\n"
    made = User.objects.get()
    assert (made.username, made.platform_role) == ("ada", "admin")
    assert made.check_password("a-long-enough-secret")


@pytest.mark.parametrize("password", ["short", "password123", ""])
def test_a_weak_password_is_refused(monkeypatch, password):
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    with pytest.raises(CommandError, match=r"password|too short"):
        run("create_admin", "ada")
    assert not User.objects.exists()


def test_a_taken_name_is_refused(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a-long-enough-secret\n"))
    run("create_admin", "ada")
    monkeypatch.setattr("sys.stdin", io.StringIO("a-long-enough-secret\n"))
    with pytest.raises(CommandError, match="exists already"):
        run("create_admin", "ada")


def test_the_credentials_file_stays_readable_as_text(home):
    run("bootstrap", "--demo", *HOST)
    names = [line.partition(": ")[0] for line in (home / "credentials").read_text().splitlines()]
    assert names == ["admin", "demo"]
