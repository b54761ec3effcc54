from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.utils import timezone

from tenancy.actions import access, clusters, idempotency, members, tokens, work
from tenancy.enums import AccessState, Role, WorkKind
from tenancy.errors import BeingDeleted, Conflict, Invalid, KeyReused, NotAllowed, NotFound
from tenancy.models import AccessRequest, ApiToken, AuditEvent
from tenancy.policy import Actor
from tenancy.queries import access as queries
from tenancy.queries import tokens as token_queries
from tenancy.rules import sealing
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.actor("alice")


@pytest.fixture
def cluster(alice):
    factories.tenant("team", owner=alice)
    return factories.ready(factories.cluster(alice, "team"))


def ask(by, **options):
    return access.request(by=by, tenant_name="team", name="first", **options)


def mint(row, text="apiVersion: v1"):
    lease = work.claim(WorkKind.ACCESS, row.uid)
    assert lease is not None
    return access.hand_over(lease, row.uid, kubeconfig=text, expires_at=timezone.now())


def test_a_kubeconfig_is_handed_over_sealed_and_once(alice, cluster):
    row = ask(alice)
    assert access.collect(by=alice, uid=row.uid).state is AccessState.PENDING
    assert mint(row, "secret text")
    row.refresh_from_db()
    assert "secret" not in row.sealed
    assert access.collect(by=alice, uid=row.uid).kubeconfig == "secret text"
    row.refresh_from_db()
    assert row.sealed == ""
    with pytest.raises(NotFound):
        access.collect(by=alice, uid=row.uid)
    actions = list(AuditEvent.objects.values_list("action", flat=True)[:2])
    assert actions == ["kubeconfig.collect", "kubeconfig.request"]


def test_nobody_else_collects_it(alice, cluster):
    row = ask(alice)
    mint(row)
    bob = factories.actor("bob")
    members.put(by=alice, tenant="team", username="bob", role=Role.OWNER)
    with pytest.raises(NotFound):
        access.collect(by=bob, uid=row.uid)


def test_what_nobody_collects_is_swept(alice, cluster):
    row = ask(alice)
    mint(row)
    AccessRequest.objects.update(wanted_until=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        access.collect(by=alice, uid=row.uid)
    assert queries.desired(row.uid) is None
    assert access.sweep() == 1
    assert not AccessRequest.objects.exists()


def test_the_role_of_the_caller_goes_with_it(alice, cluster):
    vera = factories.actor("vera")
    members.put(by=alice, tenant="team", username="vera", role=Role.VIEWER)
    assert queries.desired(ask(vera).uid).role is Role.VIEWER
    assert queries.desired(ask(factories.admin()).uid).role is Role.OWNER


@pytest.mark.parametrize("lifetime", [0, 599, 3601, 10**12])
def test_lifetimes_are_bounded(alice, cluster, lifetime):
    with pytest.raises(Invalid):
        ask(alice, lifetime=lifetime)


def test_too_early_and_too_late_are_refused(alice, cluster):
    factories.cluster(alice, "team", "second")
    with pytest.raises(Conflict):
        access.request(by=alice, tenant_name="team", name="second")
    clusters.delete(by=alice, tenant_name="team", name="first")
    with pytest.raises(BeingDeleted):
        ask(alice)


def test_a_refusal_reaches_the_one_who_waits(alice, cluster):
    row = ask(alice)
    assert access.refuse(work.claim(WorkKind.ACCESS, row.uid), row.uid, "the host is down: try again")
    found = access.collect(by=alice, uid=row.uid)
    assert (found.state, found.error) == (AccessState.FAILED, "the host is down: try again")


def test_a_lost_lease_hands_nothing_over(alice, cluster):
    row = ask(alice)
    lease = work.claim(WorkKind.ACCESS, row.uid)
    work.wait(lease, 0)
    assert not access.hand_over(lease, row.uid, kubeconfig="x", expires_at=timezone.now())


def test_old_sealing_keys_still_open():
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    assert sealing.unseal([new, old], sealing.seal([old], "text")) == "text"
    with pytest.raises(InvalidToken):
        sealing.unseal([new], sealing.seal([old], "text"))


def test_a_token_speaks_for_its_user_until_revoked(alice):
    token, raw = tokens.create(by=alice, name="ci")
    assert raw not in str(ApiToken.objects.values())
    found = token_queries.authenticate(raw)
    assert found is not None
    assert found[1].user == alice.user
    tokens.revoke(by=alice, uid=token.uid)
    assert token_queries.authenticate(raw) is None


def test_expired_unknown_and_inactive_tokens_are_refused(alice):
    token, raw = tokens.create(by=alice, name="ci", expires_at=timezone.now() + timedelta(hours=1))
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert token_queries.authenticate(raw) is None
    assert token_queries.authenticate("atoll_\udcff") is None
    ApiToken.objects.update(expires_at=None)
    alice.user.is_active = False
    alice.user.save()
    assert token_queries.authenticate(raw) is None
    assert str(token).startswith("atoll_")


def test_a_token_never_makes_a_wider_one(alice, cluster):
    team = cluster.tenant
    with pytest.raises(NotAllowed):
        tokens.create(by=Actor(alice.user, read_only=True), name="x")
    with pytest.raises(NotAllowed):
        tokens.create(by=Actor(alice.user, bound_to=team.uid), name="x")
    factories.tenant("other", owner=alice)
    with pytest.raises(NotFound):
        tokens.create(by=Actor(alice.user, bound_to=team.uid), name="x", tenant="other")


def test_nobody_revokes_anothers_token(alice):
    token, _ = tokens.create(by=alice, name="ci")
    with pytest.raises(NotFound):
        tokens.revoke(by=factories.actor("bob"), uid=token.uid)
    with pytest.raises(NotFound):
        tokens.revoke(by=alice, uid=uuid4())


def answer(status=201):
    return idempotency.StoredAnswer(status, "{}", {"Location": "/x"})


def test_a_key_has_one_effect(alice):
    calls = []

    def effect():
        calls.append(1)
        return answer()

    first = idempotency.once(by=alice, key="k", fingerprint="a", effect=effect)
    again = idempotency.once(by=alice, key="k", fingerprint="a", effect=effect)
    assert (first, again, len(calls)) == ((answer(), False), (answer(), True), 1)
    with pytest.raises(KeyReused):
        idempotency.once(by=alice, key="k", fingerprint="b", effect=effect)


def test_a_failed_effect_frees_its_key(alice):
    def broken():
        raise Conflict("no")

    with pytest.raises(Conflict):
        idempotency.once(by=alice, key="k", fingerprint="a", effect=broken)
    assert idempotency.once(by=alice, key="k", fingerprint="a", effect=answer) == (answer(), False)
