import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.management.options import a_port_or_0
from marketplace.running.datadir import DEFAULT, VARIABLE, DataDir


class Command(BaseCommand):
    help = "Run the whole system on this machine: servers, API, stream, worker and front, until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=a_port_or_0, default=8000, help="the one port that all is served on (8000)")
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
        parser.add_argument("--data-dir", default=os.environ.get(VARIABLE, DEFAULT), help=f"kept there ({DEFAULT})")
        parser.add_argument("--no-demo", action="store_true", help="without demo data")

    def handle(self, *_: Any, **options: Any) -> None:
        from marketplace.running import up  # not above: it needs the wheels

        up.run(
            DataDir(options["data_dir"]), host=options["host"], port=options["port"], demo_data=not options["no_demo"]
        )
