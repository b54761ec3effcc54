from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.portal.api.client import assert_problem
from tests.support import manifests

WEB = "/cluster-templates/web"
CLUSTER = "/tenants/team/clusters/first"
CONTENT = {
    "parameters": {
        "type": "object",
        "properties": {"size": {"type": "string", "enum": ["1", "2"], "default": "1"}},
    },
    "cluster": {"resources": {"cpu": {"$param": "size"}}, "isolation": None},
    "locked": ["isolation.sandbox"],
}


def asks(version="^1.2", size="2", **own):
    return {"spec": {**own, "template": {"version": version, "name": "web", "parameters": {"size": size}}}}


@pytest.fixture
def web(admin, team):
    assert admin.put(WEB, {"spec": {"description": "For sites"}}).status_code == 201
    assert admin.put(f"{WEB}/versions/1.2.0", {"spec": CONTENT}).status_code == 201


def test_an_admin_publishes_what_everybody_reads_as_it_was_written(admin, api, web):
    found = api.get(WEB).json()
    assert (found["spec"], found["status"]["versions"]) == ({"description": "For sites"}, ["1.2.0"])
    version = api.get(f"{WEB}/versions/1.2.0")
    assert list(version.json()["spec"].items()) == list(CONTENT.items())
    assert version.json()["metadata"]["template"] == "web"

    again = admin.put(f"{WEB}/versions/1.2.0", version.json(), If_Match=version["ETag"])
    assert (again.status_code, again["ETag"]) == (200, version["ETag"])
    assert_problem(admin.put(f"{WEB}/versions/1.2.0", {"spec": {"cluster": {}}}), 409, "immutable")
    yanked = admin.put(f"{WEB}/versions/1.2.0", {"spec": {**CONTENT, "state": "yanked"}})
    assert (yanked.status_code, yanked.json()["status"]["state"]) == (200, "yanked")
    assert yanked["ETag"] != version["ETag"]
    assert api.get(f"{WEB}/versions?state=active").json()["items"] == []
    assert_problem(
        admin.put(f"{WEB}/versions/1.2.0", version.json(), If_None_Match="*"), 412, "precondition-failed"
    )


def test_a_template_is_written_again_without_effect(admin, web):
    first = admin.put(WEB, {"spec": {"tenants": ["team"], "deprecated": False}})
    again = admin.put(WEB, first.json())

    assert (again.status_code, again["ETag"], again.json()["spec"]) == (
        200,
        first["ETag"],
        {"tenants": ["team"], "deprecated": False},
    )
    assert first.json()["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"tenants": ["nobody"]}, "spec.tenants[0]"),
        ({"tenants": "team"}, "spec.tenants"),
        ({"tenants": [1]}, "spec.tenants[0]"),
        ({"deprecated": "yes"}, "spec.deprecated"),
        ({"description": "x" * 501}, "spec.description"),
        ({"color": 1}, "spec.color"),
        ([], "spec"),
    ],
)
def test_a_template_that_cannot_be(admin, team, spec, path):
    body = assert_problem(admin.put(WEB, {"spec": spec}), 400, "invalid")
    assert [e["path"] for e in body["errors"]] == [path]


@pytest.mark.parametrize(
    ("version", "spec", "path"),
    [
        ("1.2", {"cluster": {}}, "metadata.version"),
        ("latest", {"cluster": {}}, "metadata.version"),
        ("1.3.0", {}, "spec.cluster"),
        ("1.3.0", {"cluster": {}, "state": "new"}, "spec.state"),
        ("1.3.0", {"cluster": {"resources": {"cpu": "?"}}}, "spec.cluster.resources.cpu"),
    ],
)
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_a_version_that_cannot_be(admin, web, version, spec, path, query):
    body = assert_problem(admin.put(f"{WEB}/versions/{version}{query}", {"spec": spec}), 400, "invalid")
    assert [e["path"] for e in body["errors"]] == [path]


