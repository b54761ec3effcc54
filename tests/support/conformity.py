"""Whether a running Atoll answers as its OpenAPI document says, whatever is sent: schemathesis over HTTP.

``python -m tests.support.conformity URL SECONDS NAME=TOKENFILE…`` sends as each of these identities in turn, single
requests (half of them about objects that exist) and chains made from the answers before; every check
of schemathesis applies. Prints what was seen as JSON, ends with 1 when something was wrong. Made-up
requests delete and change what they find: give it an Atoll of its own.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

SINGLE: Final = 3
"""Made-up requests for an operation and identity, before the next one has its turn."""
EACH_CHAIN: Final = 20
"""Operations between two times of chains."""
CHAINS: Final = 2
STEPS: Final = 10
LONGEST: Final = 20.0
"""Seconds for one answer; a request that may be waited for asks for a second of it."""
EXCLUDED: Final = [positive_data_acceptance, not_a_server_error]
"""A document cannot tell every rule; and of server errors the documented 503 is allowed here."""
SPARED: Final = re.compile(
    r"(PUT|POST|DELETE) .*/(tokens/\{uid\}|users/\{username\}|hosts/\{name\}|tenants/\{tenant\}|service-accounts/\{name\})(/\w+)?$"
)
"""What would end the identities, and the world in which they find something: names are made up there."""
_PART: Final = re.compile(r"\{(\w+)\}")


@dataclass
class Findings:
    """What was seen."""

    statuses: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    wrong: dict[str, str] = field(default_factory=dict)
    """What went wrong, each kind of it told once."""

    def heard(self, who: str, label: str, status: int, seconds: float) -> None:
        self.statuses[f"{who} {status}"] += 1
        self.slowest = max(self.slowest, (round(seconds, 2), label))

    @contextmanager
    def noted(self, who: str, label: str, told: Callable[[], str] = str) -> Iterator[None]:
        """Notes what goes wrong inside, and goes on: hypothesis would send a fault's request again to see whether it is one."""
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - schemathesis' groups are none of Exception's
            for one in getattr(error, "exceptions", [error]):
                self.wrong.setdefault(f"{who}: {label}: {type(one).__name__}", f"{error}\n{told()}"[:3000])


