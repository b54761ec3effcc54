"""What holds for everything that is written by PUT, tried on each of them: docs/api.md promises it."""

from __future__ import annotations

import pytest
from django.apps import apps

from portal.api import schema
from tenancy.models import ApiToken
from tests import factories
from tests.portal.api.client import Api, assert_problem
from tests.portal.api.contract_table import CONTRACT
from tests.portal.api.documented import assert_documented
from tests.support.worlds import made_once

pytestmark = [pytest.mark.matrix, pytest.mark.django_db]
ROUTES = sorted(CONTRACT)
each = pytest.mark.parametrize("route", ROUTES)


def test_every_put_has_its_entry():
    puts = {path for path, item in schema.document()["paths"].items() if "put" in item}

    assert puts == set(CONTRACT)


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """A team with an owner, a host and a class; and who writes."""
    with made_once(django_db_blocker):
        owner = factories.actor("owner")
        factories.host()
        factories.tenant("team", owner=owner)
        factories.user("bea")
        factories.accelerator()
        factories.template("web")
        yield {"owner": Api(owner), "admin": Api(factories.admin())}


@pytest.fixture
def entry(route):
    return CONTRACT[route]


@pytest.fixture
def api(world, entry):
    """Whoever may write it."""
    return world[entry.by]


def kept(made, entry):
    """A first answer without what is told in it alone."""
    return {key: value for key, value in made.json().items() if key not in entry.once}


def traces():
    """All that is kept: every effect shows in it. (That a token was used is noted whatever it was used for.)"""
    kept_in = set(apps.get_app_config("tenancy").get_models()) - {ApiToken}
    return {kind.__name__: list(kind.objects.order_by("pk").values_list()) for kind in kept_in}


def assert_stays(api, address, spec):
    """It is told as it was written, and written again it is nothing new."""
    read = api.get(address)
    assert (read.json()["spec"], list(read.json()["spec"])) == (spec, list(spec))
    again = api.put(address, read.json())
    assert (again.status_code, again["ETag"]) == (200, read["ETag"])
    assert api.put(f"{address}?dry_run=true", read.json()).json()["action"] == "none"


@each
def test_a_new_object_has_an_address_and_is_readable_at_once(api, entry):
    made = api.put(entry.address, {"spec": entry.spec})

    assert (made.status_code, made["Location"]) == (201, entry.address)
    assert list(made.json()) == ["metadata", "spec", "status", *entry.once]
    assert made.json()["metadata"]["generation"] == 1
    assert made["ETag"] == f'"{made.json()["metadata"]["uid"]}-1"'
    for address in (entry.address, f"{entry.address}/"):
        read = api.get(address)
        assert (read.json(), read["ETag"]) == (kept(made, entry), made["ETag"])
    collection = api.get(entry.address.rpartition("/")[0] + "?limit=100")
    assert kept(made, entry) in collection.json()["items"]


@each
def test_the_spec_comes_back_as_it_was_written(api, entry):
    for spec in (entry.spec, entry.other):
        told = api.put(entry.address, {"spec": spec}).json()["spec"]
        assert (told, list(told)) == (spec, list(spec))


@each
def test_each_field_may_be_left_out_null_or_spelled_out(api, entry):
    """A field that is needed, or takes no null, is named; all else stays as it was written."""
    api.put(entry.address, {"spec": entry.spec})
    for field in entry.spec:
        for spec in (
            {key: entry.spec[key] for key in entry.spec if key != field},
            entry.spec | {field: None},
        ):
            written = api.put(entry.address, {"spec": spec})
            if written.status_code == 400:
                assert f"spec.{field}" in {fault["path"] for fault in written.json()["errors"]}
            elif written.status_code == 409:  # a version that is published stays as it is
                assert_problem(written, 409, "immutable")
            else:
                assert written.status_code == 200
                assert_stays(api, entry.address, spec)
    effective = api.get(entry.address).json()["status"].get("effective", entry.spec)
    written = api.put(entry.address, {"spec": effective})
    assert written.status_code == 200, written.content
    assert_stays(api, entry.address, effective)


@each
def test_an_equal_spec_leaves_no_trace(api, entry):
    made = api.put(entry.address, {"spec": entry.spec})
    before = traces()

    read = {**made.json(), "status": {"phase": "Nonsense"}}
    for body in ({"spec": dict(reversed(entry.spec.items()))}, read):
        again = api.put(entry.address, body)
        assert (again.status_code, again["ETag"], again.json()) == (200, made["ETag"], kept(made, entry))
        assert "Location" not in again

    assert traces() == before


