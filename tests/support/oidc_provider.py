"""A small OpenID provider and CI issuer on loopback: discovery, keys, authorize, token, userinfo.

It behaves by the book; tests spoil what they want spoiled.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT: Final = "atoll"
SECRET: Final = "a secret: with /+ signs"
DISCOVERY: Final = "/.well-known/openid-configuration"


class Key:
    """A key of the provider; ``P-256`` is quick to make."""

    def __init__(self, kid: str, algorithm: str = "ES256") -> None:
        self.kid, self.algorithm = kid, algorithm
        if algorithm == "ES256":
            self.private: Any = ec.generate_private_key(ec.SECP256R1())
        else:
            self.private = rsa.generate_private_key(65537, 2048)

    @property
    def pem(self) -> bytes:
        return bytes(self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    @property
    def jwk(self) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        found: dict[str, Any] = algorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**found, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, self.private, self.algorithm, headers={"kid": self.kid, **header})


class Provider:
    """Its answers, and what it was asked."""

    def __init__(self) -> None:
        self.key = Key("first")
        self.published = [self.key]
        self.person: dict[str, Any] = {"sub": "s-1", "preferred_username": "nina"}
        """Who signs in next: claims of the ID token."""
        self.told: dict[str, Any] = {}
        """Claims that only the userinfo endpoint tells."""
        self.auth_time: int | None = None
        self.spoil: Callable[[dict[str, Any]], str] | None = None
        """Makes the ID token in the provider's stead."""
        self.asked: list[str] = []
        self.down = False
        self.discovery: dict[str, Any] = {}
        """What its description says otherwise."""
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"

    def claims(self, **more: Any) -> dict[str, Any]:
        """Good claims for Atoll, now."""
        now = int(time.time())
        return {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, **self.person, **more}

    def rotate(self) -> Key:
        """A new key signs from now on; the old one is withdrawn."""
        self.key = Key(f"key-{secrets.token_hex(3)}")
        self.published = [self.key]
        return self.key

    def authorize(self, url: str) -> dict[str, str]:
        """What the person's browser brings back from the address it was sent to."""
        asked = dict(parse_qsl(urlsplit(url).query))
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def answer(self, method: str, url: str, body: str, authorization: str) -> tuple[int, Any]:
        path = urlsplit(url).path
        self.asked.append(f"{method} {path}")
        if path == "/token" and not self.down:
            return self._token({k: v[0] for k, v in parse_qs(body).items()}, authorization)
        pages: dict[str, tuple[int, Any]] = {
            DISCOVERY: (200, {**self._described(), **self.discovery}),
            "/keys": (200, {"keys": [key.jwk for key in self.published]}),
            "/userinfo": (200, {"sub": self.person.get("sub"), **self.told}),
            "/moved": (302, {}),
        }
        return (503, {}) if self.down else pages.get(path, (404, {}))

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _described(self) -> dict[str, Any]:
        places = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        ends = {f"{name}_endpoint": f"{self.issuer}/{place}" for name, place in places.items()}
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **ends}

    def _token(self, fields: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self._codes.pop(fields.get("code", ""), None)
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if [unquote_plus(part) for part in given] != [CLIENT, SECRET]:
            return 401, {"error": "invalid_client"}
        if asked is None or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        if fields.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        claims = self.claims(nonce=asked["nonce"])
        if self.auth_time is not None:
            claims["auth_time"] = self.auth_time
        made = self.spoil(claims) if self.spoil else self.key.sign(claims)
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": made}

    def _handler(provider) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                credentials = self.headers.get("Authorization", "")
                status, told = provider.answer(self.command, self.path, body, credentials)
                text = json.dumps(told).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{provider.issuer}/keys")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_GET  # noqa: N815 - the library looks for this name

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextmanager
def running() -> Iterator[Provider]:
    provider = Provider()
    thread = threading.Thread(target=provider.serve, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.close()
        thread.join(5)


def _hs256(provider: Provider, claims: dict[str, Any]) -> str:
    """The published key taken for a shared secret; signed by hand, for PyJWT refuses to."""
    key = Key("confused", "RS256")
    provider.published.append(key)
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "confused"}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = hmac.digest(key.pem, signed, "sha256")
    return (signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def _cut(provider: Provider, claims: dict[str, Any]) -> str:
    """Claims changed after the signature."""
    header, _, signature = provider.key.sign(claims).split(".")
    other = (
        base64.urlsafe_b64encode(json.dumps({**claims, "sub": "somebody-else"}).encode()).decode().rstrip("=")
    )
    return f"{header}.{other}.{signature}"


def _without(name: str) -> Callable[[Provider, dict[str, Any]], str]:
    return lambda provider, claims: provider.key.sign({k: v for k, v in claims.items() if k != name})


def _with(**wrong: Any) -> Callable[[Provider, dict[str, Any]], str]:
    return lambda provider, claims: provider.key.sign({**claims, **wrong})


def _at(**seconds: int) -> Callable[[Provider, dict[str, Any]], str]:
    return lambda provider, claims: provider.key.sign(
        {**claims, **{name: int(time.time()) + after for name, after in seconds.items()}}
    )


BAD_TOKENS: Final[dict[str, Callable[[Provider, dict[str, Any]], str]]] = {
    "wrong issuer": _with(iss="https://evil.example"),
    "issuer with a slash more": lambda p, c: p.key.sign({**c, "iss": p.issuer + "/"}),
    "wrong audience": _with(aud="another-client"),
    "audience of others only": _with(aud=["a", "b"]),
    "no audience": _without("aud"),
    "no subject": _without("sub"),
    "empty subject": _with(sub=""),
    "subject no text": _with(sub=7),
    "subject with a NUL": _with(sub="a\x00b"),
    "no expiry": _without("exp"),
    "expired": _at(exp=-61),
    "expiry no number": _with(exp="tomorrow"),
    "not valid yet": _at(nbf=90),
    "made in the future": _at(iat=90),
    "alg none": lambda _, c: jwt.encode(c, "", "none"),
    "alg none with a key's name": lambda p, c: jwt.encode(c, "", "none", headers={"kid": p.key.kid}),
    "HS256 with the public key": _hs256,
    "unknown kid": lambda p, c: p.key.sign(c, kid="nobody"),
    "another key under a known name": lambda p, c: Key(p.key.kid).sign(c),
    "no kid": lambda p, c: jwt.encode(c, p.key.private, "ES256"),
    "its own key inside": lambda p, c: Key(p.key.kid).sign(c, jwk=Key("x").jwk),
    "critical extension": lambda p, c: p.key.sign(c, crit=["b64"], b64=True),
    "another algorithm of the key": lambda p, c: Key(p.key.kid, "RS256").sign(c),
    "changed after signing": _cut,
    "no token": lambda *_: "not a token",
    "empty": lambda *_: "",
    "nested": lambda *_: base64.urlsafe_b64encode(b"[" * 12_000).decode().rstrip("=") + ".e30.e30",
    "too long": lambda p, c: p.key.sign({**c, "more": "x" * 20_000}),
}
"""What no door may take: name → how it is made from good claims."""


def callback(url: str, provider: Provider, **changes: str) -> str:
    """The query with which a person comes back after they were sent to ``url``."""
    return urlencode({**provider.authorize(url), **changes})
