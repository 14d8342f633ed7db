"""What management commands share."""

from typing import override

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


class MigratedCommand(BaseCommand):
    """A command that uses tables: it reports missing ones before it does anything."""

    requires_migrations_checks = True

    @override
    def check_migrations(self) -> None:
        """Django would only warn, and continue into a database error."""
        migrations = MigrationExecutor(connection)
        if migrations.migration_plan(migrations.loader.graph.leaf_nodes()):
            raise CommandError("Some tables are missing. Run `migrate` first.")
