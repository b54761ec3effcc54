from __future__ import annotations

import pytest

from tenancy.models import AuditEvent, IdempotencyRecord, User
from tests import factories
from tests.portal.api.client import Api, assert_problem

PASSWORD = "correct horse battery"


def test_an_admin_makes_somebody_who_can_sign_in(admin, client):
    made = admin.post("/users", {"metadata": {"name": "zoe"}, "spec": {"password": PASSWORD}})

    assert (made.status_code, made["Location"]) == (201, "/api/v1/users/zoe")
    body = made.json()
    assert (body["metadata"]["name"], body["spec"], body["status"]) == (
        "zoe",
        {},
        {"platformRole": None, "suspended": False},
    )
    assert admin.get("/users/zoe").json() == body
    assert body in admin.get("/users?name=zoe").json()["items"]
    assert client.login(username="zoe", password=PASSWORD)
    assert PASSWORD not in str(list(AuditEvent.objects.values()))


def test_without_a_password_only_an_identity_signs_in(admin):
    admin.post("/users", {"metadata": {"name": "zoe"}})

    assert not User.objects.get(username="zoe").has_usable_password()


def test_sent_again_with_its_key_it_is_one_person_and_the_password_is_nowhere(admin):
    wish = {"metadata": {"name": "zoe"}, "spec": {"password": PASSWORD}}

    answers = [admin.post("/users", wish, Idempotency_Key="k") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert PASSWORD not in str(list(IdempotencyRecord.objects.values()))
    assert_problem(admin.post("/users", wish), 409, "already-exists")


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        ({}, "metadata"),
        ({"metadata": {"name": "a b"}}, "metadata.name"),
        ({"metadata": {"name": "clock"}}, "metadata.name"),
        ({"metadata": {"name": "zoe"}, "spec": {"password": "short"}}, "spec.password"),
        ({"metadata": {"name": "zoe"}, "spec": {"platformRole": "admin"}}, "spec.platformRole"),
    ],
)
def test_a_wish_that_cannot_be_names_its_field(admin, wish, path):
    problem = assert_problem(admin.post("/users", wish), 400, "invalid")

    assert problem["errors"][0]["path"] == path


def test_a_token_that_is_not_made_for_decisions_makes_nobody(db):
    api = Api(factories.admin(), decides=False)

    assert_problem(api.post("/users", {"metadata": {"name": "zoe"}}), 403, "step-up-required")
    assert api.get("/users").status_code == 200
