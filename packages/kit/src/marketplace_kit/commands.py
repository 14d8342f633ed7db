"""What management commands share."""

from typing import override

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


class MigratedCommand(BaseCommand):
    """A command that reads or writes tables: where one is missing it says so, before it does anything."""

    requires_migrations_checks = True

    @override
    def check_migrations(self) -> None:
        """Django would tell of it and go on, into an error of the database."""
        migrations = MigrationExecutor(connection)
        if migrations.migration_plan(migrations.loader.graph.leaf_nodes()):
            raise CommandError("The tables are not all there yet. First run `migrate`.")