def test_a_cluster_tells_what_its_template_came_to(admin, api, web):
    plan = api.put(f"{CLUSTER}?dry_run=true", asks()).json()
    assert plan["template"] == {"name": "web", "version": "1.2.0", "state": "active"}
    assert {"path": "resources.cpu", "old": None, "new": "2"} in plan["effective"]

    made = api.put(CLUSTER, asks())
    assert made.status_code == 201
    assert list(made.json()["spec"]["template"]) == ["version", "name", "parameters"]
    assert made.json()["status"]["effective"]["resources"]["cpu"] == "2"
    assert made.json()["status"]["template"] == {
        "name": "web",
        "version": "1.2.0",
        "state": "active",
        "newest": "1.2.0",
        "latest": "1.2.0",
        "behind": False,
        "deprecated": False,
        "withdrawn": False,
    }
    admin.put(f"{WEB}/versions/1.3.0", {"spec": CONTENT})
    admin.put(f"{WEB}/versions/2.0.0", {"spec": CONTENT})
    seen = api.get(CLUSTER)
    told = seen.json()["status"]["template"]
    assert (told["version"], told["newest"], told["latest"], told["behind"]) == (
        "1.2.0",
        "1.3.0",
        "2.0.0",
        True,
    )
    assert seen["ETag"] == made["ETag"]

    factories.follow()
    moved = api.get(CLUSTER).json()
    assert (moved["status"]["template"]["version"], moved["metadata"]["generation"]) == ("1.3.0", 2)
    assert moved["spec"] == made.json()["spec"]
    assert api.put(CLUSTER, moved).json()["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        (asks(size="3"), "spec.template.parameters.size", "one of 1, 2"),
        (asks(isolation={"sandbox": "gvisor"}), "spec.isolation.sandbox", "template web 1.2.0 locks"),
        (asks("^3"), "spec.template.version", "there are 1.2.0"),
    ],
)
def test_what_a_template_refuses_is_told_with_its_path(api, web, body, path, words):
    for query in ("", "?dry_run=true"):
        (error,) = assert_problem(api.put(CLUSTER + query, body), 400, "invalid")["errors"]
        assert error["path"] == path
        assert words in error["detail"]


def test_owners_see_what_a_version_would_change_for_their_own_clusters(admin, api, outsider, web):
    for name in ("first", "second"):
        api.put(f"/tenants/team/clusters/{name}", asks(version="1.2.0" if name == "second" else "^1"))
    outsider.put("/tenants/other/clusters/theirs", asks())
    content = {**CONTENT, "cluster": {"resources": {"cpu": {"$param": "size"}, "pods": 9}}}
    planned = admin.put(f"{WEB}/versions/1.3.0?dry_run=true", {"spec": content}).json()
    assert (planned["action"], len(planned["impact"])) == ("create", 3)
    assert_problem(admin.get(f"{WEB}/versions/1.3.0"), 404, "not-found")
    admin.put(f"{WEB}/versions/1.3.0", {"spec": content})

    found = api.get(f"{WEB}/versions/1.3.0/impact").json()["items"]

    assert found == planned["impact"][:2]
    assert [(one["cluster"], one["verdict"]) for one in found] == [("first", "moves"), ("second", "stays")]
    assert found[0]["changes"] == [{"path": "resources.pods", "old": 50, "new": 9}]
    assert len(admin.get(f"{WEB}/versions/1.3.0/impact").json()["items"]) == 3


def test_a_template_in_use_is_not_removed(admin, api, web):
    api.put(CLUSTER, asks())
    assert_problem(admin.delete(WEB), 409, "in-use")
    api.put(CLUSTER, {"spec": {}})

    assert admin.delete(WEB).json()["metadata"]["name"] == "web"
    assert_problem(admin.get(WEB), 404, "not-found")


def test_a_version_is_removed_once_no_cluster_stands_on_it(admin, api, web):
    address = f"{WEB}/versions/1.2.0"
    api.put(CLUSTER, asks())
    body = assert_problem(admin.delete(address), 409, "in-use")
    assert body["usedBy"] == ["cluster team/first"]
    assert "yanked" in body["detail"]

    admin.put(f"{WEB}/versions/1.3.0", {"spec": CONTENT})
    factories.follow()
    assert admin.delete(address, If_Match='"x-1"').status_code == 412
    assert admin.delete(address).json()["spec"] == CONTENT
    assert_problem(admin.delete(address), 404, "not-found")
    assert api.get(WEB).json()["status"]["versions"] == ["1.3.0"]
    assert_problem(api.put(CLUSTER, asks("1.2.0")), 400, "invalid")
    assert api.get(CLUSTER).json()["status"]["template"]["version"] == "1.3.0"


