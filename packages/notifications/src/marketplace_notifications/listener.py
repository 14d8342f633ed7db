"""One open stream, as django-eventstream's listener manager knows it."""

import asyncio
import random

from django.contrib.auth import get_user_model
from django_eventstream.eventrequest import EventRequest
from django_eventstream.eventstream import get_events
from django_eventstream.utils import sse_encode_event
from django_eventstream.views import Listener

from marketplace_kit.clock import now

from . import event_ids
from .sessions import Viewer
from .storage import UNKNOWN, channel_of, user_of

BATCH = 100  # events that are read at a time
COMES_AGAIN = (500, 3_000)  # milliseconds; not all at once, who were told at once


class Stream(Listener):
    """For whom it is, how far it has come, and when it ends."""

    def __init__(self, viewer: Viewer, last_id: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.viewer = viewer
        self.channel = channel_of(viewer.user_id)
        self.user_id = user_of(self.channel)  # a hook may give the key as text
        self.channels = {self.channel}
        # Filled in here and not from the HTTP request: there its `es-meta` would say who asks for what.
        self.request = EventRequest()
        self.request.is_next = False
        self.request.channels = self.channels
        self.request.user = get_user_model()(pk=self.user_id)
        self.position: int | None = None
        if last_id is not None:
            known = event_ids.decode(self.user_id, last_id)
            self._go_on_from(UNKNOWN if known is None else known)

    def _go_on_from(self, position: int) -> None:
        self.position = position
        self.request.channel_last_ids = {self.channel: str(position)}

    def read(self) -> tuple[str, bool]:
        """What is new since the last time, and whether there is more. In a thread: it asks the database."""
        answer = get_events(self.request, limit=BATCH)
        self._go_on_from(int(answer.channel_last_ids[self.channel]))
        text = self._reset() if self.channel in answer.channel_reset else ""
        for event in answer.channel_items[self.channel]:
            text += sse_encode_event(event.type, event.data, event_id=event.token)
            self._go_on_from(event.id)
        return text, self.channel in answer.channel_more

    def _reset(self) -> str:
        return str(sse_encode_event("stream-reset", "{}", event_id=self._here()))

    def keep_alive(self) -> str:
        """Something to say when there is nothing to say. Its id lets a client resume that has seen no event yet."""
        if self.position is None:
            return ": keep-alive\n\n"
        # Without `data:` a browser takes note of the id and dispatches nothing.
        return f"event: keep-alive\nid: {self._here()}\n\n"

    def farewell(self) -> str:
        """Said where the process ends, and nothing else: come again, each client after a pause of its own."""
        return f"retry: {random.randint(*COMES_AGAIN)}\n{self.keep_alive()}"  # noqa: S311  (no secret)

    def _here(self) -> str:
        return event_ids.encode(self.user_id, self.position or 0, now())

    @property
    def over(self) -> bool:
        """Whether its session has ended, or the credentials with which it was opened."""
        return bool(self.error) or self._seconds_left() <= 0

    def end(self) -> None:
        """Close it soon."""
        self.error = "session_ended"
        self.aevent.set()

    def listen_anew(self) -> None:
        """Forget the hints so far: to be called before looking, so that none is lost in between."""
        self.aevent.clear()
        self.channel_items = {}
        self.overflow = False

    async def woken(self, seconds: float) -> bool:
        """Whether there came a hint, or the end, within that time."""
        try:
            async with asyncio.timeout(min(seconds, self._seconds_left())):
                await self.aevent.wait()
        except TimeoutError:
            return False
        return True

    def _seconds_left(self) -> float:
        expires_at = self.viewer.expires_at
        return float("inf") if expires_at is None else (expires_at - now()).total_seconds()
