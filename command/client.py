"""The client as ``./atoll`` starts it: it speaks with the Atoll that runs here, unless another one is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from command import single
from command.environment import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from command.home import Home

URL: Final = "ATOLL_URL"
TOKENS: Final = ("ATOLL_TOKEN", "ATOLL_TOKEN_FILE")
PROGRAM: Final = "ATOLL_PROGRAM"
PEOPLE: Final = ("demo", "admin")
"""Whose token is taken, the first that there is."""


def settings(home: Home, environment: Mapping[str, str]) -> dict[str, str]:
    """What the client is told beside the environment; what a person has set there stands."""
    found = {PROGRAM: str(CHECKOUT / "atoll")}
    serving = None if environment.get(URL) else single.serving(home)
    if serving is None:
        return found
    found[URL] = serving.url
    tokens = (home.token(name) for name in PEOPLE)
    token = next((path for path in tokens if path.exists()), None)
    if token and not any(environment.get(name) for name in TOKENS):
        found["ATOLL_TOKEN_FILE"] = str(token)
    return found
