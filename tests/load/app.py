"""The application as granian calls it, in this process: no server, no network, all the rest."""

from io import BytesIO
from typing import Any

from django.core.wsgi import get_wsgi_application


class App:
    """Everything that a deployed process does for a GET, from the middleware to the last byte."""

    def __init__(self) -> None:
        self._application = get_wsgi_application()

    def get(self, path: str) -> bytes:
        """The body; AssertionError unless the answer is a 200."""
        answered: list[str] = []
        response = self._application(environment(path), lambda status, _: answered.append(status))
        body = b"".join(response)
        response.close()
        assert answered == ["200 OK"], (path, answered, body)
        return body


def environment(path: str) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.input": BytesIO(),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
    }
