"""Requests as few send them, over a real socket: whole URLs, bodies and headers that never come, no HTTP at all."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.client import HTTPResponse

import pytest
import uvicorn
from django.core.asgi import get_asgi_application

from portal.limits import BODY_SECONDS, BodyLimit
from portal.server import Protocol
from portal.targets import Targets

PATIENCE = 0.3


class Impatient(Protocol):
    patience = PATIENCE


@contextmanager
def served(protocol, seconds):
    """The portal's own doors, but for counts and proxies, in a thread."""
    application = Targets(BodyLimit(get_asgi_application(), seconds=seconds))
    config = uvicorn.Config(application, http=protocol, lifespan="off", log_config=None)
    server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield server, listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def patient():
    """As in production."""
    with served(Protocol, BODY_SECONDS) as found:
        yield found


@pytest.fixture(scope="module")
def port(patient):
    return patient[1]


@pytest.fixture(scope="module")
def impatient():
    """For what does not come: a machine that is busy must not look like it."""
    with served(Impatient, PATIENCE) as (_, found):
        yield found


@contextmanager
def connected(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        yield line


def answer(line):
    """Status, headers and body, up to the end of the connection."""
    with HTTPResponse(line) as found:
        found.begin()
        body = found.read()
    assert line.recv(1) == b""
    return found.status, {name.lower(): value for name, value in found.getheaders()}, body


def said(port, text):
    with connected(port) as line:
        line.sendall(text.replace("\n", "\r\n").encode())
        return answer(line)


def asked(port, target, host="127.0.0.1", method="GET"):
    return said(port, f"{method} {target} HTTP/1.1\nHost: {host}\nConnection: close\n\n")


def assert_problem(found, status, code):
    given, headers, body = found
    assert (given, headers["content-type"]) == (status, "application/problem+json"), body
    assert json.loads(body)["code"] == code
    assert json.loads(body)["detail"]


@pytest.mark.parametrize(
    "target", ["/livez", "http://127.0.0.1/livez", "HTTP://localhost:8000/livez", "https://localhost/livez?"]
)
def test_a_whole_url_is_the_same_as_its_path(port, target):
    status, headers, body = asked(port, target)

    assert (status, headers["content-type"], json.loads(body)) == (200, "application/json", {"status": "ok"})


def test_the_host_of_a_whole_url_counts_whatever_the_header_says(port):
    assert asked(port, "http://localhost/livez", host="evil.example")[0] == 200
    assert_problem(asked(port, "http://evil.example/livez"), 400, "invalid")


def test_a_whole_url_leads_to_the_api(port):
    assert_problem(asked(port, "http://localhost/api/v1/nothing"), 404, "not-found")
    assert_problem(asked(port, "http://localhost/api/v1/a%20b?x=1"), 404, "not-found")


@pytest.mark.parametrize(
    "target",
    ["ftp://localhost/livez", "http:///livez", "http://a@localhost/livez", "http://[::1/livez", "*", "livez"],
)
def test_what_names_no_address_here_is_told_so(port, target):
    assert_problem(asked(port, target, method="OPTIONS" if target == "*" else "GET"), 400, "invalid")


@pytest.mark.parametrize("sent", ["", '{"spec"'])
@pytest.mark.parametrize(
    "length", ["Content-Length: 100", "Transfer-Encoding: chunked", "Content-Length: 9999999"]
)
def test_a_body_that_does_not_come_is_not_waited_for(impatient, length, sent):
    if "chunked" in length and sent:
        sent = f"{len(sent):x}\n{sent}\n"
    begun = time.monotonic()

    found = said(impatient, f"POST /api/v1/tokens HTTP/1.1\nHost: localhost\n{length}\n\n{sent}")

    assert PATIENCE <= time.monotonic() - begun < 5
    assert found[1]["connection"] == "close"
    late = (408, "request-timeout") if "9999999" not in length else (413, "too-large")
    assert_problem(found, *late)


def test_a_body_that_comes_in_time_is_read_whole(port):
    with connected(port) as line:
        line.sendall(
            b"POST /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
        )
        for piece in (b"12", b"34"):
            time.sleep(0.05)
            line.sendall(piece)
        assert_problem(answer(line), 404, "not-found")


@pytest.mark.parametrize(
    "begun", ["GET /livez HTTP/1.1\nHost: loc", "G", "GET /livez HTTP/1.1\nHost: localhost\n"]
)
def test_headers_that_do_not_come_are_not_waited_for(impatient, begun):
    found = said(impatient, begun)

    assert found[1]["connection"] == "close"
    assert_problem(found, 408, "request-timeout")


def test_headers_that_trickle_win_no_time(impatient):
    with connected(impatient) as line:
        begun = time.monotonic()
        line.sendall(b"GET /livez HTTP/1.1\r\n")
        for _ in range(4):
            time.sleep(PATIENCE / 6)
            line.sendall(b"X-A: 1\r\n")
        assert_problem(answer(line), 408, "request-timeout")
        assert time.monotonic() - begun < PATIENCE * 4


def test_a_connection_on_which_nothing_came_is_closed_without_a_word(impatient):
    with connected(impatient) as line:
        assert line.recv(100) == b""


def waiting(server, line):
    """Whether the server's side of this connection waits for the rest of a request."""
    (mine,) = (each for each in server.server_state.connections if each.client == line.getsockname())
    return mine.waits


def test_the_time_begins_anew_with_each_request_and_stands_still_between_them(patient):
    server, port = patient
    with connected(port) as line:
        for _ in range(2):
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with HTTPResponse(line) as found:
                found.begin()
                assert json.loads(found.read()) == {"status": "ok"}
            assert not waiting(server, line)
        line.sendall(b"GET /livez")
        end = time.monotonic() + 10
        while not waiting(server, line):
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.mark.parametrize(
    "text", ["\x16\x03\x01 no HTTP\n\n", "GET /livez HTTP/9.9 x\n\n", f"GET / HTTP/1.1\nX: {'x' * 20000}"]
)
def test_what_is_no_http_is_told_so(port, text):
    assert_problem(said(port, text), 400, "invalid")


def test_a_body_that_is_no_http_is_told_so(port):
    chunked = "POST /livez HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\nzz\n"
    assert_problem(said(port, chunked), 400, "invalid")
