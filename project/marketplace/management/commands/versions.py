from typing import Any

from django.core.management.base import BaseCommand

from marketplace import releases

COLUMNS = ("package", "version", "last tag", "commits since")


class Command(BaseCommand):
    help = "Show each package's version, its last tag, and how many commits changed it since."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        for row in (COLUMNS, *releases.overview(releases.clone())):
            self.stdout.write("".join(f"{value!s:<22}" for value in row).rstrip())
