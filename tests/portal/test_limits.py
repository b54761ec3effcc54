from __future__ import annotations

import asyncio
import json

import pytest

from portal.limits import BODY_MAX, DRAINED_MAX, BodyLimit


class Stage:
    """An ASGI server's side of one request, and an application that reads the whole body."""

    def __init__(self, pieces, length=None):
        self.pieces, self.sent, self.read = list(pieces), [], None
        headers = [] if length is None else [(b"content-length", str(length).encode())]
        self.scope = {"type": "http", "headers": headers}

    def run(self):
        asyncio.run(BodyLimit(self.application)(self.scope, self.receive, self.send))
        return self.sent[0]["status"]

    async def receive(self):
        body = self.pieces.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.pieces)}

    async def send(self, message):
        self.sent.append(message)

    async def application(self, _, receive, send):
        read, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            read, more = read + message["body"], message["more_body"]
        self.read = read
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("pieces", [[b""], [b"x" * BODY_MAX], [b"x" * (BODY_MAX // 2)] * 2])
def test_what_fits_goes_through_untouched(pieces):
    stage = Stage(pieces)

    assert stage.run() == 200
    assert stage.read == b"".join(pieces)
    assert len(stage.sent) == 2


def test_a_length_beyond_the_limit_is_refused_before_the_application_sees_it():
    stage = Stage([b"x" * 1000, b"x"], length=BODY_MAX + 1)

    assert stage.run() == 413
    assert stage.read is None
    assert json.loads(stage.sent[1]["body"])["code"] == "too-large"
    assert stage.pieces == []


def test_an_endless_body_is_not_read_to_its_end():
    stage = Stage([b"x" * DRAINED_MAX, b"x", b"x"], length=10 * DRAINED_MAX)

    assert stage.run() == 413
    assert stage.pieces == [b"x", b"x"]


def test_a_body_that_grows_beyond_the_limit_is_cut_and_answered_once():
    stage = Stage([b"x" * 1000] * (BODY_MAX // 1000 + 10))

    assert stage.run() == 413
    assert len(stage.read) <= BODY_MAX
    assert len(stage.sent) == 2
    assert stage.pieces == []
