"""A thin Python client of Atoll's API, and the command ``atoll``; needs nothing else of this repository.

``with Atoll("https://atoll.example.com", token) as atoll: atoll.get("/me")``; docs/client.md tells the rest.
"""

from __future__ import annotations

from atoll_client.atoll import Atoll, Kubeconfig
from atoll_client.errors import (
    AtollError,
    Conflict,
    Fault,
    Misconfigured,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Problem,
    TimedOut,
    Unavailable,
    Unreachable,
    WillNotBeReady,
)
from atoll_client.sending import Answer, Object
from atoll_client.streaming import Event
from atoll_client.version import VERSION

__version__ = VERSION
__all__ = [
    "Answer",
    "Atoll",
    "AtollError",
    "Conflict",
    "Event",
    "Fault",
    "Kubeconfig",
    "Misconfigured",
    "NotAllowed",
    "NotFound",
    "NotSignedIn",
    "Object",
    "Problem",
    "TimedOut",
    "Unavailable",
    "Unreachable",
    "WillNotBeReady",
]
