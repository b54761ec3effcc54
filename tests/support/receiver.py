"""A receiver of webhooks on loopback: takes what comes, answers as it was told to, well behaved or not."""

from __future__ import annotations

import contextlib
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Taken:
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """``with Receiver(500) as receiver:``; ``status`` may be changed while it serves."""

    def __init__(
        self,
        status: int = 200,
        *,
        headers: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        way: str = "",
    ) -> None:
        self.status, self.headers, self.way = status, headers or {}, way
        self.requests: list[Taken] = []
        self.names: list[str | None] = []
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if tls is not None:
            tls.sni_callback = lambda _, name, __: self.names.append(name)
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if not self.way:
            handler.send_response(self.status)
            for name, value in {"Content-Length": "0", **self.headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            return
        first, again, pause = _WAYS[self.way]
        handler.wfile.write(first)
        while not self._over.wait(pause):
            handler.wfile.write(again)


_WAYS = {
    "silent": (b"", b"", 0.1),
    "dripping": (b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.05),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 60_000 + b"\r\n", 0),
    "endless": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"ffff\r\n" + b"z" * 0xFFFF + b"\r\n",
        0,
    ),
}
"""What it sends first, what then for ever, and the seconds between."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(Taken(self.path, dict(self.headers), body))
            self.close_connection = True
            with contextlib.suppress(OSError):
                receiver.answer(self)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


def certificate(folder: Any, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of this name serves, and who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "receiver.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(secret + made.public_bytes(pem))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(file)
    trusted = ssl.create_default_context(cadata=made.public_bytes(pem).decode())
    return served, trusted
