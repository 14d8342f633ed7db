"""The API and the admin, for a WSGI server."""

import os
from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application

from .watching.start import start

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
os.environ.setdefault("MARKETPLACE_PROCESS", "api")

LARGEST_BODY = 22_000_000  # bytes; as the front has it
PART = 1 << 18  # bytes that are read at once


def with_length(application: "WSGIApplication") -> "WSGIApplication":
    """Tell Django how long a chunked body is: without a Content-Length it takes it for an empty one."""

    def measured(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if not environ.get("CONTENT_LENGTH") and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            body = environ["wsgi.input"].read(LARGEST_BODY + 1)
            environ["CONTENT_LENGTH"], environ["wsgi.input"] = str(len(body)), BytesIO(body)
        return application(environ, start_response)

    return measured


def with_whole_body(application: "WSGIApplication") -> "WSGIApplication":
    """Read what a request that is refused has sent, too.

    granian closes a connection with a body that nobody has read. A front that is still sending it, or has the next
    request on the same one, can't tell that from a server that is down.
    """

    def reading(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH", "")
        answer = application(environ, start_response)
        if length.isdecimal() and 0 < int(length) <= LARGEST_BODY:
            while body.read(PART):
                pass
        return answer

    return reading


application = with_whole_body(with_length(get_wsgi_application()))
start("api")
