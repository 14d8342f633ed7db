"""Hints: that a user's stream has moved on, told to whichever process holds it.

A hint carries no event and may get lost: streams read the database, and look there in any case now and then.
"""

from functools import lru_cache
from typing import Any

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from .conf import conf

log = structlog.get_logger(__name__)


def send(user_id: Any) -> None:
    """Wake the user's streams, if Valkey is there."""
    if not conf.HINTS_URL:
        return
    try:
        _client(conf.HINTS_URL).publish(conf.HINTS_CHANNEL, str(user_id))
    except (RedisError, OSError) as error:
        log.warning("hint_not_sent", error=str(error))


@lru_cache
def _client(url: str) -> Redis:
    # One more try at once: the pool's connection may be one from before a restart of Valkey.
    return Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1))
