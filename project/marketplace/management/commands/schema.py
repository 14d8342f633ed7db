import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from marketplace.schema.page import document

PAGE = Path("docs/schema.md")
SCRATCH = "marketplace_schema"


class Command(BaseCommand):
    help = "Print the page on the schema: what the migrations make of an empty database, which is dropped again."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help=f"write it to {PAGE} instead")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["write"] and not PAGE.parent.is_dir():
            raise CommandError(f"There is no folder {PAGE.parent} here: run this in the root of the repository.")
        with empty_database():
            page = document()
        if options["write"]:
            PAGE.write_text(page)
        else:
            self.stdout.write(page, ending="")


@contextmanager
def empty_database() -> Iterator[None]:
    """Our connection leads to a database of its own for a while, beside the one that it is for."""
    name = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"{SCRATCH}_{os.getpid()}"  # another may do the same at once
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
