"""`GET /notifications/stream`: a plain async view, for an ASGI process of its own."""

import asyncio
from collections.abc import AsyncIterator

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from marketplace_kit.exceptions import DomainError, InvalidField, ServiceUnavailable
from marketplace_kit.problems import problem, refusal

from .conf import conf
from .exceptions import TooManyStreams
from .hub import hub, in_thread
from .listener import Stream
from .sessions import Viewer, viewer_by_credentials, viewer_by_ticket

log = structlog.get_logger(__name__)

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RETRY_SECONDS = 2.0  # after the database did not answer


async def stream(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The caller's notifications as Server-Sent Events; refusals are problem documents."""
    if request.method != "GET":
        return problem(request, 405, headers={"Allow": "GET"})
    try:
        opened = await _open(request)
    except DomainError as error:
        return refusal(request, error)
    except (OperationalError, InterfaceError) as error:
        log.error("database_unavailable", error=str(error))
        return refusal(request, ServiceUnavailable())
    return StreamingHttpResponse(chunks(opened), content_type="text/event-stream", headers=HEADERS)


async def _open(request: HttpRequest) -> Stream:
    if "es-meta" in request.GET:
        raise InvalidField("query/es-meta", "not_supported", "Use a token or a ticket to say who you are.")
    if hub.full:
        raise TooManyStreams
    return Stream(await in_thread(_viewer, request), _last_event_id(request))


def _viewer(request: HttpRequest) -> Viewer:
    ticket = request.GET.get("ticket")
    return viewer_by_credentials(request) if ticket is None else viewer_by_ticket(ticket)


def _last_event_id(request: HttpRequest) -> str | None:
    # An EventSource that reconnects sends the header, to the address that it was made with: the header is newer.
    return request.headers.get("Last-Event-ID") or request.GET.get("lastEventId") or None


async def chunks(stream: Stream) -> AsyncIterator[str]:
    """What the stream says until it is over: all that is behind the last id, then what comes."""
    hub.add(stream)
    try:
        opening = True
        while not stream.over:
            stream.listen_anew()
            text, more = await _look(stream)
            if text or opening:
                yield text or stream.keep_alive()
            opening = False
            while not (more or stream.over or await stream.woken(conf.KEEP_ALIVE_SECONDS)):
                yield stream.keep_alive()
        if hub.stopping:
            yield stream.farewell()
    finally:
        hub.remove(stream)


async def _look(stream: Stream) -> tuple[str, bool]:
    try:
        return await in_thread(stream.read)
    except (OperationalError, InterfaceError) as error:
        log.warning("stream_waits_for_database", error=str(error))
        asyncio.get_running_loop().call_later(RETRY_SECONDS, stream.aevent.set)
        return "", False
