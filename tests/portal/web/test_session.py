from __future__ import annotations

import pytest
from django.test import Client

from portal.web import throttle
from tests.factories import PASSWORD
from tests.portal.web.conftest import World, shown


def sign_in(client: Client, password: str = PASSWORD, username: str = "alice", **more: str):
    return client.post("/sign-in", {"username": username, "password": password, **more})


def test_sign_in_goes_home_and_sign_out_comes_back(world: World) -> None:
    client = Client()
    assert sign_in(client)["Location"] == "/"
    assert client.get("/").status_code == 200
    assert client.post("/sign-out")["Location"] == "/sign-in"
    assert client.get("/")["Location"] == "/sign-in?next=%2F"


def test_sign_out_by_a_link_does_nothing(world: World) -> None:
    assert world.client("alice").get("/sign-out").status_code == 405


@pytest.mark.parametrize(
    ("target", "lands"),
    [
        ("/clusters/team/first", "/clusters/team/first"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/sign-in", "/"),
    ],
)
def test_sign_in_goes_on_to_our_own_pages_only(world: World, target: str, lands: str) -> None:
    assert sign_in(Client(), next=target)["Location"] == lands


def test_who_is_signed_in_is_led_home_from_a_link_to_signing_in(world: World) -> None:
    for address in ("/sign-in", "/sign-in?next=/sign-in", "/sign-in?next=/sign-in%3Fnext=/tokens"):
        assert world.client("alice").get(address)["Location"] == "/"


def test_wrong_password_keeps_the_user_name_and_says_what_to_do(world: World) -> None:
    response = sign_in(Client(), "wrong")
    assert response.status_code == 422
    assert "User name and password do not fit together" in shown(response)
    assert b'value="alice"' in response.content
    assert b"wrong" not in response.content


def test_throttle_blocks_after_ten_failures_even_the_right_password(world: World) -> None:
    client = Client()
    for _ in range(throttle.ATTEMPTS):
        assert "do not fit together" in shown(sign_in(client, "wrong"))
    assert "Too many failed tries" in shown(sign_in(client))
    assert sign_in(client, username="bob")["Location"] == "/"
    assert sign_in(Client(REMOTE_ADDR="127.0.0.9"))["Location"] == "/"


def test_throttle_counts_anew_after_a_sign_in(world: World) -> None:
    for _ in range(3):
        for _ in range(throttle.ATTEMPTS - 1):
            sign_in(Client(), "wrong")
        assert sign_in(Client())["Location"] == "/"


def test_inactive_user_is_turned_away(world: World) -> None:
    world.alice.user.is_active = False
    world.alice.user.save()
    assert sign_in(Client()).status_code == 422
