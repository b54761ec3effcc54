"""The offline verifier against what the service signs: every part tampered with, and every lie in between."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta

import pytest

from command import arguments, attest
from tenancy.enums import ClaimResult
from tenancy.rules import attestation
from tenancy.rules.attestation import Claim, Subject

NOW = datetime.now(UTC)
KEY, OTHER = attestation.new_key(), attestation.new_key()
KEYS = json.dumps({"keys": attestation.published([OTHER, KEY])})
SUBJECT = Subject("team", "first", "0b5f6a52", 3, "atoll-team-first-0b5f6a52", "lab")


def claim(result=ClaimResult.PASSED, evidence="as wanted"):
    return Claim(
        "quota", "Amounts are limited", "ResourceQuota atoll-quota", "read", "host", NOW, result, evidence
    )


def statement(*claims, issued=NOW, valid=timedelta(hours=24)):
    found = claims or (claim(),)
    return attestation.statement(
        SUBJECT, found, report="r1", policies="0.2.0", issued=issued, expires=issued + valid
    )


def signed(*claims, key=KEY, **when):
    return attestation.sign([key], statement(*claims, **when)).envelope


def forged(header=None, text=None, key=KEY):
    """Rightly signed, but of another header or statement."""
    good = {"alg": "EdDSA", "kid": attestation.key_id(attestation.private(KEY)), "typ": attest.TYPE}
    head = attestation.encode(attestation.canonical({**good, **(header or {})}).encode())
    body = f"{head}.{attestation.encode((text or statement()).encode())}"
    return f"{body}.{attestation.encode(attestation.private(key).sign(body.encode()))}"


def run(tmp_path, envelope, keys=KEYS):
    report, published = tmp_path / "r.jws", tmp_path / "keys.json"
    report.write_text(envelope)
    published.write_text(keys)
    return attest.run(arguments.parse(["attest", "verify", str(report), "--keys", str(published)]))


def test_a_genuine_report_verifies_and_is_told(tmp_path, capsys):
    assert run(tmp_path, signed() + "\n") == 0
    said = capsys.readouterr()
    assert "team/first" in said.out + said.err
    assert "✓ quota passed (host)" in said.out + said.err


def test_a_key_that_was_rotated_out_still_verifies(tmp_path):
    assert run(tmp_path, attestation.sign([OTHER, KEY], statement()).envelope) == 0
    assert run(tmp_path, attestation.sign([KEY], statement()).envelope) == 0


@pytest.mark.parametrize("part", [0, 1, 2])
def test_every_character_counts(tmp_path, part):
    parts = signed().split(".")
    # Not the last one: some of its bits are padding.
    for place in range(0, len(parts[part]) - 1, max(1, len(parts[part]) // 25)):
        changed = "A" if parts[part][place] != "A" else "B"
        text = parts[part][:place] + changed + parts[part][place + 1 :]
        with pytest.raises(attest.Rejected):
            run(tmp_path, ".".join([*parts[:part], text, *parts[part + 1 :]]))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "Ed25519"},
        {"typ": "JWT"},
        {"kid": "unknown"},
        {"crit": ["b64"]},
        {"jwk": attestation.published([OTHER])[0]},
    ],
)
def test_another_header_is_refused_though_it_is_signed(tmp_path, header):
    with pytest.raises(attest.Rejected):
        run(tmp_path, forged(header))


def test_none_without_a_signature_is_refused(tmp_path):
    head, body, _ = forged({"alg": "none"}).split(".")
    with pytest.raises(attest.Rejected):
        run(tmp_path, f"{head}.{body}.")


def test_another_keys_signature_under_this_keys_name_is_refused(tmp_path):
    with pytest.raises(attest.Rejected, match="signature does not hold"):
        run(tmp_path, forged(key=OTHER))


def test_an_unknown_key_is_told_with_what_to_do(tmp_path):
    with pytest.raises(attest.Rejected, match="attestation/keys"):
        run(tmp_path, signed(), json.dumps({"keys": attestation.published([OTHER])}))


@pytest.mark.parametrize("keys", ["", "[]", "{}", '{"keys": 3}', '{"keys": [{"kid": 1}]}'])
def test_key_sets_that_are_none(tmp_path, keys):
    with pytest.raises(attest.Rejected):
        run(tmp_path, signed(), keys)


def test_an_expired_report_proves_nothing(tmp_path):
    with pytest.raises(attest.Rejected, match="expired"):
        run(tmp_path, signed(issued=NOW - timedelta(hours=25)))


def test_a_report_from_the_future_proves_nothing(tmp_path):
    with pytest.raises(attest.Rejected, match="future"):
        run(tmp_path, signed(issued=NOW + timedelta(hours=1)))


@pytest.mark.parametrize("result", [ClaimResult.FAILED, ClaimResult.NOT_RUN])
def test_a_failed_claim_fails_the_verification_and_names_its_control(tmp_path, capsys, result):
    with pytest.raises(attest.Rejected, match="FAILED"):
        run(tmp_path, signed(claim(), claim(result, "requests.nvidia.com/gpu is 8")))
    said = "".join(capsys.readouterr())
    assert "ResourceQuota atoll-quota" in said
    assert "gpu is 8" in said


def lying(**changes):
    return attestation.canonical({**json.loads(statement(claim(ClaimResult.FAILED))), **changes})


@pytest.mark.parametrize(
    "text",
    [
        lying(verdict=True),
        lying(verdict=True, claims=[]),
        lying(verdict="true"),
        lying(format="another/v1"),
        lying(claims=[{"id": "quota"}]),
        "[]",
        "no json",
        attestation.canonical({"format": attest.FORMAT}),
    ],
)
def test_a_signed_statement_that_does_not_add_up_is_refused(tmp_path, text):
    with pytest.raises(attest.Rejected):
        run(tmp_path, forged(text=text))


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", "a.b.c", "ä.ö.ü", "..", "x" * 2_000_000])
def test_what_is_no_report(tmp_path, text):
    with pytest.raises(attest.Rejected):
        run(tmp_path, text)


def test_a_missing_file_is_told(tmp_path):
    asked = argparse.Namespace(file=tmp_path / "none.jws", keys=tmp_path / "none.json")
    with pytest.raises(attest.Rejected, match="cannot be read"):
        attest.run(asked)


def test_what_would_steer_a_terminal_is_not_printed(tmp_path, capsys):
    with pytest.raises(attest.Rejected):
        run(tmp_path, signed(claim(ClaimResult.FAILED, "\x1b[2Jgone")))
    assert "\x1b[2J" not in "".join(capsys.readouterr())


def test_equal_reports_are_equal_bytes():
    assert statement() == statement()
    said = json.loads(statement())
    assert attestation.canonical(dict(reversed(said.items()))) == statement()


RECEIPT = {
    "format": "atoll.reclaim-receipt/v1",
    "grant": "g1",
    "tenant": "team",
    "class": "gpu",
    "pool": "lab/gpus",
    "amount": 2,
    "cause": "expired",
    "by": "clock",
    "endedAt": "2026-01-01T00:00:00+00:00",
    "closedAt": "2026-01-01T00:15:00.000Z",
    "evidence": [{"cluster": "first", "rungs": {"confirm": {"at": "2026-01-01T00:14:59+00:00", "used": 0}}}],
}


def receipt(**changes):
    text = attestation.canonical({**RECEIPT, **changes})
    return forged({"typ": "atoll-reclaim-receipt+jws"}, text)


def test_a_genuine_receipt_verifies_and_is_told(tmp_path, capsys):
    assert run(tmp_path, receipt()) == 0
    said = capsys.readouterr()
    assert "2 gpu of team in pool lab/gpus" in said.out + said.err
    assert "cluster first: confirm at 2026-01-01T00:14:59+00:00" in said.out + said.err


def test_a_receipt_passes_for_no_report_and_a_report_for_no_receipt(tmp_path):
    with pytest.raises(attest.Rejected, match="format"):
        run(tmp_path, forged(text=attestation.canonical(RECEIPT)))
    with pytest.raises(attest.Rejected, match="format"):
        run(tmp_path, forged({"typ": "atoll-reclaim-receipt+jws"}))


def test_a_receipt_that_lacks_its_evidence_is_refused(tmp_path):
    text = attestation.canonical({k: v for k, v in RECEIPT.items() if k != "evidence"})
    with pytest.raises(attest.Rejected, match="evidence"):
        run(tmp_path, forged({"typ": "atoll-reclaim-receipt+jws"}, text))
