"""Helm's ways, and those it leaves behind when it is killed."""

from __future__ import annotations

import pytest

from provisioner.outcomes import LeaseLost
from provisioner.ports import SERVICES, Busy
from tests.contract.conftest import known


def service(side):
    return side.kube.get(SERVICES, "cluster", side.namespace)


def test_install_then_upgrade(side):
    side.helm.install(side.namespace, {"n": 1}, "one")
    assert known(side) == [(1, "deployed", "one")]
    uid = service(side)["metadata"]["uid"]
    side.helm.install(side.namespace, {"n": 2}, "two")
    assert known(side) == [(1, "superseded", "one"), (2, "deployed", "two")]
    assert service(side)["metadata"]["uid"] == uid


def test_uninstall_leaves_nothing_and_may_be_repeated(side):
    side.helm.install(side.namespace, {"n": 1}, "one")
    side.helm.uninstall(side.namespace)
    assert known(side) == []
    assert service(side) is None
    side.helm.uninstall(side.namespace)


def test_a_pending_install_blocks_and_can_be_uninstalled(side):
    side.helm.install(side.namespace, {"n": 1}, "one")
    side.leave(1, "pending-install")
    with pytest.raises(Busy):
        side.helm.install(side.namespace, {"n": 1}, "one")
    side.helm.uninstall(side.namespace)
    assert known(side) == []
    side.helm.install(side.namespace, {"n": 1}, "one")
    assert known(side) == [(1, "deployed", "one")]


def test_a_pending_upgrade_can_be_rolled_back(side):
    side.helm.install(side.namespace, {"n": 1}, "one")
    side.leave(2, "pending-upgrade")
    with pytest.raises(Busy):
        side.helm.install(side.namespace, {"n": 2}, "two")
    side.helm.rollback(side.namespace, 1)
    last = known(side)[-1]
    assert last == (3, "deployed", "one")
    side.helm.install(side.namespace, {"n": 2}, "two")
    assert known(side)[-1] == (4, "deployed", "two")


def test_an_unfinished_uninstall_goes_on(side):
    side.helm.install(side.namespace, {"n": 1}, "one")
    side.leave(1, "uninstalling")
    side.helm.uninstall(side.namespace)
    assert known(side) == []
    assert service(side) is None


def test_a_failed_install_can_be_upgraded(side):
    side.helm.install(side.namespace, {"n": 1}, "one")
    side.leave(1, "failed")
    side.helm.install(side.namespace, {"n": 2}, "two")
    assert known(side)[-1] == (2, "deployed", "two")


def test_lost_records_are_adopted(side):
    from provisioner.ports import SECRETS
    from provisioner.release.state import record_name

    side.helm.install(side.namespace, {"n": 1}, "one")
    uid = service(side)["metadata"]["uid"]
    side.kube.delete(SECRETS, record_name(1), side.namespace)
    side.helm.install(side.namespace, {"n": 1}, "one")
    assert known(side) == [(1, "deployed", "one")]
    assert service(side)["metadata"]["uid"] == uid


def test_without_the_lease_helm_does_not_run(side):
    side.guard.held = False
    with pytest.raises(LeaseLost):
        side.helm.install(side.namespace, {"n": 1}, "one")
    assert known(side) == []
