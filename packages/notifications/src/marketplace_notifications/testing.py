"""Made-up rows for tests, ours and a host's, and a receiver of webhooks."""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, override

from marketplace_kit.webhooks import new_secret, verified

from .models import Notification, WebhookDelivery, WebhookEndpoint, WebhookSecret


def make_notification(user_id: Any, **fields: Any) -> Notification:
    """A notification in a user's inbox, not yet published, without jobs."""
    values = {"type": "test.happened", "title": "It happened", "body": "Just now.", "in_app": True}
    return Notification.objects.create(user_id=user_id, **values | fields)


def make_webhook(user_id: Any, **fields: Any) -> WebhookEndpoint:
    """An endpoint of a user's, told of every type."""
    endpoint = WebhookEndpoint.objects.create(user_id=user_id, **{"url": "https://hooks.example.com/"} | fields)
    WebhookSecret.objects.create(endpoint=endpoint, secret=new_secret())
    return endpoint


def make_webhook_delivery(endpoint: WebhookEndpoint, **fields: Any) -> WebhookDelivery:
    """A notification of the endpoint's owner on its way there, without jobs."""
    notification = make_notification(endpoint.user_id)
    return WebhookDelivery.objects.create(endpoint=endpoint, notification=notification, **fields)


@dataclass(frozen=True, slots=True)
class Received:
    """What a receiver was sent."""

    method: str
    path: str
    headers: dict[str, str]  # by their names in lower case
    body: bytes

    def is_signed_with(self, secret: str) -> bool:
        """Whether it is, now. Raises BadSignature where it is not."""
        return verified(secret, self.headers, self.body) == self.headers["webhook-id"]


class Receiver:
    """A real HTTP server on this machine, for webhooks: it notes what it is sent, and answers as it is told.

    With `status` and `headers`, or, while there are any in `script`, as the next of them does, a function of the
    handler. Needs WEBHOOK_ALLOW_PRIVATE.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.script: list[Callable[[BaseHTTPRequestHandler], object]] = []
        self.closing = threading.Event()  # for what a script waits for
        self._scheme = "https" if tls else "http"
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if tls:
            # The handshake in the connection's own thread: there it may fail, or take its time.
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, host: str = "127.0.0.1", path: str = "/hook") -> str:
        return f"{self._scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Note what was sent, and answer."""
        body = handler.rfile.read(int(handler.headers["Content-Length"] or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.received.append(Received(handler.command, handler.path, headers, body))
        if self.script:
            self.script.pop(0)(handler)
            return
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.end_headers()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer(self)

            def do_GET(self) -> None:  # whoever followed a redirect would come so
                answer(self)

            @override
            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up on us is what a test is about."""
