"""Bodies of public answers, kept for some seconds in the shared cache, and never served once they are outdated.

Each body is stored with the current version of its topic. Every write that the bodies show changes the version, before
and after its commit, so a reader that saw the old state in between has stored it under a version that is no longer
current. The version and the bodies live in one server, so they are lost together; while it is down, everything is read
from the database. It may come back with its old contents, so a writer that can't reach it waits until whatever was
stored before has expired.

The answer to a question that is asked only once is not stored. Most questions with filters and cursors are asked once,
and looking up and storing each of their answers would cost a round trip.
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
    """Mark a GET whose answer is the same for every anonymous caller. Stands below `@conditional`.

    `topic` names what the answers show: `move_on(topic)` invalidates all of them. `unless` excludes answers that also
    show something else.
    """

    def keep(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(run)
        def kept(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if not conf.PUBLIC_CACHE_SECONDS or unless(request) or viewer_of(request) is not None:
                return run(request, **kwargs)
            # The query string as it is: parsing every one would cost more than computing a few answers twice.
            if not asked.before(hash((request.path, request.META.get("QUERY_STRING")))):
                return run(request, **kwargs)
            return _kept(topic, _question(request), lambda: run(request, **kwargs))

        return kept

    return decorate_view(keep)


def move_on(topic: str) -> None:
    """Invalidate the stored answers of a topic: now, and again once this transaction is committed."""
    _set_version(topic)
    transaction.on_commit(lambda: _outlive(topic))


def _outlive(topic: str) -> None:
    """Return once the version has changed, or once everything stored under the old one has expired."""
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
    """What was asked, as the endpoint sees it: the order of the parameters does not matter."""
    return repr((request.path, sorted(request.GET.lists())))


class Asked:
    """Which questions this process was asked recently: in the last PUBLIC_CACHE_SECONDS, or the last `most` of them.

    After the doorkeeper of Einziger, Friedman and Manes (TinyLFU, 2017), with sets instead of Bloom filters, since a
    question is a number and there are few. If two threads rotate the sets at once, questions are forgotten too soon;
    their answers are then computed once more.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._late: set[int] = set()
        self._later: set[int] = set()
        self._turns_at = 0.0

    def before(self, question: int) -> bool:
        """Whether the question was asked recently. Records that it was asked now."""
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
    """The current version, made if there was none; None while the cache is down."""
    _read(lambda cache: cache.add(_version_key(topic), uuid4().hex, None))
    found: str | None = _read(lambda cache: cache.get(_version_key(topic)))
    return found


def _set_version(topic: str) -> bool:
    """Set a new version. Whether that succeeded."""

    def change(cache: BaseCache) -> bool:
        # Random, so that no version is ever reused: a counter restarted from zero would repeat its old numbers.
        cache.set(_version_key(topic), uuid4().hex, None)
        return True

    return not conf.PUBLIC_CACHE_SECONDS or bool(_softly(change))


def _version_key(topic: str) -> str:
    return f"public:{topic}:version"


# --- a cache that may be down ---

REST = 1.0  # seconds for which readers leave a failed cache alone
PAUSE = 0.1  # seconds after which a writer tries again
_resting_until = 0.0


def _read(ask: Callable[[BaseCache], Any]) -> Any:
    """What the cache answers to a reader; None, without waiting, shortly after it has failed."""
    return None if time.monotonic() < _resting_until else _softly(ask)


def _softly(ask: Callable[[BaseCache], Any]) -> Any:
    global _resting_until
    try:
        return ask(caches[conf.PUBLIC_CACHE])
    except Exception as error:  # whatever the cache's client raises: which one it is, the host knows
        _resting_until = time.monotonic() + REST
        log.warning("public_cache_unavailable", error=f"{type(error).__name__}: {error}")
        return None
