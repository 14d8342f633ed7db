from socket import socket
from typing import Any, override

import uvicorn
from django.core.management.base import BaseCommand, CommandParser

from marketplace.management.options import a_port
from marketplace.running import cores
from marketplace_notifications.hub import hub


class Command(BaseCommand):
    help = "Serve the stream of notifications: uvicorn's ASGI server."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=a_port, default=8002, help="the port to listen on (8002)")

    def handle(self, *_: Any, **options: Any) -> None:
        config = uvicorn.Config(
            "marketplace.asgi:application",
            host=options["host"],
            port=options["port"],
            lifespan="off",
            # Django itself reads the proxy's headers, and writes the line in the log.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            # Who reads too slowly to hear that it is over is not waited for.
            timeout_graceful_shutdown=5,
        )
        cores.share_one()
        Server(config).run()


class Server(uvicorn.Server):
    """uvicorn, which waits for open streams to end, and this one ends them."""

    @override
    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Take no new stream, and end each open one in order: its client comes again, and finds another process."""
        for server in self.servers:
            server.close()
        await hub.stop()
        await super().shutdown(sockets)