@each
def test_another_spec_is_another_generation(api, entry):
    made = api.put(entry.address, {"spec": entry.spec})

    changed = api.put(entry.address, {"spec": entry.other})

    assert changed.status_code == 200
    assert changed["ETag"] == made["ETag"].replace('-1"', '-2"')
    body = changed.json()
    assert (body["metadata"]["generation"], body["metadata"]["uid"]) == (2, made.json()["metadata"]["uid"])
    assert body["status"]["observedGeneration"] <= 2
    assert api.get(entry.address)["ETag"] == changed["ETag"]
    assert api.put(entry.address, {"spec": entry.spec}).json()["metadata"]["generation"] == 3


@each
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_what_nobody_reads_is_refused_by_its_path(api, entry, query):
    faults = {
        "spec.surprise": {"spec": {**entry.spec, "surprise": 1}},
        "metadata.surprise": {"spec": entry.spec, "metadata": {"surprise": 1}},
        "surprise": {"spec": entry.spec, "surprise": 1},
        **{
            f"metadata.{member}": {"spec": entry.spec, "metadata": {member: value}}
            for member, value in entry.contradictions.items()
        },
    }
    for path, body in faults.items():
        problem = assert_problem(api.put(entry.address + query, body), 400, "invalid")
        assert [fault["path"] for fault in problem["errors"]] == [path]
    assert_problem(api.get(entry.address), 404, "not-found")


@each
def test_a_writer_writes_over_what_was_read_alone(api, entry):
    assert_problem(api.put(entry.address, {"spec": entry.spec}, If_Match='"x-1"'), 412, "precondition-failed")
    first = api.put(entry.address, {"spec": entry.spec}, If_None_Match="*")
    assert first.status_code == 201
    assert_problem(
        api.put(entry.address, {"spec": entry.other}, If_None_Match="*"), 412, "precondition-failed"
    )
    second = api.put(entry.address, {"spec": entry.other}, If_Match=first["ETag"])
    assert second.status_code == 200

    for query in ("", "?dry_run=true"):
        late = api.put(entry.address + query, {"spec": entry.spec}, If_Match=first["ETag"])
        assert_problem(late, 412, "precondition-failed")
    assert_problem(api.delete(entry.address, If_Match=first["ETag"]), 412, "precondition-failed")
    assert api.delete(entry.address, If_Match=second["ETag"]).status_code == entry.deleted


@each
def test_a_plan_tells_and_does_nothing(api, entry, route):
    address = f"{entry.address}?dry_run=true"
    before = traces()
    answer = api.put(address, {"spec": entry.spec})
    assert_documented(f"PUT {route}", answer)
    plan = answer.json()
    assert plan["action"] == "create"
    written = {change["path"].split(".")[1] for change in plan["changes"]}
    assert written == set(entry.spec) - {"isolation"}  # which holds but a null
    assert_problem(api.get(entry.address), 404, "not-found")
    assert traces() == before

    made = api.put(entry.address, {"spec": entry.spec})
    before = traces()
    assert api.put(address, made.json()).json().items() >= {"action": "none", "changes": []}.items()
    plan = api.put(address, {"spec": entry.other}).json()
    assert plan["action"] == "update"
    assert all(change["old"] != change["new"] for change in plan["changes"])
    assert plan["changes"]
    assert (api.get(entry.address)["ETag"], traces()) == (made["ETag"], before)


@each
def test_whoever_waits_needs_not_know_for_what(api, entry, route):
    ready = f"{entry.address}/ready?wait=0s"
    assert_problem(api.get(ready), 404, "not-found")
    made = api.put(entry.address, {"spec": entry.spec})

    answer = api.get(ready)

    assert_documented(f"GET {route}/ready", answer)
    assert answer.status_code == entry.ready
    if entry.ready == 200:
        assert (answer.json(), answer["ETag"]) == (kept(made, entry), made["ETag"])
        assert "Retry-After" not in made
    else:
        assert_problem(answer, 503, "not-ready")
        assert answer["Retry-After"] == made["Retry-After"]


@each
def test_what_is_deleted_stays_away_and_its_name_is_free(api, entry):
    uid = api.put(entry.address, {"spec": entry.spec}).json()["metadata"]["uid"]

    last = api.delete(f"{entry.address}?wait=1s")

    assert (last.status_code, last.json()["metadata"]["uid"]) == (entry.deleted, uid)
    again = api.delete(entry.address)
    if entry.deleted == 202:
        assert (again.status_code, api.get(entry.address).json()["status"]["phase"]) == (202, "Deleting")
        assert_problem(api.put(entry.address, {"spec": entry.other}), 409, "being-deleted")
    else:
        assert_problem(again, 404, "not-found")
        assert_problem(api.get(entry.address), 404, "not-found")
        made = api.put(entry.address, {"spec": entry.spec})
        assert (made.status_code, made.json()["metadata"]["uid"] == uid) == (201, False)
