"""How the API speaks with Valkey: what each request asks it takes no more calls than it must."""

import socket
from struct import pack
from threading import local
from typing import Any

from django_redis.client import DefaultClient  # type: ignore[import-untyped]
from redis import Redis
from redis.connection import Connection
from redis.exceptions import ConnectionError, TimeoutError  # noqa: A004  (the client's own)

# Both or neither: a counter without an end would stay for ever.
COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return count
"""


class Counters(DefaultClient):  # type: ignore[misc]
    """What rate limits are counted with, in the cache that RATELIMIT_USE_CACHE names, and in no other: one look for
    each, where django-ratelimit takes two.

    django-ratelimit adds a counter, and increments it where there was one. Here nothing is sent by `add`, which says
    that there was one; the `incr` that follows makes it, or increments it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._added = local()  # two threads of the stream's process may share a cache

    def add(self, key: Any, value: Any, timeout: Any = None, *args: Any, **kwargs: Any) -> bool:
        self._added.key, self._added.milliseconds = key, int(timeout * 1000)
        return False

    def incr(self, key: Any, delta: int = 1, *args: Any, **kwargs: Any) -> int:
        if getattr(self._added, "key", None) != key:
            return int(super().incr(key, delta, *args, **kwargs))
        del self._added.key
        client = self.get_client(write=True)
        return int(client.eval(COUNT, 1, self.make_key(key), delta, self._added.milliseconds))


class OwnConnection(Redis):
    """The client of one thread, which keeps its connection (`single_connection_client`): it sends and reads.

    What the library does around that, for connections that are shared and measured, takes as long again. It is
    left to it as soon as something fails: it connects anew and asks once more.
    """

    def execute_command(self, *args: Any, **options: Any) -> Any:
        own = self.connection
        if own is None:
            return super().execute_command(*args, **options)
        try:
            own.send_command(*args)
            return self.parse_response(own, args[0], **options)
        except (ConnectionError, TimeoutError):  # the connection is closed
            return super().execute_command(*args, **options)


class TimedByKernel(Connection):
    """A connection that waits no longer than any other, with half the system calls.

    A socket with a time limit of Python's is polled before each call, and each call lets go of Python's lock, which
    costs more than the call itself where other threads wait for it. Whoever takes too long is a ConnectionError.
    """

    def __init__(self, *args: Any, socket_timeout: float, **kwargs: Any) -> None:
        super().__init__(*args, socket_timeout=None, **kwargs)
        self._seconds = socket_timeout

    def _connect(self) -> Any:
        opened = super()._connect()
        limit = pack("@ll", int(self._seconds), int(self._seconds % 1 * 1_000_000))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        return opened
