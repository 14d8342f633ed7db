"""Subscribers to the stream, thousands in one process: asyncio sockets, HTTP/1.1 and Server-Sent Events, by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlsplit

PATH = "/api/v1/notifications/stream"
AGAIN = 0.2  # seconds after which a refused one asks again: sooner than any browser would
AT_ONCE = 200  # that are opening, where they are not to storm


@dataclass
class Subscriber:
    """One open stream: what came, when, and where it resumes when it is cut off."""

    user: str
    token: str
    last_id: str = ""
    is_open: bool = False  # something was said since it was opened
    openings: int = 0
    received: list[tuple[str, float]] = field(default_factory=list)  # notifications, by key, and when they came
    resets: int = 0
    refused: int = 0

    async def listen(self, host: str, port: int, gate: asyncio.Semaphore) -> None:
        """Stay connected, come again at once when cut off; until cancelled."""
        while True:
            before = self.openings
            with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                await self._once(host, port, gate)
            self.is_open = False
            if self.openings == before:
                self.refused += 1
                await asyncio.sleep(AGAIN)

    async def _once(self, host: str, port: int, gate: asyncio.Semaphore) -> None:
        async with gate:
            blocks = self._blocks(host, port)
            first = await anext(blocks, None)
        if first is None:
            return
        self.openings += 1
        self._take(first)
        async for block in blocks:
            self._take(block)

    def _take(self, block: str) -> None:
        self.is_open = True
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        self.last_id = fields.get("id", self.last_id)
        if fields.get("event") == "stream-reset":
            self.resets += 1
        elif "data" in fields:
            self.received.append((json.loads(fields["data"])["id"], perf_counter()))

    async def _blocks(self, host: str, port: int) -> AsyncIterator[str]:
        """What stands between empty lines, as it comes; nothing where the answer is no stream."""
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(self._request(host, port))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                return
            text = ""
            while size := int(await reader.readline(), 16):
                text += (await reader.readexactly(size + 2))[:-2].decode()
                *blocks, text = text.split("\n\n")
                for block in blocks:
                    yield block
        finally:
            writer.close()

    def _request(self, host: str, port: int) -> bytes:
        lines = [f"GET {PATH} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {self.token}"]
        lines += [f"Last-Event-ID: {self.last_id}"] if self.last_id else []
        return "\r\n".join([*lines, "", ""]).encode()


class Crowd:
    """Many subscribers, listening in the background for as long as the block lasts."""

    def __init__(self, url: str, subscribers: Sequence[Subscriber]) -> None:
        address = urlsplit(url)
        self.host, self.port = address.hostname or "", address.port or 80
        self.subscribers = subscribers
        # A few at a time while they come in; in a storm all at once, and for that it is opened.
        self.gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Crowd":
        listening = (one.listen(self.host, self.port, self.gate) for one in self.subscribers)
        self._tasks = [asyncio.create_task(listen) for listen in listening]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def open_the_gate(self) -> None:
        for _ in self.subscribers:
            self.gate.release()

    @property
    def size(self) -> int:
        """How many are open."""
        return sum(one.is_open for one in self.subscribers)
