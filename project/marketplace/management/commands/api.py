import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from granian import Granian
from granian.constants import Interfaces

from marketplace.management.options import a_port
from marketplace.running import cores

MOST_WORKERS = 4  # unless more are asked for: what of the machine's cores is ours, nobody tells us


class Command(BaseCommand):
    help = "Serve the API, the docs and the admin: granian's WSGI server."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=a_port, default=8001, help="the port to listen on (8001)")

    def handle(self, *_: Any, **options: Any) -> None:
        Granian(
            "marketplace.wsgi:application",
            address=address_of(options["host"], options["port"]),
            port=options["port"],
            interface=Interfaces.WSGI,
            websockets=False,
            workers=settings.API_WORKERS or min(max(os.process_cpu_count() or 1, 2), MOST_WORKERS),
            blocking_threads=settings.API_THREADS,
            # A worker that crashes comes back by itself; one that hangs at the end is not waited for.
            respawn_failed_workers=True,
            workers_kill_timeout=15,
        ).serve(target_loader=load, wrap_loader=False)


def address_of(host: str, port: int) -> str:
    """The address of this host at which a server can listen; IPv4, where it has both. CommandError."""
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, (address, *_) = min(known, key=lambda one: one[0] != socket.AF_INET)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As granian does it: its processes share a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            probe.bind((address, port))
    except OSError as error:
        raise CommandError(f"Can't listen on port {port} of {host}: {error.strerror}.") from error
    return str(address)


def load() -> Callable[..., Any]:
    """What a worker serves, loaded in the worker.

    It is a fork, and until granian gives it a handler of its own it has its parent's: which would swallow a SIGTERM,
    so that a worker that is told to stop while it loads would live on until it is killed, with requests in its hands.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cores.share_one()
    from marketplace.wsgi import application

    return application
