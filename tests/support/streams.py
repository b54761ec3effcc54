"""One who listens to a stream of events: speaks ASGI to the portal, as a server would."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from portal.asgi import application


@dataclass
class Heard:
    """What came so far; ``ended`` is set when the portal ended the answer."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    ended: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The whole events; what is cut off at the end is none."""
        blocks = self.text.split("\n\n")[:-1]
        lines = [line for block in blocks for line in block.splitlines() if line.startswith("data: ")]
        return [json.loads(line.removeprefix("data: ")) for line in lines]

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    async def until(self, told, seconds: float = 10) -> None:
        """Waits until ``told(self)``."""
        async with asyncio.timeout(seconds):
            while not told(self):
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def listening(path: str, token: str, **headers: str):
    """An open stream; leaving it is what a client does that goes away."""
    heard, gone, sent = Heard(), asyncio.Event(), asyncio.Event()

    async def receive():
        if not sent.is_set():
            sent.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            heard.status = message["status"]
            heard.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            heard.text += message.get("body", b"").decode()
            heard.ended = not message.get("more_body", False)
        heard.news.set()

    given = {"host": "localhost", "accept": "text/event-stream", "authorization": f"Bearer {token}"}
    given |= {name.replace("_", "-").lower(): value for name, value in headers.items()}
    address, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": f"/api/v1{address}",
        "raw_path": f"/api/v1{address}".encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "server": ("localhost", 80),
    }
    answering = asyncio.create_task(application(scope, receive, send))
    try:
        await heard.until(lambda one: one.text or one.ended)
        yield heard
    finally:
        gone.set()
        await asyncio.wait_for(answering, 10)
