"""Bodies of public answers, kept for some seconds in the shared cache, and never longer than they are true.

A body is kept with a version, which everything that the bodies show moves on: before and after its commit. Who read
the old state in between has kept it with a version that is not the present one any more. The version and the bodies
live in one server, so that either is lost with the other; with the server down all is read from the database. It may
come back with all that it knew: so a writer that can't reach it answers when whatever was kept before is dead.

What is asked for once is not kept: most questions with filters and cursors are, and to look for an answer that can't be
there, and to keep one that nobody asks for, is a round trip each.
"""

import time
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any
from uuid import uuid4

import structlog
from django.core.cache import BaseCache, caches
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja.decorators import decorate_view

from .conf import conf
from .users import viewer_of

log = structlog.get_logger(__name__)


def never(request: HttpRequest) -> bool:
    return False


def cached_publicly[F: Callable[..., Any]](
    topic: str, *, unless: Callable[[HttpRequest], bool] = never
) -> Callable[[F], F]:
    """Mark a GET whose answer to an anonymous caller is the same for all of them. Stands below `@conditional`.

    `topic` names what the answers show: `move_on(topic)` makes all of them old. What also shows something else is
    left out by `unless`.
    """

    def keep(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(run)
        def kept(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if not conf.PUBLIC_CACHE_SECONDS or unless(request) or viewer_of(request) is not None:
                return run(request, **kwargs)
            # Unparsed: reading the parameters of every question costs more than computing a few answers twice.
            if not asked.before(hash((request.path, request.META.get("QUERY_STRING")))):
                return run(request, **kwargs)
            return _kept(topic, _question(request), lambda: run(request, **kwargs))

        return kept

    return decorate_view(keep)


def move_on(topic: str) -> None:
    """Make the kept answers of a topic old: now, and again once this transaction is committed."""
    _set_version(topic)
    transaction.on_commit(lambda: _outlive(topic))


def _outlive(topic: str) -> None:
    """Come back when the version is another one, or when nothing is alive any more of what was kept under the old."""
    dead_at = time.monotonic() + conf.PUBLIC_CACHE_SECONDS
    while not _set_version(topic) and time.monotonic() < dead_at:
        time.sleep(PAUSE)


def _kept(topic: str, question: str, answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    key = f"public:{topic}:{sha256(question.encode()).hexdigest()}"
    found = _read(lambda cache: cache.get_many([_version_key(topic), key])) or {}
    version = found.get(_version_key(topic)) or _new_version(topic)
    if version is None:
        return answer()
    kept_under, content, content_type = found.get(key, (None, b"", ""))
    if kept_under == version:
        return HttpResponse(content, content_type=content_type)
    response = answer()
    if response.status_code == 200 and isinstance(response, HttpResponse):
        body = (version, response.content, response["Content-Type"])
        _read(lambda cache: cache.set(key, body, conf.PUBLIC_CACHE_SECONDS))
    return response


def _question(request: HttpRequest) -> str:
    """What was asked for, as the endpoint sees it: parameters in another order are the same question."""
    return repr((request.path, sorted(request.GET.lists())))


class Asked:
    """What this process was asked for of late: in the last PUBLIC_CACHE_SECONDS, or the last `most` questions.

    After Einziger, Friedman and Manes' doorkeeper (TinyLFU, 2017), with sets instead of Bloom filters: a question is a
    number, and they are few. What it forgets too soon, two threads turning it at once, is only computed once more.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._late: set[int] = set()
        self._later: set[int] = set()
        self._turns_at = 0.0

    def before(self, question: int) -> bool:
        """Whether it was asked for before. Now it was."""
        now = time.monotonic()
        if now >= self._turns_at or len(self._later) >= self._most:
            self._late, self._later = self._later, set()
            self._turns_at = now + conf.PUBLIC_CACHE_SECONDS
        known = question in self._later or question in self._late
        self._later.add(question)
        return known


asked = Asked()


# --- versions ---


def _new_version(topic: str) -> str | None:
    """The present version where there was none; None while the cache is down."""
    _read(lambda cache: cache.add(_version_key(topic), uuid4().hex, None))
    found: str | None = _read(lambda cache: cache.get(_version_key(topic)))
    return found


def _set_version(topic: str) -> bool:
    """Whether that could be done."""

    def change(cache: BaseCache) -> bool:
        # Never one that there was before: a counter that begins anew after a restart would come to its old numbers.
        cache.set(_version_key(topic), uuid4().hex, None)
        return True

    return not conf.PUBLIC_CACHE_SECONDS or bool(_softly(change))


def _version_key(topic: str) -> str:
    return f"public:{topic}:version"


# --- a cache that may be down ---

REST = 1.0  # seconds for which readers leave a cache alone that failed
PAUSE = 0.1  # seconds after which a writer tries again
_resting_until = 0.0


def _read(ask: Callable[[BaseCache], Any]) -> Any:
    """What a reader asks for; None, and no wait, shortly after the cache has failed."""
    return None if time.monotonic() < _resting_until else _softly(ask)


def _softly(ask: Callable[[BaseCache], Any]) -> Any:
    global _resting_until
    try:
        return ask(caches[conf.PUBLIC_CACHE])
    except Exception as error:  # whatever the cache's client raises: which one it is, the host knows
        _resting_until = time.monotonic() + REST
        log.warning("public_cache_unavailable", error=f"{type(error).__name__}: {error}")
        return None
