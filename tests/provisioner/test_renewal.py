"""A control plane is made anew before its certificates end, once for each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from provisioner.ports import STATEFUL_SETS
from provisioner.reconcile import labels, renewal
from tests.provisioner.harness import NS

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def certificate(end: datetime, serial: int = 0x2A) -> bytes:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    made = x509.CertificateBuilder(name, name, key.public_key(), serial)
    made = made.not_valid_before(end - timedelta(days=365)).not_valid_after(end)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(("days", "serial"), [(-1, "2a"), (59, "2a"), (61, ""), (365, "")])
def test_a_certificate_is_due_sixty_days_before_its_end(days, serial):
    assert renewal.ending(certificate(NOW + timedelta(days=days)), NOW) == serial


def test_what_is_no_certificate_is_left_to_those_who_use_it():
    assert renewal.ending(b"client-certificate", NOW) == ""


def test_a_due_certificate_restarts_the_control_plane_once(ready):
    world = ready.world
    world.certificate = certificate(world.now + timedelta(days=30))
    for _ in range(2):
        world.tick()
        ready.restart()
        ready.once()
    marked = world.host.seen(STATEFUL_SETS, "cluster", NS)["spec"]["template"]["metadata"]["annotations"]
    assert marked == {labels.RENEWED: "2a"}
    written = [key for _, key in world.host.writes if key[0] == "statefulsets"]
    assert len(written) == 1


def test_a_young_certificate_restarts_nothing(ready):
    ready.world.certificate = certificate(ready.world.now + timedelta(days=300))
    ready.world.tick()
    ready.restart()
    ready.once()
    assert [key for _, key in ready.world.host.writes if key[0] == "statefulsets"] == []
