"""Quarantine by API."""

from __future__ import annotations

import pytest

from tests import factories
from tests.portal.api.client import assert_problem

CLUSTER = "/tenants/team/clusters/first"
PATH = f"{CLUSTER}/quarantine"


@pytest.fixture
def cluster(api, alice):
    return factories.ready(factories.cluster(alice, "team"))


def test_an_admin_takes_it_out_of_use_and_gives_it_back(api, admin, cluster):
    answer = admin.post(PATH, {"reason": "a miner was seen"})
    assert answer.status_code == 202
    told = api.get(CLUSTER).json()["status"]
    assert told["phase"] == "Quarantined"
    assert {k: told["quarantine"][k] for k in ("by", "reason", "contained")} == {
        "by": "root",
        "reason": "a miner was seen",
        "contained": False,
    }
    assert_problem(api.post(f"{CLUSTER}/kubeconfig", {}), 409, "quarantined")
    assert_problem(api.put(CLUSTER, {"spec": {"resources": {"cpu": 3}}}), 409, "quarantined")
    assert_problem(api.delete(CLUSTER), 409, "quarantined")
    assert admin.delete(PATH).status_code == 202
    assert api.get(CLUSTER).json()["status"]["quarantine"] is None


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": 3}, {"reason": "x" * 501}, {"why": "x"}])
def test_a_reason_is_asked_for_by_name(admin, cluster, body):
    problem = assert_problem(admin.post(PATH, body), 400, "invalid")
    assert problem["errors"]