def test_a_number_that_was_removed_stands_for_nothing_else(admin, web):
    address = f"{WEB}/versions/1.2.0"
    first = admin.get(address).json()["metadata"]["uid"]
    admin.delete(address)
    for query in ("", "?dry_run=true"):
        assert_problem(admin.put(address + query, {"spec": {"cluster": {}}}), 409, "immutable")

    made = admin.put(address, {"spec": {**dict(reversed(CONTENT.items())), "state": "deprecated"}})

    assert (made.status_code, made.json()["metadata"]["uid"] == first) == (201, False)
    admin.delete(address)
    admin.delete(WEB)
    admin.put(WEB, {"spec": {}})  # another template of the same name
    assert admin.put(address, {"spec": {"cluster": {}}}).status_code == 201


def test_the_number_of_an_add_on_stands_for_one_content_too(admin, api, web):
    address, spec = "/add-ons/motd/versions/1.0.0", {"manifests": manifests.MANIFEST}
    admin.put(address, {"spec": spec})
    brings = {"cluster": {"addOns": [{"name": "motd", "version": "1.0.0"}]}}
    admin.put(f"{WEB}/versions/1.3.0", {"spec": brings})
    assert assert_problem(admin.delete(address), 409, "in-use")["usedBy"] == ["template web 1.3.0"]
    admin.delete(f"{WEB}/versions/1.3.0")
    assert admin.delete(address).status_code == 200

    other = manifests.of(manifests.config("other"))
    assert_problem(admin.put(address, {"spec": {"manifests": other}}), 409, "immutable")
    assert admin.put(address, {"spec": {**spec, "description": "as it was"}}).status_code == 201


def test_others_templates_look_like_unknown_ones(admin, outsider, web):
    admin.put(WEB, {"spec": {"tenants": ["team"]}})

    foreign, unknown = outsider.get(WEB), outsider.get("/cluster-templates/nix")
    assert foreign.json()["detail"].replace("web", "nix") == unknown.json()["detail"]
    assert outsider.get("/cluster-templates").json()["items"] == []
    foreign = outsider.put("/tenants/other/clusters/x", asks()).json()
    unknown = outsider.put(
        "/tenants/other/clusters/x", {"spec": {"template": {"name": "nix", "version": "^1"}}}
    ).json()
    assert foreign["detail"].replace("'web'", "'nix'") == unknown["detail"]


def _cost(api, path):
    with CaptureQueriesContext(connection) as seen:
        items = api.get(path).json()["items"]
    return len(items), len(seen.captured_queries)


def test_one_and_three_cost_the_same(admin, api, web):
    paths = [
        "/cluster-templates",
        f"{WEB}/versions",
        f"{WEB}/versions/1.2.0/impact",
        "/tenants/team/clusters",
    ]
    admin.put(f"{WEB}/versions/1.1.0", {"spec": CONTENT})

    def grow(*names):
        for name in names:
            admin.put(f"/cluster-templates/{name}", {"spec": {"tenants": ["team"]}})
            admin.put(f"/cluster-templates/{name}/versions/1.0.0", {"spec": CONTENT})
            admin.put(f"{WEB}/versions/1.{len(name)}.{ord(name[-1])}", {"spec": CONTENT})
            assert api.put(f"/tenants/team/clusters/{name}", asks("1.1.0")).status_code == 201

    grow("a")
    api.get(paths[0])
    before = {path: _cost(api, path) for path in paths}
    grow("b", "c")
    after = {path: _cost(api, path) for path in paths}

    assert {path: cost for path, (_, cost) in after.items()} == {
        path: cost for path, (_, cost) in before.items()
    }
    assert {path: n for path, (n, _) in after.items()} == {path: n + 2 for path, (n, _) in before.items()}
