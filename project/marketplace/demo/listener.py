"""A subscriber of the stream, in a thread of its own."""

import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SHUT_RDWR
from typing import Any

import httpx
from httpx_sse import connect_sse

from .client import StepFailed
from .show import Show

PATIENCE = 60.0  # seconds; a loaded machine is slow
QUIET = {"keep-alive", "stream-open"}


@dataclass
class Listener:
    """Holds the events that came, and the id to go on from. Close it, and open another one with that id."""

    url: str
    token: str
    name: str
    show: Show
    last_id: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> "Listener":
        self._arrived = threading.Condition()
        self._opened = threading.Event()
        self._error: str | None = None
        self._http = httpx.Client(timeout=httpx.Timeout(10, read=60))
        self._closing = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        if not self._opened.wait(15) or self._error:
            raise StepFailed(f"The stream of {self.name} did not open: {self._error or 'no answer'}")
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with suppress(OSError):  # the other side was first
            # Closing it would not wake the thread that reads.
            self._response.extensions["network_stream"].get_extra_info("socket").shutdown(SHUT_RDWR)
        self._thread.join()
        self._http.close()

    def _listen(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        try:
            with connect_sse(self._http, "GET", self.url, headers=headers) as source:
                self._response = source.response
                for event in source.iter_sse():
                    self._take(event.event, event.id, event.data)
        except (httpx.HTTPError, httpx.StreamError, OSError, ValueError) as error:
            if not self._closing:
                self._fail(str(error))
        finally:
            self._opened.set()

    def _fail(self, why: str) -> None:
        with self._arrived:
            self._error = why
            self._arrived.notify_all()

    def _take(self, kind: str, event_id: str, data: str) -> None:
        self.last_id = event_id or self.last_id
        if kind in QUIET:
            self._opened.set()  # the first thing that a stream says
            return
        if kind == "stream-reset":
            self._fail(f"it does not know {self.last_id}, its own id")
            return
        notification = json.loads(data)
        self.show.event(self.name, kind, event_id, notification["title"])
        with self._arrived:
            self.events.append(notification)
            self._arrived.notify_all()
        self._opened.set()

    def wait_for(self, *types: str, seconds: float = PATIENCE) -> None:
        """Until an event of each of these types has come. StepFailed after so many seconds."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._error or set(types) <= self.types(), seconds)
        missing = ", ".join(sorted(set(types) - self.types()))
        if missing:
            why = self._error or f"not within {seconds:.0f} s"
            raise StepFailed(f"The stream of {self.name} did not bring {missing}: {why}.")

    def types(self) -> set[str]:
        return {event["type"] for event in self.events}
