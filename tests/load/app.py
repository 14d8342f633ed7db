"""The application as granian calls it, in this process: no server, no network, all the rest."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from django.core.wsgi import get_wsgi_application


class App:
    """Everything that a deployed process does for a request, from the middleware to the last byte."""

    def __init__(self) -> None:
        self._application = get_wsgi_application()

    def get(self, path: str) -> bytes:
        """The body; AssertionError unless the answer is a 200."""
        return self.ask("GET", path)

    def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
        """The body; AssertionError unless the answer is a 200 or 201."""
        answered: list[str] = []
        given = environment(path) | {"REQUEST_METHOD": method, "wsgi.input": BytesIO(body)}
        given |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in (headers or {}).items()}
        if body:
            given |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
        response = self._application(given, lambda status, _: answered.append(status))
        answer = b"".join(response)
        response.close()
        assert answered in (["200 OK"], ["201 Created"]), (path, answered, answer)
        return answer


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
