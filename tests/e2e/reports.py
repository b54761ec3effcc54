"""Isolation reports as a member reads and verifies them."""

from __future__ import annotations


def failed(report):
    return {c["id"]: c["evidence"] for c in report["claims"] if c["result"] != "passed"}


def verify(stack, team, report, folder):
    file, keys = folder / "report.jws", folder / "keys.json"
    download = report["download"].removeprefix("/api/v1")
    file.write_text(team.api.get(download).text)
    keys.write_text(team.api.get("/attestation/keys").text)
    return stack.command("attest", "verify", str(file), "--keys", str(keys))
