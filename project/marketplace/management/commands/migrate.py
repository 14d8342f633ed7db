from typing import Any

from django.core.management.commands import migrate

from marketplace.management.turns import one_at_a_time


class Command(migrate.Command):
    help = f"{migrate.Command.help} Of several that are started at once, one does it, and the others wait."

    def handle(self, *args: Any, **options: Any) -> None:
        with one_at_a_time("migrate", options["database"]):
            super().handle(*args, **options)
