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


def with_length(application: "WSGIApplication") -> "WSGIApplication":
    """Tell Django how long a chunked body is: without a Content-Length it takes it for an empty one."""

    def measured(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if not environ.get("CONTENT_LENGTH") and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            body = environ["wsgi.input"].read(LARGEST_BODY + 1)
            environ["CONTENT_LENGTH"], environ["wsgi.input"] = str(len(body)), BytesIO(body)
        return application(environ, start_response)

    return measured


application = with_length(get_wsgi_application())
start("api")
