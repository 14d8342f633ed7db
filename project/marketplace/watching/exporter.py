"""`GET /metrics`, on a port of its own, which all processes of a machine share: the kernel picks who answers."""

import os
import socketserver
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, AF_INET6
from threading import Thread
from typing import Any

import structlog
from django.conf import settings
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from .jobs import Queues

log = structlog.get_logger(__name__)


class Server(ThreadingHTTPServer):
    """Listens beside others that do."""

    allow_reuse_port = True
    daemon_threads = True

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self.registry = registry
        super().__init__((host, port), Answer)

    def server_bind(self) -> None:
        """Without asking DNS what we are called."""
        socketserver.TCPServer.server_bind(self)


class Answer(BaseHTTPRequestHandler):
    """One look."""

    server: Server
    timeout = 10  # seconds that a client may be silent

    def do_GET(self) -> None:
        """All that is counted here, in the format that is asked for."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        forget_dead(Path(settings.METRICS_FOLDER))
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        body = encode(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """One look in 15 seconds is no news."""


def serve(host: str, port: int) -> None:
    """Answer from now on, in a thread. Whoever can't be watched works all the same."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(Queues())
    try:
        server = Server(host, port, registry)
    except OSError as error:
        log.error("metrics_not_served", host=host, port=port, error=str(error))
        return
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def forget_dead(folder: Path) -> None:
    """Take away what processes that are gone have left as being the case now. What they counted stays."""
    for left in folder.glob("gauge_live*_*.db"):
        if not _lives(int(left.stem.rpartition("_")[2])):
            left.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
