"""Who wrote last, out of a log that may be rotated, cut off or full of junk."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from provisioner.adapters.auditlog import LINE, FileAuditLog
from provisioner.ports import Target

AT = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
QUOTA = Target("", "resourcequotas", "atoll-quota", "atoll-a")
US = "system:serviceaccount:atoll-system:atoll-provisioner"


def event(user="mallory", verb="patch", seconds=0, target=QUOTA, **more):
    body = {
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": user},
        "sourceIPs": ["192.0.2.7"],
        "objectRef": {
            "resource": target.resource,
            "namespace": target.namespace,
            "name": target.name,
            "apiGroup": target.group,
        },
        "responseStatus": {"code": 200},
        "requestURI": "/api/v1/x",
        "requestReceivedTimestamp": (AT + timedelta(seconds=seconds)).isoformat(),
    }
    return {**body, **more}


@pytest.fixture
def log(tmp_path):
    return tmp_path / "audit.log"


def write(path, *events):
    lines = [e if isinstance(e, bytes) else json.dumps(e, separators=(",", ":")).encode() for e in events]
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def ask(path, target=QUOTA, since=AT, **options):
    act = FileAuditLog(path, **options).last_write(target, since=since, but=US)
    return (act.user, act.verb) if act else None


def test_the_youngest_foreign_write_counts(log):
    write(log, event("alice", seconds=1), event("mallory", "delete", 2), event(US, "patch", 3))
    assert ask(log) == ("mallory", "delete")


def test_it_tells_when_and_from_where(log):
    write(log, event(seconds=1))
    act = FileAuditLog(log).last_write(QUOTA, since=AT, but=US)
    assert (act.at, act.addresses) == (AT + timedelta(seconds=1), ("192.0.2.7",))


@pytest.mark.parametrize(
    "other",
    [
        event(verb="get"),
        event(stage="RequestReceived"),
        event(responseStatus={"code": 403}),
        event(responseStatus={"code": 409}),
        event(requestURI="/api/v1/x?dryRun=All"),
        event(requestURI="/api/v1/x?fieldManager=k&dryRun=All"),
        event(target=Target("", "resourcequotas", "other", "atoll-a")),
        event(target=Target("", "resourcequotas", "atoll-quota", "atoll-b")),
        event(target=Target("x", "resourcequotas", "atoll-quota", "atoll-a")),
        event(objectRef={**event()["objectRef"], "subresource": "status"}),
        event(user=US),
        event(seconds=-100),
    ],
)
def test_what_is_no_foreign_write_on_it_since(log, other):
    write(log, other)
    assert ask(log) is None


def test_all_of_a_kind_at_once(log):
    sweep = event(verb="deletecollection")
    del sweep["objectRef"]["name"]
    write(log, sweep)
    assert ask(log) == ("mallory", "deletecollection")


def test_who_acts_as_another_is_told_with_him(log):
    write(log, event("admin", impersonatedUser={"username": "mallory"}))
    assert ask(log) == ("mallory (as whom admin acted)", "patch")


def test_a_namespace_is_named_in_itself_but_not_when_it_is_made(log):
    home = Target("", "namespaces", "atoll-a", "atoll-a")
    made = event(verb="create", target=Target("", "namespaces", "atoll-a", ""))
    write(log, made)
    assert ask(log, home) == ("mallory", "create")


def test_older_parts_are_read_youngest_first(log):
    write(log, event("alice", target=Target("", "pods", "x", "y")))
    write(log.with_name("audit-2026-11-20T00-00-00.000.log"), event("old"))
    write(log.with_name("audit-2026-11-21T00-00-00.000.log"), event("mallory"))
    write(log.with_name("auditor.log"), event("nobody"))
    assert ask(log) == ("mallory", "patch")


JUNK = [
    b"",
    b"\x00\xff\xfe resource",
    b'"resource":"resourcequotas"',
    b'["resource"]' * 3,
    b'{"resource":"resourcequotas"' + b"[" * 100_000,
    b'{"objectRef":{"resource":"resourcequotas"},"verb":[1],"user":"x"}',
    b'{"objectRef":["resource"],"x":{"resource":"resourcequotas"},"verb":"patch"}',
    json.dumps(event(user=None)).replace(" ", "").encode(),
    json.dumps(event(requestReceivedTimestamp="yesterday")).replace(" ", "").encode(),
    json.dumps({**event(), "user": {"username": {"a": 1}}, "responseStatus": {"code": [200]}}).encode(),
    b'{"resource":"resourcequotas","pad":"' + b"x" * (LINE + 10) + b'"}',
]


def test_junk_hides_nothing_and_breaks_nothing(log):
    write(log, event("mallory"), *JUNK)
    with log.open("ab") as stream:
        stream.write(b'{"cut off')
    assert ask(log) == ("mallory", "patch")


def test_names_cannot_paint_the_screen(log):
    write(log, event("eve\x1b[2J\n\u202e" + "x" * 1000))
    user, _ = ask(log)
    assert user.isprintable()
    assert len(user) <= 300


def test_what_is_not_there_or_no_file_tells_nothing(tmp_path):
    assert ask(tmp_path / "missing.log") is None
    os.mkfifo(tmp_path / "pipe.log")
    assert ask(tmp_path / "pipe.log") is None
    (tmp_path / "folder.log").mkdir()
    assert ask(tmp_path / "folder.log") is None


def test_it_reads_no_more_than_it_may(log):
    other = event(target=Target("", "pods", "x", "y"))
    write(log, event("mallory"), *[other] * 4000)
    assert ask(log, most=256 * 1024) is None
    assert ask(log) == ("mallory", "patch")


def test_it_stops_when_the_time_is_up(log):
    write(log, *[event(target=Target("", "pods", "x", "y"))] * 4000)
    began = time.monotonic()
    assert ask(log, seconds=0.0) is None
    assert time.monotonic() - began < 1
