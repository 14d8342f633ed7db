from typing import Any

from django.core.management.base import BaseCommand

from marketplace.running.datadir import DEPLOYED, SECRETS


class Command(BaseCommand):
    help = "Print new secrets for a deployment, as lines for its .env file."
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:
        for name, make in (SECRETS | DEPLOYED).items():
            self.stdout.write(f"{name}={make()}")
