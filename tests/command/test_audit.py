"""The stand-alone verifier against what the service exports: every row and every head tampered with."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from command import arguments, audit_verify
from tenancy.actions import audit, inspection
from tenancy.actions.unit import atomic
from tenancy.rules import attestation, chain
from tenancy.rules.chain import Event, Head

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY, OTHER = attestation.new_key(), attestation.new_key()
VERIFIER = Path(audit_verify.__file__)
OTHERS = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))
PYTHONS = [Path(sys.executable), *(path for path in OTHERS if int(path.parts[-3].split(".")[1]) >= 9)]


def events(count=6, actor="alice"):
    return [
        Event(
            NOW + timedelta(seconds=n), actor, "thing.done", "team", f"thing/{n}", {"n": n, "ü": [None, "x"]}
        )
        for n in range(1, count + 1)
    ]


ROWS = chain.link(chain.START, events())


def row(found):
    event = found.event
    return {
        "sequence": found.sequence,
        "at": chain.stamp(event.at),
        "actor": event.actor,
        "action": event.action,
        "tenant": event.tenant,
        "target": event.target,
        "facts": event.facts,
        "previous": found.previous,
        "digest": found.digest,
    }


def signed(head, key=KEY):
    return chain.sign([key], head, NOW)


def bundle(rows=ROWS, head=None, first=1, key=KEY, **other):
    """Lines as an export writes them; rows may be chain rows or what was made of them."""
    told = [found if isinstance(found, dict) else row(found) for found in rows]
    end = head or ROWS[-1].head
    start = {
        "format": "atoll.audit-bundle/v1",
        "from": first,
        "to": end.sequence,
        "head": signed(end, key),
        "keys": attestation.published([key]),
        **other,
    }
    return [json.dumps(start), *(json.dumps(one, ensure_ascii=False) for one in told)]


@pytest.fixture
def verify(tmp_path, capsys):
    """Writes the files, runs ``./atoll audit verify``; its status and what it said."""

    def run(lines, heads=None, keys=(KEY,)):
        file, kept, published = tmp_path / "b.ndjson", tmp_path / "heads.jws", tmp_path / "keys.json"
        file.write_text("".join(f"{line}\n" for line in lines))
        argv = ["audit", "verify", str(file)]
        if heads is not None:
            kept.write_text("".join(f"{one}\n" for one in heads))
            argv += ["--heads", str(kept)]
        if keys:
            published.write_text(json.dumps({"keys": attestation.published(keys)}))
            argv += ["--keys", str(published)]
        asked = arguments.parse(argv)
        status = audit_verify.run(asked.bundle, asked.heads, asked.keys)
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def changed(place, **columns):
    return [row(one) | (columns if one.sequence == place else {}) for one in ROWS]


def test_a_log_as_it_was_written_is_sound(verify):
    status, said = verify(bundle(), heads=[signed(ROWS[2].head), signed(ROWS[5].head)])
    assert status == 0
    assert "6 rows read" in said
    assert "as it was written" in said
    assert "Note" not in said


def test_keys_that_came_with_the_bundle_and_heads_that_are_not_there_are_said(verify):
    status, said = verify(bundle(), keys=())
    assert status == 0
    assert "the keys came with the bundle itself" in said
    assert "without --heads" in said


@pytest.mark.parametrize("place", [1, 3, 6])
@pytest.mark.parametrize(
    "columns",
    [
        {"at": "2020-01-01T00:00:00.000000Z"},
        {"actor": "bob"},
        {"action": "x"},
        {"tenant": "other"},
        {"target": "x"},
        {"facts": {}},
        {"digest": "0" * 64},
        {"previous": "f" * 64},
    ],
)
def test_each_column_of_each_row_is_covered(verify, place, columns):
    status, said = verify(bundle(changed(place, **columns)))
    assert status == 1
    assert f"✗ row {place} was changed after it was written" in said
    assert "What it means" in said
    assert "What next" in said


def cut(*gone):
    return [one for one in ROWS if one.sequence not in gone]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (cut(1), "row 1 is missing before row 2"),
        (cut(3, 4), "rows 3 to 4 are missing before row 5"),
        (cut(6), "row 6 is missing at the end"),
        (cut(1, 2, 3, 4, 5, 6), "rows 1 to 6 are missing at the end"),
        ([ROWS[0], ROWS[2], ROWS[1], *ROWS[3:]], "row 2 comes behind row 3"),
        ([*ROWS[:3], ROWS[2], *ROWS[3:]], "row 3 comes behind row 3"),
        ([*ROWS, *chain.link(ROWS[-1].head, events(1))], "row 7 lies behind the signed head"),
        (
            [*ROWS[:2], *chain.link(ROWS[1].head, events(1, "eve")), *ROWS[3:]],
            "row 4 was not written after row 3",
        ),
    ],
)
def test_what_was_done_is_said(verify, rows, said):
    status, told = verify(bundle(rows))
    assert status == 1
    assert f"✗ {said}" in told


def anew(first):
    """The log made anew from a row on, by somebody who knows how."""
    before = ROWS[first - 2].head if first > 1 else chain.START
    changed_ = [Event(one.event.at, "eve", one.event.action, "", "x", {}) for one in ROWS[first - 1 :]]
    return [*ROWS[: first - 1], *chain.link(before, changed_)]


def test_a_log_made_anew_is_seen_against_a_kept_head(verify):
    rows = anew(4)
    assert verify(bundle(rows, rows[-1].head), heads=[signed(ROWS[2].head)])[0] == 0
    status, said = verify(bundle(rows, rows[-1].head), heads=[signed(ROWS[4].head)])
    assert status == 1
    assert "row 5 is not the one that the head signed at 2026-11-21T12:00:00.000000Z knows" in said


def test_an_older_head_played_again_is_seen_against_a_kept_one(verify):
    short = bundle(ROWS[:4], ROWS[3].head)
    assert verify(short)[0] == 0, "nobody can see this without a kept head"
    status, said = verify(short, heads=[signed(ROWS[5].head)])
    assert status == 1
    assert "knows of rows up to 6, the bundle ends with row 4" in said


def test_a_head_that_another_key_signed_is_forged(verify):
    rows = anew(2)
    status, said = verify(bundle(rows, rows[-1].head, key=OTHER))
    assert status == 1
    assert "not signed by key" in said
    status, said = verify(
        bundle(), heads=[signed(Head(4, "a" * 64), OTHER), signed(Head(9, "a" * 64), OTHER)]
    )
    assert status == 1
    assert "the kept head of row 4 is not signed by a given key" in said
    assert "the kept head of row 9 is not signed by a given key" in said


def test_a_bundle_that_begins_later_hangs_on_an_earlier_one(verify, tmp_path):
    earlier = tmp_path / "earlier.ndjson"
    earlier.write_text("\n".join(bundle(ROWS[:3], ROWS[2].head)))
    later = bundle(ROWS[3:], first=4)
    assert verify(later)[0] == 0
    assert verify(later, heads=earlier.read_text().splitlines())[0] == 0
    rows = anew(2)
    status, said = verify(bundle(rows[3:], rows[-1].head, first=4), heads=earlier.read_text().splitlines())
    assert status == 1
    assert "row 4 was not written after row 3" in said
    assert verify(bundle(ROWS[4:], first=4))[0] == 1


def test_a_folder_of_heads_is_read(tmp_path, capsys):
    file, folder = tmp_path / "b", tmp_path / "audit"
    file.write_text("\n".join(bundle(ROWS[:4], ROWS[3].head)))
    folder.mkdir()
    (folder / "2026-11-20.jws").write_text(signed(ROWS[1].head) + "\n\n")
    (folder / "2026-11-21.jws").write_text(signed(ROWS[5].head))
    assert audit_verify.run(file, [folder], None) == 1
    assert "knows of rows up to 6" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "line 1 is no JSON object"),
        (["{}"], "this is no audit bundle"),
        (["nonsense"], "line 1 is no JSON object"),
        ([*bundle()[:3], "[]"], "line 4 is no JSON object"),
        ([*bundle()[:3], '{"sequence": 3}'], "line 4 is no row"),
        ([*bundle()[:3], '{"sequence": 3, "sequence": 4}'], "has a key twice"),
        (bundle(format="x\x1b[2J"), "says x [2J, not"),
        (bundle(head=Head(1, "x")), "a head of another format"),
        ([bundle()[0].replace('"head": "', '"head": "x')], "no JSON object"),
        (bundle(keys=[]), "no Ed25519 key"),
    ],
)
def test_what_is_no_bundle_is_told(verify, lines, said):
    status, told = verify(lines, keys=())
    assert (status, said in told) == (2, True), told


def test_files_that_cannot_be_read_are_told(tmp_path, verify, capsys):
    assert audit_verify.run(tmp_path / "nowhere", [], None) == 2
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "raw").write_bytes(b"\xff\xfe")
    assert audit_verify.run(tmp_path / "raw", [], None) == 2
    assert verify(bundle(), heads=["a.b"])[0] == 2
    report = attestation.sign([KEY], "{}").envelope
    assert "no signed head" in verify(bundle(), heads=[report])[1]


def test_many_faults_are_counted(verify):
    rows = chain.link(chain.START, events(50))
    status, said = verify(bundle([row(r) | {"actor": "eve"} for r in rows], rows[-1].head))
    assert status == 1
    assert "and 30 faults more" in said


@pytest.mark.parametrize("python", PYTHONS)
def test_it_runs_alone(tmp_path, python):
    """One file, one bundle, any Python from 3.9 on, no package of ours or others."""
    shutil.copy(VERIFIER, tmp_path / "verify.py")
    (tmp_path / "b").write_text("\n".join(bundle()), encoding="utf-8")
    ran = subprocess.run(
        [str(python), "-I", "-S", "verify.py", "b"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"]},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "as it was written" in ran.stdout


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=50), st.data())
def test_its_own_ed25519_agrees_with_a_library(message, data):
    key = Ed25519PrivateKey.from_private_bytes(data.draw(st.binary(min_size=32, max_size=32)))
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert audit_verify.verified(public, message, signature)
    bit = data.draw(st.integers(0, 511))
    flipped = bytes(byte ^ (1 << bit % 8 if place == bit // 8 else 0) for place, byte in enumerate(signature))
    assert not audit_verify.verified(public, message, flipped)
    assert not audit_verify.verified(public, message + b"x", signature)


def test_signatures_of_no_shape_are_refused():
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, good = key.public_key().public_bytes_raw(), key.sign(b"m")
    large = good[:32] + (int.from_bytes(good[32:], "little") + audit_verify._L).to_bytes(32, "little")
    for signature in (b"", good[:63], good + b"\0", b"\xff" * 64, large):
        assert not audit_verify.verified(public, b"m", signature)
    assert not audit_verify.verified(b"", b"m", good)
    assert not audit_verify.verified(b"\xff" * 32, b"m", good)


@pytest.mark.django_db
def test_what_the_service_exports_is_what_is_verified(verify):
    for number in range(5):
        with atomic():
            audit.note(
                actor="zoë", action="a.b", target="t", n=number, cpu=0.5, deep={"x": [True, None, 10**20]}
            )
    with pytest.raises(CommandError, match="relay does so"):
        call_command("export_audit")
    inspection.sign()
    lines = exported()
    assert verify(lines, keys=settings.SIGNING_KEYS)[0] == 0
    place = random.randrange(1, 6)
    assert verify([*lines[:place], *lines[place + 1 :]], keys=settings.SIGNING_KEYS)[0] == 1
    assert len(exported("--from", "4")) == 3


def exported(*options):
    out = io.StringIO()
    call_command("export_audit", *options, stdout=out)
    return out.getvalue().splitlines()
