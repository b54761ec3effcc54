from __future__ import annotations

import base64
import json
import ssl
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab import identities, pki
from lab.errors import LabError
from lab.instance import Instance


def test_an_authority_stays_and_keeps_its_key_to_itself(tmp_path):
    first = pki.authority(tmp_path / "ca", "test")
    assert pki.authority(tmp_path / "ca", "test").pem == first.pem
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600


def test_a_damaged_authority_is_named_with_the_way_out(tmp_path):
    pki.authority(tmp_path / "ca", "test")
    (tmp_path / "ca.key").write_text("no key")
    with pytest.raises(LabError, match=r"ca\.key or \.crt cannot be read .*reset"):
        pki.authority(tmp_path / "ca", "test")


def test_a_client_certificate_says_who_and_in_which_groups(tmp_path):
    made = pki.authority(tmp_path / "ca", "test").issue("system:node:n", groups=("system:nodes",))
    certificate = x509.load_pem_x509_certificate(made.certificate)
    subject = certificate.subject
    assert [part.value for part in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["system:node:n"]
    assert [part.value for part in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == [
        "system:nodes"
    ]
    assert _usage(certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_server_certificate_names_its_hosts(tmp_path):
    authority = pki.authority(tmp_path / "ca", "test")
    made = authority.issue("server", hosts=(IPv4Address("10.0.0.1"), "name"))
    certificate = x509.load_pem_x509_certificate(made.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [IPv4Address("10.0.0.1")]
    assert names.get_values_for_type(x509.DNSName) == ["name"]
    assert _usage(certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]
    authority.certificate.public_key().verify(
        certificate.signature,
        certificate.tbs_certificate_bytes,
        ec.ECDSA(certificate.signature_hash_algorithm),
    )


def test_the_signing_key_of_service_accounts_stays(tmp_path):
    pki.signing_key(tmp_path / "sa")
    key = (tmp_path / "sa.key").read_bytes()
    pki.signing_key(tmp_path / "sa")
    assert (tmp_path / "sa.key").read_bytes() == key


def test_every_process_gets_what_it_needs_and_secrets_stay_private(tmp_path):
    lab = Instance(tmp_path, 7)
    admin = json.loads(identities.write(lab))
    assert admin["clusters"][0]["cluster"]["server"] == "https://10.167.0.1:6443"
    assert not lab.kubeconfig.exists(), "its presence tells that the API server answers"
    written = {str(file.relative_to(lab.data)) for file in lab.data.rglob("*") if file.is_file()}
    assert {"pki/apiserver.crt", "pki/admin.key", "pki/kwok.kubeconfig"} <= written
    assert {
        f"nodes/worker-1/pki/{name}" for name in ("kubelet.crt", "netpol.kubeconfig", "ca.crt")
    } <= written
    for file in lab.data.rglob("*"):
        if file.suffix in {".key", ".kubeconfig"}:
            assert file.stat().st_mode & 0o777 == 0o600, file


def test_a_restart_keeps_old_kubeconfigs_valid(tmp_path):
    lab = Instance(tmp_path, 7)
    before, after = (json.loads(identities.write(lab)) for _ in range(2))
    trusted = [
        _decode(config["clusters"][0]["cluster"]["certificate-authority-data"]) for config in (before, after)
    ]
    assert trusted[0] == trusted[1]
    ssl.create_default_context(cadata=trusted[0].decode())


def _usage(certificate):
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def _decode(text):
    return base64.b64decode(text)
