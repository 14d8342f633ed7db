from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from marketplace import releases


class Command(BaseCommand):
    help = "Print what the changelog of a package says of a version."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("package", help="its folder's name, booking for one")
        parser.add_argument("number", metavar="version", nargs="?", help="the newest, unless told")

    def handle(self, *args: Any, **options: Any) -> None:
        package = releases.package_named(releases.clone(), options["package"])
        self.stdout.write(package.section(options["number"])[0].strip())
