"""Django's ASGI handler, without what costs a thread for each open stream."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, override

import structlog
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404

from marketplace_kit.middleware import client_address, request_id
from marketplace_kit.problems import problem

from .hub import hub

type Respond = Callable[[HttpRequest], Awaitable[HttpResponseBase]]
type Middleware = Callable[[Respond], Respond]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]

log = structlog.get_logger("marketplace.request")

SEND_SECONDS = 20  # for which a client may leave what it was sent unread


class StreamHandler(ASGIHandler):
    """An ASGI application over the async views of `urlconf`; MIDDLEWARE is not for it, it takes async ones of its own.

    Django's middleware and its receivers of `request_started` are synchronous, and the stock handler keeps a thread
    for them as long as a request lasts: here that is as long as somebody is signed in.
    """

    def __init__(self, urlconf: str, middleware: Sequence[Middleware] = ()) -> None:
        self.urlconf = urlconf
        self.middleware = middleware
        super().__init__()

    @override
    def load_middleware(self, is_async: bool = False) -> None:
        chain: Respond = self._answer
        for wrap in reversed(self.middleware):
            chain = wrap(chain)
        self._middleware_chain = partial(_in_context, chain)

    @override
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            # Not in a ThreadSensitiveContext, as in Django: all requests share one thread for their signals.
            await self.handle(scope, receive, partial(_send, send))
        else:
            raise ValueError(f"Only HTTP is served here, not {scope['type']}.")

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        request.urlconf = self.urlconf
        try:
            view, args, kwargs = self.resolve_request(request)
            response: HttpResponseBase = await view(request, *args, **kwargs)
        except Resolver404:
            return problem(request, 404)
        except Exception as error:
            log.error("unexpected_error", exc_info=error)
            return problem(request, 500)
        return response


async def _in_context(respond: Respond, request: HttpRequest) -> HttpResponseBase:
    """What kit's `request_context` does, for async views."""
    request.id = request_id(request)  # type: ignore[attr-defined]
    request.client_address = client_address(request)  # type: ignore[attr-defined]
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request.id)  # type: ignore[attr-defined]
    response = await respond(request)
    response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
    match = request.resolver_match
    log.info("request", method=request.method, route=f"/{match.route}" if match else None, status=response.status_code)
    return response


async def _send(send: Send, message: dict[str, Any]) -> None:
    """Send, but not for ever: a client that reads nothing would outlive its session."""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await send(message)
    except TimeoutError as error:
        raise RequestAborted from error


async def _live(receive: Receive, send: Send) -> None:
    """The server's lifespan: streams and what serves them end with it."""
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await hub.stop()
    await send({"type": "lifespan.shutdown.complete"})
