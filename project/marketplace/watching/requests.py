"""Requests: how many, how long, and what was refused."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Histogram

from marketplace_kit.problems import MEDIA_TYPE

from . import metrics

type Message = MutableMapping[str, Any]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Any, Any, Send], Awaitable[None]]

REPLAYED = "Idempotent-Replayed"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Answered by a prefix: what lies below is no route of ours, or not worth a series each.
PREFIXES = ("/admin/", settings.STATIC_URL)


def count(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware of the API: count every request that is answered."""

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        note(request, response, time.perf_counter() - started)
        return response

    return middleware


def count_openings(
    respond: Callable[[HttpRequest], Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """Middleware of the stream: count every stream that is opened, or refused."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = await respond(request)
        note(request, response, time.perf_counter() - started)
        return response

    return middleware


def count_subscribers(application: Application) -> Application:
    """Around the stream's application: know how many streams are open."""

    async def counted(scope: Any, receive: Any, send: Send) -> None:
        is_open = False

        async def watched(message: Message) -> None:
            nonlocal is_open
            if message["type"] == "http.response.start" and message["status"] == 200:
                is_open = True
                metrics.SUBSCRIBERS.inc()
            await send(message)

        try:
            await application(scope, receive, watched)
        finally:
            if is_open:
                metrics.SUBSCRIBERS.dec()

    return counted


def note(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    """Count an answer."""
    method = request.method if request.method in METHODS else "other"
    answered, latency = _series(method, route_of(request), response.status_code)
    answered.inc()
    latency.observe(seconds)
    # An answer that is replayed refuses nothing anew.
    if response.get("Content-Type") == MEDIA_TYPE and not response.has_header(REPLAYED):
        metrics.REFUSALS.labels(orjson.loads(response.content)["code"]).inc()  # type: ignore[attr-defined]


def route_of(request: HttpRequest) -> str:
    """The pattern that a request matched, so that ids make no series of their own."""
    for prefix in PREFIXES:
        if request.path_info.startswith(prefix):
            return prefix
    match = request.resolver_match
    return f"/{match.route}" if match else "none"


@cache  # finding a series among its siblings takes longer than counting
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return metrics.REQUESTS.labels(method, route, status), metrics.LATENCY.labels(method, route)
