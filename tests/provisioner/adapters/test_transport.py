"""A hostile API server gets nothing out of us but an error, within bounded time and memory."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field, replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from provisioner.adapters.kube import RestKube
from provisioner.adapters.kubeconfig import Credentials
from provisioner.adapters.transport import Peer, Transport
from provisioner.ports import PODS, Busy, Refused, Rejected, Unreachable
from tenancy.enums import Reason
from tests.fakes.world import FakeGuard

PEER = Peer("the peer", Reason.NOT_READY, "it is asked again", connect=2, read=1, total=2, cap=100_000)


def make_certificate(name="127.0.0.1"):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    import ipaddress

    sans = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(sans, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), private


@dataclass
class Server:
    """Answers each connection with what ``script`` writes; keeps what it was asked."""

    authority: bytes
    port: int
    asked: list[bytes] = field(default_factory=list)

    @property
    def credentials(self):
        return Credentials(f"https://127.0.0.1:{self.port}", self.authority, token="t0k")

    def kube(self, **peer):
        return RestKube(Transport(replace(PEER, **peer), self.credentials), FakeGuard())


@pytest.fixture
def serve(tmp_path):  # noqa: C901 - a server and its connections, read in one place
    """``serve(script)``: a TLS server; ``script(send)`` runs once for each request."""
    certificate, key = make_certificate()
    pair = tmp_path / "pair.pem"
    pair.write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    ended = threading.Event()
    listeners = []

    def start(script):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        server = Server(certificate, listener.getsockname()[1])

        def talk(raw):
            with (
                contextlib.suppress(OSError, ssl.SSLError),
                context.wrap_socket(raw, server_side=True) as line,
            ):
                while not ended.is_set():
                    request = b""
                    while b"\r\n\r\n" not in request:
                        part = line.recv(65536)
                        if not part:
                            return
                        request += part
                    server.asked.append(request)
                    script(line.sendall)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    raw, _ = listener.accept()
                    threading.Thread(target=talk, args=(raw,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return server

    yield start
    ended.set()
    for listener in listeners:
        listener.close()


def answer(status, body=b"{}", **headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status(code, reason, message):
    import json

    return answer(code, json.dumps({"kind": "Status", "reason": reason, "message": message}).encode())


def test_one_connection_serves_many_requests(serve):
    server = serve(lambda send: send(answer(200, b'{"metadata": {"name": "p"}}')))
    kube = server.kube()
    assert [kube.get(PODS, "p", "n")["metadata"]["name"] for _ in range(3)] == ["p"] * 3
    assert server.asked[0].startswith(b"GET /api/v1/namespaces/n/pods/p HTTP/1.1")
    assert b"Bearer t0k" in server.asked[0]


def test_a_redirect_is_not_followed(serve):
    other = serve(lambda send: send(answer(200)))
    server = serve(lambda send: send(answer(302, b"", Location=f"https://127.0.0.1:{other.port}/")))
    with pytest.raises(Unreachable, match="302"):
        server.kube().get(PODS, "p", "n")
    assert other.asked == []
    assert len(server.asked) == 1


def test_an_endless_answer_is_cut(serve):
    def endless(send):
        send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            send(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")

    with pytest.raises(Unreachable, match="larger than"):
        serve(endless).kube().get(PODS, "p", "n")


def test_a_large_answer_is_not_read(serve):
    server = serve(
        lambda send: send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 300_000)
    )
    with pytest.raises(Unreachable, match="larger than"):
        server.kube().get(PODS, "p", "n")


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_a_byte_now_and_then_is_cut(serve, start):
    def slow(send):
        send(start)
        for _ in range(100):
            send(b"H")
            time.sleep(0.3)

    began = time.monotonic()
    with pytest.raises(Unreachable):
        serve(slow).kube().get(PODS, "p", "n")
    assert time.monotonic() - began < 5


def test_silence_is_cut(serve):
    with pytest.raises(Unreachable):
        serve(lambda _send: time.sleep(5)).kube(read=0.5).get(PODS, "p", "n")


def test_a_compressed_bomb_is_not_unpacked(serve):
    import gzip

    bomb = gzip.compress(b"0" * 50_000_000)
    with pytest.raises(Unreachable, match="not JSON"):
        serve(lambda send: send(answer(200, bomb, Content_Encoding="gzip"))).kube().get(PODS, "p", "n")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"x"', b"\xff\xfe"])
def test_malformed_answers(serve, body):
    with pytest.raises(Unreachable):
        serve(lambda send: send(answer(200, body))).kube().get(PODS, "p", "n")


def test_another_authority_is_not_trusted(serve):
    server = serve(lambda send: send(answer(200)))
    stranger, _ = make_certificate()
    credentials = replace(server.credentials, authority=stranger)
    with pytest.raises(Unreachable):
        RestKube(Transport(PEER, credentials), FakeGuard()).get(PODS, "p", "n")
    assert server.asked == []


def test_another_name_is_not_trusted(serve):
    server = serve(lambda send: send(answer(200)))
    credentials = replace(server.credentials, server_name="kubernetes.example")
    with pytest.raises(Unreachable):
        RestKube(Transport(PEER, credentials), FakeGuard()).get(PODS, "p", "n")
    assert server.asked == []


def test_nobody_there():
    credentials = Credentials("https://127.0.0.1:1", b"", token="t")
    with pytest.raises(Unreachable) as caught:
        Transport(PEER, credentials).send("GET", "/")
    assert "the peer does not answer (" in caught.value.message
    assert "refused" in caught.value.message
    assert caught.value.message.endswith("it is asked again")


def test_a_proxy_of_the_environment_is_not_used(serve, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    server = serve(lambda send: send(answer(200)))
    assert server.kube().get(PODS, "p", "n") == {}


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (status(401, "Unauthorized", "no"), Refused, "renews the credential"),
        (status(403, "Forbidden", 'pods is forbidden: User "x" cannot'), Refused, "helm/host"),
        (status(403, "Forbidden", "namespace n is being terminated"), Busy, "terminated"),
        (status(409, "Conflict", "object has been modified"), Busy, "modified"),
        (status(422, "Invalid", "spec.x: required"), Rejected, "spec.x"),
        (status(429, "TooManyRequests", "later"), Busy, "429"),
        (status(500, "InternalError", "etcd"), Busy, "etcd"),
        (status(404, "NotFound", "namespaces not found"), Busy, "not found"),
    ],
)
def test_refusals_of_a_write(serve, reply, error, words):
    body = {"metadata": {"name": "p", "namespace": "n"}}
    with pytest.raises(error, match=words):
        serve(lambda send: send(reply)).kube().apply(PODS, body)


def test_what_is_not_there_is_none(serve):
    server = serve(lambda send: send(status(404, "NotFound", "")))
    assert server.kube().get(PODS, "p", "n") is None
    assert server.kube().find(PODS, "n") == []
    assert server.kube().delete(PODS, "p", "n") is False


def test_a_read_is_asked_twice_of_a_failing_server(serve):
    replies = iter([answer(500), answer(200, b'{"metadata": {}}')])
    assert serve(lambda send: send(next(replies))).kube().get(PODS, "p", "n") == {"metadata": {}}


def test_nothing_is_written_without_the_lease(serve):
    from provisioner.outcomes import LeaseLost

    server = serve(lambda send: send(answer(200)))
    guard = FakeGuard()
    guard.held = False
    kube = RestKube(Transport(PEER, server.credentials), guard)
    body = {"metadata": {"name": "p", "namespace": "n"}}
    for write in (
        lambda: kube.apply(PODS, body),
        lambda: kube.create(PODS, body),
        lambda: kube.annotate(PODS, "p", {"a": "b"}, "n"),
        lambda: kube.delete(PODS, "p", "n"),
        lambda: kube.token("a", "n", 600),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert server.asked == []
