"""Django's session middleware, for the admin alone, as the API's requests pass it by; and the edge of the stream."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from corsheaders.middleware import CorsMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost, TooManyFieldsSent
from django.db import DataError
from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware

from marketplace_kit.exceptions import DomainError
from marketplace_kit.problems import problem, refusal
from marketplace_kit.ratelimits import READ, Meter
from marketplace_kit.routing import NOTHING

type Respond = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

ADMIN_PREFIX = "/admin/"


class _AdminOnly:
    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(ADMIN_PREFIX):
            return super().__call__(request)  # type: ignore[misc, no-any-return]
        return self.get_response(request)  # type: ignore[attr-defined, no-any-return]

    def process_view(self, request: HttpRequest, *args: Any) -> Any:
        if request.path_info.startswith(ADMIN_PREFIX) and hasattr(super(), "process_view"):
            return super().process_view(request, *args)  # type: ignore[misc]
        return None


class AdminSessionMiddleware(_AdminOnly, SessionMiddleware):
    pass


class AdminCsrfMiddleware(_AdminOnly, CsrfViewMiddleware):
    pass


class AdminAuthenticationMiddleware(_AdminOnly, AuthenticationMiddleware):
    pass


class AdminMessageMiddleware(_AdminOnly, MessageMiddleware):
    """And the admin's last resort: a value in an address that no column can hold is a bad request, not a failure."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        holds_nul = isinstance(error, ValueError) and "NUL" in str(error)
        return HttpResponseBadRequest() if isinstance(error, DataError) or holds_nul else None


def cors(respond: Respond) -> Respond:
    """django-cors-headers' middleware, for the stream's process."""
    return cast(Respond, CorsMiddleware(respond))


def stream_edge(respond: Respond) -> Respond:
    """What surrounds the opening of a stream, in its own process: known hosts, the limit of reads, safe headers.

    By address alone: who it is, the view finds out.
    """

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        meter = Meter(request, READ)
        try:
            request.get_host()
            _ = request.GET  # refused here, like the host: Django would log a traceback, and answer in HTML
            await asyncio.to_thread(meter.by_user, None)
            response = await respond(request)
        except (DisallowedHost, TooManyFieldsSent):
            response = problem(request, 400)
        except DomainError as error:
            response = refusal(request, error)
        meter.tell(response)
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = NOTHING
        return response

    return middleware
