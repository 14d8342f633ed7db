from typing import Any

from django.core.management.base import BaseCommand

from marketplace.seeding import seed_demo


class Command(BaseCommand):
    help = "Put the demo data in place."

    def handle(self, *args: Any, **options: Any) -> None:
        seed_demo()
        self.stdout.write("The demo data is in place.")
