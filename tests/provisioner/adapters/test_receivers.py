"""Sending to receivers that may be hostile: real sockets, real TLS, a resolver of our own."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager

import pytest

from provisioner.adapters.receivers import Receivers
from tenancy.rules import addresses
from tenancy.rules.addresses import Admitted
from tests.support.address_corpus import INSIDE, REFUSED
from tests.support.receiver import Receiver, certificate

PUBLIC = "93.184.215.14"
LOOPBACK = Admitted(addresses.ranges("127.0.0.0/8"), http=True)


class Names:
    """A resolver whose answers change; it remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = [tuple(map(addresses.parse, one)) for one in answers]
        self.asked = []

    def __call__(self, host):
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@contextmanager
def nobody_is_called(monkeypatch):
    """Fails where any connection is begun."""
    called = []
    monkeypatch.setattr(socket, "create_connection", lambda *args, **_: called.append(args))
    yield
    assert called == []


@pytest.mark.parametrize("url", REFUSED)
def test_at_the_connection_it_is_refused_too(url, monkeypatch):
    with nobody_is_called(monkeypatch):
        answer = Receivers(Admitted(), Names([PUBLIC])).post(url, {}, b"{}")

    assert answer.status is None
    assert answer.error.startswith("refused: ")


@pytest.mark.parametrize("inside", INSIDE)
def test_a_name_that_leads_inside_is_not_connected_to(inside, monkeypatch):
    with nobody_is_called(monkeypatch):
        answer = Receivers(Admitted(), Names([PUBLIC, inside])).post("https://example.com/", {}, b"{}")

    assert answer.error.startswith("refused: it leads to")


def test_a_name_is_looked_up_once_and_what_was_judged_is_connected_to():
    """Rebinding: the second answer, which would lead elsewhere, is never asked for."""
    with Receiver() as receiver:
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        answer = Receivers(LOOPBACK, names).post(f"http://hooks.example.com:{receiver.port}/in", {}, b"{}")

    assert (answer.status, names.asked) == (200, ["hooks.example.com"])
    (request,) = receiver.requests
    assert (request.path, request.headers["Host"]) == ("/in", f"hooks.example.com:{receiver.port}")


def test_a_name_that_leads_elsewhere_the_second_time_is_refused_then():
    with Receiver() as receiver:
        receivers = Receivers(LOOPBACK, Names(["127.0.0.1"], ["10.0.0.1"]))
        url = f"http://hooks.example.com:{receiver.port}/"
        assert receivers.post(url, {}, b"{}").status == 200
        assert receivers.post(url, {}, b"{}").error.startswith("refused: it leads to 10.0.0.1")
    assert len(receiver.requests) == 1


def test_a_redirect_is_not_followed():
    with Receiver() as inside:
        where = {"Location": f"http://127.0.0.1:{inside.port}/secret"}
        with Receiver(307, headers=where) as receiver:
            answer = Receivers(LOOPBACK).post(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")

    assert (answer.status, answer.good) == (307, False)
    assert "redirects are not followed" in answer.words
    assert inside.requests == []


def test_no_proxy_of_the_environment_is_used(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Receiver() as receiver:
        answer = Receivers(LOOPBACK).post(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")
    assert answer.status == 200


def test_tls_is_for_the_name_whatever_address_it_is_at(tmp_path):
    served, trusted = certificate(tmp_path, "hooks.example.com")
    with Receiver(tls=served) as receiver:
        good = Receivers(LOOPBACK, Names(["127.0.0.1"]), tls=trusted)
        url = f"https://{{}}:{receiver.port}/"
        assert good.post(url.format("hooks.example.com"), {}, b"{}").status == 200
        assert "not one that this Atoll trusts" in good.post(url.format("other.example.com"), {}, b"{}").error
        system = Receivers(LOOPBACK, Names(["127.0.0.1"]))
        assert (
            "not one that this Atoll trusts" in system.post(url.format("hooks.example.com"), {}, b"{}").error
        )
    assert receiver.names == ["hooks.example.com", "other.example.com", "hooks.example.com"]


@pytest.mark.parametrize("way", ["silent", "dripping", "endless", "headers"])
def test_a_receiver_that_takes_its_time_gets_no_more_of_ours(way):
    with Receiver(way=way) as receiver:
        began = time.monotonic()
        answer = Receivers(LOOPBACK, deadline=0.5).post(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")
    assert time.monotonic() - began < 2
    if way == "endless":  # the status is all that is read
        assert answer.status == 200
    else:
        assert answer.status is None
        assert answer.error


def test_who_is_not_there_is_told_in_our_own_words():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = Receivers(LOOPBACK).post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert (answer.status, answer.error) == (None, "it could not be connected to")
