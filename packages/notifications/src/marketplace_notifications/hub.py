"""What the open streams of a process share: one ear for hints, one look at the database, a few threads."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import batched
from typing import Any

import structlog
from django.db import close_old_connections
from django_eventstream.event import Event
from django_eventstream.views import get_listener_manager
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from .conf import conf
from .listener import Stream
from .models import StreamCounter
from .storage import channel_of

log = structlog.get_logger(__name__)
# It writes a line for each stream that comes, beside ours for the request.
logging.getLogger("django_eventstream").setLevel(logging.WARNING)

DEAF_LOOK_SECONDS = 2  # between two looks at the database while no hints come
RECONNECT_SECONDS = 1
AT_ONCE = 500  # streams that one query is about: one about thousands would hold up all of them


async def in_thread[T](func: Callable[..., T], *args: Any) -> T:
    """Run what asks the database in one of a few threads: one for each stream would hold a connection each."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), partial(_with_connection, func, *args))


@lru_cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(conf.STREAM_THREADS, thread_name_prefix="stream")


def _with_connection[T](func: Callable[..., T], *args: Any) -> T:
    # What Django does around a request: a connection that is broken or older than CONN_MAX_AGE is given back.
    close_old_connections()
    try:
        return func(*args)
    finally:
        close_old_connections()


class Hub:
    """All streams of this process, in django-eventstream's listener manager, and what wakes and ends them."""

    def __init__(self) -> None:
        self.deaf = True  # no hints come: Valkey is away
        self.stopping = False
        self.count = 0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def full(self) -> bool:
        return bool(self.count >= conf.MAX_STREAMS)

    def add(self, stream: Stream) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._watch())]
        stream.loop = asyncio.get_running_loop()
        get_listener_manager().add_listener(stream)
        self.count += 1

    def remove(self, stream: Stream) -> None:
        get_listener_manager().remove_listener(stream)
        self.count -= 1

    async def stop(self) -> None:
        """End every stream and whatever runs for them: the process ends."""
        self.stopping = True
        for stream in self._streams():
            stream.end()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _streams(self) -> list[Stream]:
        manager = get_listener_manager()
        with manager.lock:
            return [stream for listeners in manager.listeners_by_channel.values() for stream in listeners]

    # --- hints ---

    async def _listen(self) -> None:
        """Hear hints for ever, through every restart of Valkey."""
        while conf.HINTS_URL:
            try:
                await self._hear()
            except Exception as error:
                # Valkey is away, or the database that we then look at: whatever it is, we must hear again.
                if not self.deaf:
                    log.warning("hints_lost", error=repr(error))
            self.deaf = True
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear(self) -> None:
        options: dict[str, Any] = {"socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 0)}
        async with Redis.from_url(conf.HINTS_URL, **options) as client, client.pubsub() as pubsub:
            await pubsub.subscribe(conf.HINTS_CHANNEL)
            async for message in pubsub.listen():
                if message["type"] == "subscribe":
                    # From now on we hear. What was said before, nobody repeats.
                    self.deaf = False
                    await self._wake_those_behind()
                elif message["type"] == "message":
                    _wake(channel_of(message["data"].decode(errors="replace")))

    # --- looks ---

    async def _watch(self) -> None:
        """Look for what no hint told: streams that are behind, sessions that are over."""
        next_check = 0.0
        while True:
            await asyncio.sleep(min(DEAF_LOOK_SECONDS, conf.SESSION_CHECK_SECONDS))
            due = time.monotonic() >= next_check
            try:
                if due or self.deaf:
                    await self._wake_those_behind()
                if due:
                    await self._end_those_over()
                    next_check = time.monotonic() + conf.SESSION_CHECK_SECONDS
            except Exception:
                # Whatever it was, a database that is away or a defect in a hook: the next look must come.
                log.exception("stream_watch_failed")

    async def _wake_those_behind(self) -> None:
        for streams in batched(self._streams(), AT_ONCE, strict=False):
            last = await in_thread(_counters, {stream.user_id for stream in streams})
            for stream in streams:
                if stream.position is not None and stream.position < last.get(stream.user_id, 0):
                    stream.aevent.set()

    async def _end_those_over(self) -> None:
        for streams in batched(self._streams(), AT_ONCE, strict=False):
            over = await in_thread(conf.call, "SESSIONS_ENDED", {stream.viewer.session_key for stream in streams})
            for stream in streams:
                if stream.viewer.session_key in over:
                    stream.end()


def _counters(users: set[Any]) -> dict[Any, int]:
    return dict(StreamCounter.objects.filter(user__in=users).values_list("user_id", "last"))


def _wake(channel: str) -> None:
    # The event says nothing: the stream looks into the database. The manager wakes those who listen to the channel.
    get_listener_manager().add_to_queues(channel, Event(channel, "hint", {}))


hub = Hub()
