from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from marketplace import releases


class Command(BaseCommand):
    help = "Commit and tag a version of one package, in a clone of the repository. It pushes nothing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("package", help="its folder's name, booking for one")
        parser.add_argument("number", metavar="version", help="three numbers: 0.2.0")

    def handle(self, *args: Any, **options: Any) -> None:
        package, number = releases.package_named(releases.clone(), options["package"]), options["number"]
        moved = releases.release(package, number)
        self.stdout.write(f"Committed, and tagged as {package.tag(number)}. To publish it: git push --follow-tags")
        for other in moved:
            self.stdout.write(f"{other.name} asks for it from now on: say so in its changelog, and release it too.")
