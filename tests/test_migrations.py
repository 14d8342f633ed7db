"""Migrations that run while the version before them serves: they lock no table for long, and take nothing from it."""

import pytest
from django.apps import apps
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter
from django_migration_linter.sql_analyser.analyser import analyse_sql_statements

OURS = [app.label for app in apps.get_app_configs() if app.name.startswith("marketplace")]
# What the linter finds and why it may stay. From the first release on: `AddIndexConcurrently` in a migration with
# `atomic = False`, columns with `db_default`, and what goes goes one release after the last that uses it.
UNRELEASED = "There was no release before it, so no version serves while it runs."
KNOWN: dict[tuple[str, str], tuple[set[str], str]] = {
    ("marketplace_accounts", "0002_profile_avatar"): ({"CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE"}, UNRELEASED),
    ("marketplace_billing", "0002_gateway_events"): ({"CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE"}, UNRELEASED),
    ("marketplace_billing", "0005_found_by_support"): ({"CREATE_INDEX"}, UNRELEASED),
    ("marketplace_booking", "0003_newest"): ({"CREATE_INDEX"}, UNRELEASED),
    ("marketplace_catalog", "0001_initial"): ({"CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE"}, UNRELEASED),
    ("marketplace_catalog", "0003_search"): ({"CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE", "DROP_INDEX"}, UNRELEASED),
    ("marketplace_media", "0002_thumbnails_and_uploads"): ({"NOT_NULL"}, UNRELEASED),
}


def findings():
    linter = MigrationLinter(no_cache=True, no_output=True)
    loader = MigrationLoader(None, ignore_no_migrations=True)
    for app, name in sorted(loader.disk_migrations):
        if app in OURS:
            statements = linter.get_sql(app, name)
            errors, _, warnings = analyse_sql_statements(linter.sql_analyser_class, statements, [])
            yield (app, name), {issue.code for issue in (*errors, *warnings)}


@pytest.mark.django_db
def test_no_migration_stops_the_version_before_it():
    found = {migration: codes for migration, codes in findings() if codes}

    assert found == {migration: codes for migration, (codes, _) in KNOWN.items()}
