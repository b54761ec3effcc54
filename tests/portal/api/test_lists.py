from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.portal.api.client import assert_problem

CLUSTERS = "/tenants/team/clusters"


def _create(api, *names):
    for name in names:
        assert api.put(f"{CLUSTERS}/{name}", {"spec": {}}).status_code == 201


def _walk(api, path):
    """The names on all pages, page by page."""
    while path:
        page = api.get(path).json()
        assert list(page) == ["items", "next"]
        yield [item["metadata"]["name"] for item in page["items"]]
        path = page["next"]


def test_pages_hold_everything_once(api):
    _create(api, "c1", "c2", "c3", "c4", "c5")

    assert list(_walk(api, f"{CLUSTERS}?limit=2")) == [["c1", "c2"], ["c3", "c4"], ["c5"]]
    assert list(_walk(api, f"{CLUSTERS}?limit=5")) == [["c1", "c2", "c3", "c4", "c5"]]


def test_what_comes_or_goes_in_between_moves_nothing(api):
    _create(api, "c1", "c2", "c3")
    first = api.get(f"{CLUSTERS}?limit=2").json()
    _create(api, "c0")
    api.delete(f"{CLUSTERS}/c1")

    rest = list(_walk(api, first["next"]))

    assert rest == [["c3", "c0"]]


def test_newest_first_lists_are_stable_too(api):
    _create(api, "c1", "c2", "c3")
    first = api.get("/operations?limit=2").json()
    _create(api, "c4")

    seen = [item["target"]["name"] for item in first["items"]]
    after = [item["target"]["name"] for item in api.get(first["next"]).json()["items"]]
    assert (seen, after) == (["c3", "c2"], ["c1"])


def test_pages_of_people_are_walked_by_name(api, admin):
    for name in ("zoe", "bea", "max"):
        factories.user(name)
        api.put(f"/tenants/team/members/{name}", {"spec": {"role": "viewer"}})

    assert list(_walk(api, "/tenants/team/members?limit=3")) == [["alice", "bea", "max"], ["zoe"]]


def test_filters_stay_on_every_page(api):
    _create(api, "c1", "c2", "c3")

    pages = list(_walk(api, f"{CLUSTERS}?limit=1&phase=Pending"))

    assert pages == [["c1"], ["c2"], ["c3"]]


@pytest.mark.parametrize(
    "steal",
    [
        lambda following: following.replace(CLUSTERS, "/tenants/team/members").replace("phase=Pending&", ""),
        lambda following: following.replace("phase=Pending", "phase=Ready"),
        lambda following: following[:-3] + "abc",
    ],
)
def test_a_cursor_is_good_for_its_own_list_only(api, steal):
    _create(api, "c1", "c2")
    following = api.get(f"{CLUSTERS}?phase=Pending&limit=1").json()["next"]
    assert "phase=Pending" in following

    body = assert_problem(api.get(steal(following)), 400, "invalid")

    assert body["errors"][0]["code"] == "unknown-cursor"


def _cost(api, path):
    with CaptureQueriesContext(connection) as seen:
        items = api.get(path).json()["items"]
    return len(items), len(seen.captured_queries)


@pytest.mark.parametrize("path", [CLUSTERS, "/operations", "/tenants/team/audit?action=cluster.create"])
def test_one_and_three_items_cost_the_same(api, path):
    _create(api, "c1")
    api.get(path)
    (one, cheap), _ = _cost(api, path), _create(api, "c2", "c3")

    assert (one, _cost(api, path)) == (1, (3, cheap))


def test_one_and_three_tokens_and_hosts_cost_the_same(admin):
    factories.host()
    for path, more in (("/tokens", _three_tokens), ("/hosts", _three_hosts)):
        admin.get(path)
        (one, cheap), _ = _cost(admin, path), more(admin)
        assert (one, _cost(admin, path)) == (1, (3, cheap))


def _three_tokens(admin):
    for _ in range(2):
        admin.post("/tokens", {"metadata": {"name": "x"}})


def _three_hosts(admin):
    for name in ("two", "three"):
        admin.put(f"/hosts/{name}", {"spec": {"kubeconfig": "in-cluster"}})
