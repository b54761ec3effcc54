"""Events over a connection that breaks, from a source that keeps them."""

from __future__ import annotations

import json
from itertools import islice

import httpx
import pytest

from atoll_client import Atoll, NotFound, Unreachable, streaming

STREAM = "/tenants/team/events"


class Source(httpx.BaseTransport):
    """Keeps five events and tells those after ``Last-Event-ID``, two a connection; then the connection breaks."""

    def __init__(self, faults=()):
        self.faults, self.asked = list(faults), []

    def handle_request(self, request):
        self.asked.append(request.headers.get("Last-Event-ID"))
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        return httpx.Response(200, stream=Cut(int(self.asked[-1] or 0)))


class Cut(httpx.SyncByteStream):
    def __init__(self, after):
        self.after = after

    def __iter__(self):
        yield b": hello\n\n"
        for number in range(self.after + 1, min(self.after + 3, 6)):
            text = json.dumps({"type": "x", "data": {"n": number}})
            yield f"id: {number}\nevent: cluster.created\ndata: {text}\n\n".encode()
        raise httpx.ReadError("reset")


@pytest.fixture(autouse=True)
def _awake(monkeypatch):
    monkeypatch.setattr(streaming.time, "sleep", lambda _: None)
    monkeypatch.setattr(streaming, "FIRST_PAUSE", 0.001)


def heard(source, count, **query):
    with Atoll("http://atoll.test", "t", transport=source, patience=0.3) as atoll:
        events = islice(atoll.events(STREAM, **query), count)
        return [(event.id, event.type, event.body["data"]["n"]) for event in events]


class Quiet(httpx.BaseTransport):
    """Tells where it is, and nothing else before the connection breaks; then one event that came in between."""

    def __init__(self):
        self.asked = []

    def handle_request(self, request):
        self.asked.append(request.headers.get("Last-Event-ID"))
        told = (
            b": hello\nid: evt-team-7\n\n:\nid: evt-team-9\n\n"
            if len(self.asked) == 1
            else b'data: {"data": {"n": 1}}\n\n'
        )
        return httpx.Response(200, stream=httpx.ByteStream(told))


def test_what_happens_while_nobody_is_connected_is_not_lost_even_before_the_first_event():
    source = Quiet()
    assert len(heard(source, 1)) == 1
    assert source.asked == [None, "evt-team-9"]


def test_none_is_lost_and_none_comes_twice():
    source = Source([httpx.ConnectError("refused"), httpx.Response(503, json={})])

    assert heard(source, 5) == [(str(n), "cluster.created", n) for n in range(1, 6)]
    assert source.asked == [None, None, None, "2", "4"]


def test_it_goes_on_from_where_somebody_was():
    assert [number for *_, number in heard(Source(), 2, after="3")] == [4, 5]


def test_who_may_not_listen_is_told():
    with pytest.raises(NotFound, match="gone"):
        heard(Source([httpx.Response(404, json={"detail": "gone"})]), 1)


def test_a_source_that_stays_away_is_told():
    with pytest.raises(Unreachable, match=r"http://atoll\.test does not answer"):
        heard(Source([httpx.ConnectError("refused")] * 100_000), 1)


def test_an_id_alone_is_a_place():
    assert list(streaming.parsed(["id: 7", ""])) == [streaming.Place("7")]


@pytest.mark.parametrize("line", ["data: {", "data: 1", ": comment", "id", "event: x", "data"])
def test_what_is_no_event_is_passed_over(line):
    assert list(streaming.parsed([line, "", "data: {}", ""])) == [streaming.Event("", "message", {})]


def test_data_of_several_lines_is_one():
    assert [event.body for event in streaming.parsed(["data: {", "data:  }", ""])] == [{}]
