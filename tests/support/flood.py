"""Asks far too often: ``python -m tests.support.flood URL TOKEN SECONDS THREADS`` tells the answers."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

PAUSE = 0.02
"""Seconds between two requests of a thread: without, what is measured beside it is how two cores are shared."""


def ask(url: str, token: str, until: float, seen: Counter[str], faults: list[str]) -> None:
    """Over one connection, up to fifty times a second; ``{}`` in the token becomes another number each time."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=30)
    number = 0
    while time.monotonic() < until:
        number += 1
        bearer = token.format(f"{threading.get_ident()}-{number}")
        connection.request("GET", place.path, headers={"Authorization": f"Bearer {bearer}"})
        answer = connection.getresponse()
        answer.read()
        seen[str(answer.status)] += 1
        if answer.status == 429 and not {"Retry-After", "Ratelimit"} <= {
            name.title() for name in answer.headers
        }:
            faults.append(str(answer.headers))
        time.sleep(PAUSE)
    connection.close()


def main(url: str, token: str, seconds: str, threads: str) -> None:
    """Prints how many answers of each status there were."""
    seen: Counter[str] = Counter()
    faults: list[str] = []
    until = time.monotonic() + float(seconds)
    running = [
        threading.Thread(target=ask, args=(url, token, until, seen, faults)) for _ in range(int(threads))
    ]
    for one in running:
        one.start()
    for one in running:
        one.join()
    sys.stdout.write(json.dumps({**seen, "faults": faults[:1]}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
