from __future__ import annotations

import pytest

from tenancy import policy
from tenancy.actions import hosts, members, tenants, users
from tenancy.enums import Exposure, Permission, PlatformRole, Role, Trust
from tenancy.errors import AlreadyExists, Conflict, Invalid, NotAllowed, NotFound
from tenancy.models import AuditEvent, Membership
from tenancy.queries import audit, services
from tenancy.queries import hosts as host_queries
from tenancy.queries import tenants as queries
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.actor("alice")


@pytest.fixture
def team(alice):
    return factories.tenant("team", owner=alice)


def test_every_permission_is_in_some_role():
    granted = set().union(*policy.ROLES.values(), *policy.PLATFORM_ROLES.values())
    assert granted == set(Permission)


def test_only_admins_make_tenants(alice):
    with pytest.raises(NotAllowed):
        tenants.create(by=alice, name="mine")
    made = tenants.create(by=factories.admin(), name="mine", trust=Trust.TRUSTED)
    assert made.trust == Trust.TRUSTED
    with pytest.raises(AlreadyExists):
        tenants.create(by=factories.admin(), name="mine")
    with pytest.raises(Invalid):
        tenants.create(by=factories.admin(), name="x" * 21)


def test_a_change_that_changes_nothing_is_not_audited(team):
    before = AuditEvent.objects.count()
    tenants.update(by=factories.admin(), name="team", suspended=False)
    assert AuditEvent.objects.count() == before
    tenants.update(by=factories.admin(), name="team", display_name="The team")
    assert AuditEvent.objects.count() == before + 1


def test_owners_manage_members_and_others_do_not(alice, team):
    bob, mallory = factories.actor("bob"), factories.actor("mallory")
    _, created = members.put(by=alice, tenant="team", username="bob", role=Role.MEMBER)
    assert created
    assert members.put(by=alice, tenant="team", username="bob", role=Role.MEMBER)[1] is False
    with pytest.raises(NotAllowed):
        members.put(by=bob, tenant="team", username="bob", role=Role.OWNER)
    with pytest.raises(NotFound):
        members.put(by=mallory, tenant="team", username="mallory", role=Role.OWNER)
    with pytest.raises(Invalid):
        members.put(by=alice, tenant="team", username="nobody", role=Role.MEMBER)
    assert [m.user.username for m in queries.members(bob, team)] == ["alice", "bob"]
    members.remove(by=alice, tenant="team", username="bob")
    with pytest.raises(NotFound):
        queries.get(bob, "team")


def test_the_last_owner_stays(alice, team):
    with pytest.raises(Conflict):
        members.remove(by=alice, tenant="team", username="alice")
    with pytest.raises(Conflict):
        members.put(by=alice, tenant="team", username="alice", role=Role.VIEWER)
    members.remove(by=factories.admin(), tenant="team", username="alice")
    assert not Membership.objects.exists()


def test_user_names_are_unique():
    users.create(username="zoe", password="long enough")
    with pytest.raises(AlreadyExists):
        users.create(username="zoe", password="long enough")
    assert users.set_password(username="zoe", password="another one").check_password("another one")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"kubeconfig": "apiVersion: v1\nclusters: []"}, "spec.kubeconfig"),
        ({"kubeconfig": "file:relative"}, "spec.kubeconfig"),
        ({"client_cidrs": ("10.0.0.1/8",)}, "spec.clientCIDRs[0]"),
        ({"kubernetes_versions": ("0.9",)}, "spec.kubernetesVersions[0]"),
        ({"kubernetes_versions": ()}, "spec.kubernetesVersions"),
    ],
)
def test_a_bad_host_names_the_field(changes, path):
    registration = hosts.HostRegistration(**{"kubeconfig": "file:/x", **changes})
    with pytest.raises(Invalid) as caught:
        hosts.put(by=factories.admin(), name="lab", registration=registration)
    assert [error.path for error in caught.value.errors] == [path]


def test_registering_again_changes_only_what_differs():
    admin = factories.admin()
    same = hosts.HostRegistration(kubeconfig="env:KUBE", client_cidrs=("10.0.0.0/8",))
    assert hosts.put(by=admin, name="lab", registration=same)[1]
    before = AuditEvent.objects.count()
    assert hosts.put(by=admin, name="lab", registration=same)[1] is False
    assert AuditEvent.objects.count() == before
    other = hosts.HostRegistration(kubeconfig="env:KUBE", exposure=Exposure.NODE_PORT)
    host, created = hosts.put(by=admin, name="lab", registration=other)
    assert (host.exposure, created) == (Exposure.NODE_PORT, False)


def test_hosts_are_for_platform_roles(alice):
    factories.host()
    with pytest.raises(NotFound):
        host_queries.get(alice, "lab")
    assert host_queries.get(factories.actor("audrey", PlatformRole.AUDITOR), "lab")


def test_audit_is_for_owners_of_their_tenant(alice, team):
    bob = factories.actor("bob")
    members.put(by=alice, tenant="team", username="bob", role=Role.MEMBER)
    assert audit.visible_to(alice, team).filter(action="member.put").count() == 2
    with pytest.raises(NotAllowed):
        audit.visible_to(bob, team)
    with pytest.raises(NotAllowed):
        audit.visible_to(alice)


def test_health_is_read_from_heartbeats():
    factories.host()
    found = services.health()
    assert (found.workers, found.relays, found.hosts_reachable, found.hosts) == (0, 0, 1, 1)
