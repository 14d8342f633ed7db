import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.demo.client import StepFailed
from marketplace.demo.journey import Journey
from marketplace.demo.show import Show
from marketplace.running.datadir import DataDir
from marketplace.running.servers import require_wheels


class Command(BaseCommand):
    help = "Play the journey through the HTTP API, and show each answer."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", help="of a running system; without it one is started for the demo, and stopped")

    def handle(self, *args: Any, **options: Any) -> None:
        show = Show(sys.stdout)
        try:
            self._play(show, options["url"])
        except StepFailed as failure:
            show.end(False, f"Step {show.steps} failed. {failure}")
            sys.exit(1)
        show.end(True, f"All {show.steps} steps answered as the contract says.")

    def _play(self, show: Show, url: str | None) -> None:
        if url is not None:
            Journey(url.rstrip("/"), show).play()
            return
        require_wheels([])
        from marketplace.running.system import System  # not in a production image

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # its system and its folder go before it does
        with System() as system:
            show.note(f"A system of its own at {system.url}")
            Journey(system.url, show, DataDir(system.data_dir).mail).play()