class Attack:
    """One identity's requests."""

    def __init__(self, url: str, who: str, token: str, found: Findings) -> None:
        self._url, self._who, self._found = url, who, found
        self._headers = {"Authorization": f"Bearer {token}"}
        document = httpx.get(f"{url}/api/v1/openapi.json", timeout=LONGEST).json()
        self._served = schemathesis.openapi.from_dict(document)
        read = [one.ok() for one in self._served.get_all_operations()]  # type: ignore[union-attr] # an Err has no ok: it fails here
        self._operations = {one.label: one for one in read}
        self._known: dict[str, list[dict[str, Any]]] = {}

    @property
    def labels(self) -> list[str]:
        """Of all operations."""
        return list(self._operations)

    def alone(self, label: str, number: int) -> None:
        """Requests of one operation."""
        operation = self._operations[label]
        self._known.clear()
        modes = [
            st.tuples(st.just(mode), operation.as_strategy(generation_mode=mode)) for mode in GenerationMode
        ]

        @seed(number)
        @_settings(max_examples=SINGLE)
        @given(made=st.one_of(modes), pick=st.none() | st.integers(0, 99))
        def send(made: tuple[GenerationMode, Any], pick: int | None) -> None:
            mode, case = made
            if mode.is_positive and pick is not None and not SPARED.match(operation.label):
                self._point(case, pick)
            with self._noted(case):
                self._judge(case, self._call(case), EXCLUDED)

        with self._found.noted(self._who, operation.label):
            send()

    def chained(self, number: int) -> None:
        """What one answer gave goes into the next request."""
        attack = self

        @seed(number)
        class Machine(self._served.as_state_machine()):  # type: ignore[misc] # made at run time
            def call(self, case: Any, **_: Any) -> Any:
                return attack._call(case)

            def validate_response(self, response: Any, case: Any, **_: Any) -> None:
                # The token is put in here, which looks to it as one that it made up.
                with attack._noted(case):
                    attack._judge(case, response, [*EXCLUDED, ignored_auth])

        with self._found.noted(self._who, "a chain"):
            Machine.run(settings=_settings(max_examples=CHAINS, stateful_step_count=STEPS))

    def _noted(self, case: Any) -> AbstractContextManager[None]:
        return self._found.noted(self._who, case.operation.label, case.as_curl_command)

    def _call(self, case: Any) -> Any:
        self._gently(case)
        began = time.monotonic()
        answer = case.call(self._url, headers=self._headers, timeout=LONGEST)
        label = case.operation.label
        self._found.heard(self._who, label, answer.status_code, time.monotonic() - began)
        return answer

    def _judge(self, case: Any, answer: Any, excluded: list[Any]) -> None:
        if answer.status_code >= 500:
            assert answer.status_code == 503, answer.text
        case.validate_response(answer, headers=self._headers, excluded_checks=excluded)

    @staticmethod
    def _gently(case: Any) -> None:
        """Streams and long waits are somebody else's test."""
        query = case.query if isinstance(case.query, dict) else {}
        if re.fullmatch(r"\d+s?", str(query.get("wait", ""))):
            query["wait"] = "1s"
        for name in [one for one in case.headers or () if one.lower() == "accept"]:
            del case.headers[name]

    def _point(self, case: Any, pick: int) -> None:
        """Puts names and uids of what exists into the address, where there is something."""
        address = case.operation.path
        for part in _PART.finditer(case.operation.path):
            items = self._listed(address[: address.index(part[0])].rstrip("/"))
            names = [one for one in (_called_as(part[1], item) for item in items) if one]
            if not names:
                return
            value = names[pick % len(names)]
            case.path_parameters[part[1]] = value
            address = address.replace(part[0], value, 1)

    def _listed(self, address: str) -> list[dict[str, Any]]:
        if address not in self._known:
            answer = httpx.get(f"{self._url}{address}", headers=self._headers, timeout=LONGEST)
            self._known[address] = answer.json().get("items", []) if answer.status_code == 200 else []
        return self._known[address]


def _called_as(part: str, item: dict[str, Any]) -> str:
    """What stands for an item of a list in that part of an address."""
    metadata = item.get("metadata", {})
    ways = (
        (metadata.get("uid"), item.get("uid"), item.get("id")) if part == "uid" else (metadata.get("name"),)
    )
    other = (metadata.get(part), item.get(part), item.get("name"))
    return str(next((one for one in (*ways, *other) if one), ""))


def _settings(**more: Any) -> settings:
    return settings(
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
        report_multiple_bugs=False,
        **more,
    )


def attack(url: str, tokens: dict[str, str], seconds: float, first: int = 0) -> Findings:
    """Sends for so long, in turn as each of ``tokens``; the same ``first`` sends the same, as far as answers allow."""
    found, until = Findings(), time.monotonic() + seconds
    people = [Attack(url, who, token, found) for who, token in tokens.items()]
    for number in count(first):
        labels = people[0].labels
        random.Random(number).shuffle(labels)
        for at, label in enumerate(labels):
            for one in people:
                one.alone(label, number)
                if at % EACH_CHAIN == 0:
                    one.chained(number + at)
            if time.monotonic() > until:
                return found
    raise AssertionError("numbers do not end")


def main(url: str, seconds: str, *identities: str) -> int:
    """0 when all was as documented."""
    pairs = (one.partition("=") for one in identities)
    tokens = {who: Path(file).read_text().strip() for who, _, file in pairs}
    first = random.randrange(10**6)
    found = attack(url, tokens, float(seconds), first)
    told = {
        "seed": first,
        "requests": found.statuses.total(),
        "statuses": dict(sorted(found.statuses.items())),
        "slowest": found.slowest,
        "wrong": found.wrong,
    }
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
