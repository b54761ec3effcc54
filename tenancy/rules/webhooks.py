"""When a delivery is tried again, when one is given up, and when a receiver is."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from standardwebhooks.webhooks import Webhook as Signer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

AFTER: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 28_800)
"""Seconds from each attempt that failed to the next: eleven attempts within 22 hours."""
JITTER: Final = 0.2
"""The part of a wait by which it is longer or shorter."""
FAILED_FOR: Final = timedelta(days=3)
"""A receiver that took nothing for so long gets nothing more until its owners enable it again."""
REST_MOST: Final = 600
"""Seconds; however long it has failed, so often it is tried whether it is well again."""
OVERLAP: Final = timedelta(hours=24)
"""For so long after a rotation messages carry a signature by the secret before, too."""
HTTP_GONE: Final = 410
HTTP_BUSY: Final = frozenset({429, 503})
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix that all of them have
KEY_BYTES: Final = 32
LONGEST_WAIT: Final = AFTER[-1]


@dataclass(frozen=True)
class Answer:
    """What came of one attempt."""

    status: int | None
    """Of HTTP; ``None`` where there was none."""
    error: str
    """Why there was none."""
    milliseconds: int
    again_after: float | None = None
    """Seconds, where the receiver asked for them."""

    @property
    def good(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's

    @property
    def words(self) -> str:
        """What people are told of it."""
        if self.error:
            return self.error
        if self.status is not None and 300 <= self.status < 400:  # noqa: PLR2004 - HTTP's
            return f"it answered {self.status}, and redirects are not followed: give the address it leads to"
        return "" if self.good else f"it answered {self.status}"


def next_try(attempts: int, answer: Answer, chance: float) -> float | None:
    """Seconds until the next attempt, after so many; ``None`` when it is given up. ``chance`` is in [0, 1)."""
    if attempts > len(AFTER):
        return None
    wait = AFTER[attempts - 1] * (1 - JITTER + 2 * JITTER * chance)
    if answer.status in HTTP_BUSY and answer.again_after is not None:
        wait = max(wait, min(answer.again_after, LONGEST_WAIT))
    return wait


def rest(failures: int) -> float:
    """Seconds for which a receiver is left alone that failed so many times before, and now again."""
    return float(min(AFTER[min(failures, len(AFTER) - 1)], REST_MOST))


def too_bad(answer: Answer, failing_for: timedelta) -> str:
    """Why a receiver gets nothing more; empty while it may still become well."""
    if answer.status == HTTP_GONE:
        return "its receiver answered 410, which says that it is gone for good"
    if failing_for >= FAILED_FOR:
        return f"its receiver has taken nothing for {FAILED_FOR.days} days; at last {answer.words}"[:200]
    return ""


def new_secret() -> str:
    """256 bits from the system's source, in the form that all libraries of Standard Webhooks take."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def headers(identifier: str, at: datetime, body: str, keys: Iterable[str]) -> Mapping[str, str]:
    """Of Standard Webhooks: a signature by each key, the newest first."""
    signatures = [Signer(key).sign(identifier, at, body) for key in keys]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Atoll",
        "webhook-id": identifier,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
