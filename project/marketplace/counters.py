"""What rate limits are counted with: one look at Valkey for each, where django-ratelimit takes two."""

from threading import local
from typing import Any

from django_redis.client import DefaultClient  # type: ignore[import-untyped]

# Both or neither: a counter without an end would stay for ever.
COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return count
"""


class Counters(DefaultClient):  # type: ignore[misc]
    """For the cache that RATELIMIT_USE_CACHE names, and no other.

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
