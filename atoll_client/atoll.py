"""The client: addresses of the API in, objects of the API out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx

from atoll_client import streaming, waiting
from atoll_client.errors import Conflict, Misconfigured, NotFound, Unavailable
from atoll_client.sending import CONNECT_SECONDS, Answer, Object, Sending
from atoll_client.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from atoll_client.streaming import Event

ROOT: Final = "/api/v1"
PATIENCE: Final = 30.0
"""Seconds for which a request that is safe to repeat is repeated."""
READ_SECONDS: Final = 30.0
PAGE: Final = 100
"""The most items that one page holds."""


@dataclass(frozen=True)
class Kubeconfig:
    """A kubeconfig with a token in it, and the end of that."""

    text: str
    expires_at: datetime


class Atoll:
    """Speaks with one Atoll for the owner of one token; safe to share between threads.

    ``transport`` replaces the network, as in tests.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        patience: float = PATIENCE,
        transport: httpx.BaseTransport | None = None,
        agent: str = f"atoll-client/{VERSION}",
    ) -> None:
        self.url, self.patience = base(url), patience
        headers = {"User-Agent": agent, "Accept": "application/json, */*;q=0.5"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        self._http = httpx.Client(headers=headers, timeout=timeout, transport=transport)
        self._sending = Sending(self._http)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
        longer: float = 0.0,
        keyed: bool = True,
    ) -> Answer:
        """One request; ``path`` begins below ``/api/v1``, or with it as links in answers do.

        POSTs get an ``Idempotency-Key``, so that they too may be sent again, unless ``keyed``
        says that the address takes none. Where the caller set a precondition nothing is: the
        second sending would contradict the first. ``longer`` adds to the time to answer.
        """
        sent = dict(headers or {})
        if method == "POST" and keyed:
            sent.setdefault("Idempotency-Key", str(uuid4()))
        asked = {key: _text(value) for key, value in (query or {}).items() if value is not None}
        request = self._http.build_request(
            method,
            httpx.URL(self.url + _below(path)).copy_merge_params(asked),
            json=body,
            headers=sent,
            timeout=httpx.Timeout(READ_SECONDS + longer, connect=CONNECT_SECONDS),
        )
        conditional = {"if-match", "if-none-match"} & {name.lower() for name in sent}
        patience = self.patience if patience is None else patience
        again = not conditional and (keyed or method != "POST")
        return self._sending.send(request, again=again, patience=patience)

    def get(self, path: str, **query: Any) -> Object:  # noqa: ANN401 - JSON
        """One object."""
        return self.request("GET", path, query=query).object

    def items(self, path: str, **query: Any) -> Iterator[Object]:  # noqa: ANN401 - JSON
        """Every object of a list, page after page."""
        query.setdefault("limit", PAGE)
        page = self.get(path, **query)
        while True:
            yield from page["items"]
            if not page["next"]:
                return
            page = self.get(page["next"])

    def events(self, path: str, *, after: str = "", **query: Any) -> Iterator[Event]:  # noqa: ANN401 - JSON
        """What happens, as it happens and for ever, from now on or since the event ``after``.

        "Now" is when it was opened first, however often the connection breaks.
        """

        def request(last: str) -> httpx.Request:
            return self._http.build_request(
                "GET",
                httpx.URL(self.url + _below(path)).copy_merge_params({k: _text(v) for k, v in query.items()}),
                headers={"Accept": streaming.KIND, **({"Last-Event-ID": last} if last else {})},
                timeout=httpx.Timeout(streaming.SILENCE_SECONDS, connect=CONNECT_SECONDS),
            )

        return streaming.follow(self._http, request, after=after, patience=self.patience)

    def put(
        self, path: str, body: Object, *, if_match: str = "", create_only: bool = False, dry_run: bool = False
    ) -> Answer:
        """Makes an object, or makes it so; an equal spec changes nothing."""
        headers = {"If-Match": if_match} if if_match else {"If-None-Match": "*"} if create_only else {}
        return self.request("PUT", path, body, headers=headers, query={"dry_run": dry_run or None})

    def post(self, path: str, body: object = None, *, key: str = "") -> Answer:
        """Has one effect however often it is sent; give ``key`` to go on with a request of an earlier process."""
        return self.request("POST", path, body, headers={"Idempotency-Key": key} if key else {})

    def delete(self, path: str, *, if_match: str = "") -> Answer:
        """Asks for the end of an object; where an earlier sending broke off, "not found" is the end."""
        try:
            return self.request("DELETE", path, headers={"If-Match": if_match} if if_match else {})
        except NotFound as gone:
            if not gone.resent:
                raise
            return Answer(200, {}, None, "", resent=True)

    def wait(
        self, path: str, *, timeout: float = 600.0, seen: Callable[[waiting.Look], None] | None = None
    ) -> Object:
        """Any object once it is as it is wanted, as ``wait_ready`` has it for clusters."""
        return waiting.ready(self, path, timeout=timeout, seen=seen)

    def wait_ready(
        self,
        tenant: str,
        name: str,
        *,
        timeout: float = 600.0,
        seen: Callable[[waiting.Look], None] | None = None,
        running: bool = False,
    ) -> Object:
        """The cluster once it is ready at its last change; with ``running`` once its add-ons run, too.

        ``seen`` is told how far it is, about every two seconds. Raises
        ``WillNotBeReady`` as soon as waiting is in vain and ``TimedOut`` after
        ``timeout`` seconds; a connection that breaks meanwhile does no harm.
        """
        look = waiting.running if running else waiting.ready
        return look(self, cluster(tenant, name), timeout=timeout, seen=seen)

    def wait_gone(
        self,
        tenant: str,
        name: str,
        *,
        timeout: float = 600.0,
        seen: Callable[[waiting.Look], None] | None = None,
    ) -> None:
        """Comes back when nothing is left of the cluster, or another bears its name."""
        waiting.gone(self, cluster(tenant, name), timeout=timeout, seen=seen)

    def kubeconfig(self, tenant: str, name: str, lifetime: str = "10m") -> Kubeconfig:
        """A kubeconfig with a token for so long (``10m`` to ``1h``)."""
        path, wish = f"{cluster(tenant, name)}/kubeconfig", {"lifetime": lifetime}
        try:
            answer = self.post(path, wish)
        except Conflict as lost:
            if not lost.resent:
                raise
            answer = self.post(path, wish)  # the first was handed over into a connection that broke
        if answer.status == httpx.codes.ACCEPTED:
            answer = waiting.collected(self, answer)
        if "kubeconfig" not in answer.object:
            detail = "the worker is late with this kubeconfig: ask again"
            raise Unavailable(503, {"code": "unavailable", "detail": detail})
        return Kubeconfig(answer.object["kubeconfig"], datetime.fromisoformat(answer.object["expiresAt"]))


def cluster(tenant: str, name: str) -> str:
    """The address of a cluster."""
    return address("tenants", tenant, "clusters", name)


def address(*parts: str) -> str:
    """Parts of a path, each made safe."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def base(url: str) -> str:
    """Where an Atoll is, from what people write; raises ``Misconfigured`` for what is no address."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username:
        msg = f"{url!r} is no address of an Atoll: give it as in https://atoll.example.com"
        raise Misconfigured(msg)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(ROOT)}"


def _below(path: str) -> str:
    """Only ever an address of this Atoll: the token goes nowhere else."""
    if not path.startswith("/") or path.startswith("//"):
        msg = f"{path!r} is no path of the API: give it as in /tenants/demo/clusters"
        raise Misconfigured(msg)
    return path if path.startswith((f"{ROOT}/", "/livez", "/readyz")) else f"{ROOT}{path}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
