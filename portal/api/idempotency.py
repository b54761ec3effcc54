"""``Idempotency-Key``: a POST that is sent again gets the first one's answer, not a second effect."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from django.utils.crypto import salted_hmac
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from tenancy.actions.idempotency import StoredAnswer, once
from tenancy.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

    from tenancy.policy import Actor

_SALT: Final = "atoll.api.idempotency"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
UNSTORED: Final = "unstored_member"
"""Attribute of a ``Response``: the member of its body that is shown once and never stored."""


def idempotent(request: Request, by: Actor, effect: Callable[[], Response]) -> Response:
    """Runs ``effect``, once for each key; without a key every time."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return effect()
    if not _KEY.fullmatch(key):
        detail = "give 1 to 255 visible ASCII characters, for example a UUID"
        fault = FieldError("header.Idempotency-Key", "unreadable", detail)
        raise Invalid(detail, errors=(fault,))
    first: list[Response] = []

    def kept() -> StoredAnswer:
        first.append(effect())
        return _stored(first[0])

    answer, replayed = once(by=by, key=key, fingerprint=_fingerprint(request, by), effect=kept)
    return _replay(answer) if replayed else first[0]


def _fingerprint(request: Request, by: Actor) -> str:
    """Of what was asked, and how far the token reaches; the same JSON with other spaces is the same request."""
    reach = [str(by.bound_to), sorted(by.held)]
    wish = [reach, request.method, request.path.rstrip("/"), request.query_params.urlencode(), request.data]
    # Keyed, for a body may hold a password, which a plain hash would let be guessed.
    return salted_hmac(_SALT, json.dumps(wish, sort_keys=True), algorithm="sha256").hexdigest()


def _stored(response: Response) -> StoredAnswer:
    secret = getattr(response, UNSTORED, None)
    body = {key: value for key, value in response.data.items() if key != secret}
    return StoredAnswer(response.status_code, JSONRenderer().render(body).decode(), dict(response.headers))


def _replay(answer: StoredAnswer) -> Response:
    headers = {**answer.headers, "Idempotency-Replayed": "true"}
    return Response(json.loads(answer.body), status=answer.status, headers=headers)
