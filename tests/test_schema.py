"""The page on the schema: it is current, and each constraint and index in PostgreSQL has a purpose on it."""

import os
import re
import subprocess
import sys
from contextlib import nullcontext
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from marketplace.management.commands import schema
from marketplace.schema import page, reading
from marketplace.schema.purposes import BESIDES, GENERAL, PURPOSES

PAGE = Path(__file__).parents[1] / "docs" / "schema.md"
MODELS = [model for app in reading.our_apps() for model in reading.tables_of(app)]
TABLES = [model._meta.db_table for model in MODELS]
REFUSE = "FUNCTION marketplace_booking_append_only()"
UNNAMED = re.compile(r"(unique|index|index for LIKE) \(\w+(, \w+)*\)")


def there():
    rules = reading.rules(TABLES)
    return {(page.key_of(model), rule.name) for model in MODELS for rule in page.particular(model, rules)}


def explained():
    return {(table, name) for table, purposes in PURPOSES.items() for name in purposes}


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.django_db
def test_whatever_is_there_has_a_purpose_and_each_purpose_is_there():
    assert there() - explained() == set()
    assert explained() - there() == set()
    assert {one.name for one in reading.besides()} == BESIDES.keys()
    assert {rule.kind for rule in reading.rules(TABLES)} > GENERAL.keys()
    for text in [*GENERAL.values(), *BESIDES.values(), *(text for one in PURPOSES.values() for text in one.values())]:
        assert text.endswith(".")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("CREATE INDEX another ON marketplace_booking_booking (timezone)", "another"),
        (
            "CREATE INDEX marketplace_booking_booking_notes_01234567 ON marketplace_booking_booking (notes)",
            "index (notes)",
        ),
        ("CREATE UNIQUE INDEX another ON marketplace_booking_booking (lower(notes))", "another"),
        ("CREATE INDEX another ON marketplace_booking_booking USING gin (to_tsvector('simple', notes))", "another"),
        ("ALTER TABLE marketplace_booking_booking ADD CONSTRAINT another CHECK (duration < 9999)", "another"),
        ("ALTER TABLE marketplace_booking_booking ADD UNIQUE (notes)", "unique (notes)"),
        (
            "ALTER TABLE marketplace_booking_booking ADD CONSTRAINT another EXCLUDE USING gist (provider_id WITH =)",
            "another",
        ),
        (f"CREATE TRIGGER another AFTER INSERT ON marketplace_booking_booking EXECUTE {REFUSE}", "another"),
    ],
)
def test_what_has_no_purpose_is_noticed_however_it_was_made(sql, name):
    run(sql)

    assert there() - explained() == {("booking.Booking", name)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("DROP INDEX booking_newest", "booking_newest"),
        ("ALTER TABLE marketplace_booking_booking DROP CONSTRAINT booking_lasts", "booking_lasts"),
    ],
)
def test_a_purpose_of_nothing_is_noticed(sql, name):
    run(sql)

    assert explained() - there() == {("booking.Booking", name)}


@pytest.mark.django_db
def test_no_table_of_ours_is_left_out():
    found = run("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND starts_with(relname, 'marketplace')")

    assert {name for (name,) in found} == set(TABLES)


@pytest.mark.django_db
def test_what_is_general_is_what_it_is_called():
    rules = {kind: [rule for rule in reading.rules(TABLES) if rule.kind == kind] for kind in GENERAL}

    assert len(rules["primary key"]) == len(TABLES)
    assert all(re.fullmatch(r'"?\w+"? >= 0', rule.definition) for rule in rules["not negative"])
    assert all(re.fullmatch(r"\w+", rule.definition) for rule in rules["index for LIKE"])
    assert all(rule.definition.startswith("FOREIGN KEY") for rule in rules["foreign key"])


def test_what_has_no_name_is_called_by_its_columns():
    unnamed = [name for _, name in explained() if "(" in name]

    assert unnamed
    assert all(UNNAMED.fullmatch(name) for name in unnamed)


@pytest.mark.django_db
def test_the_arrows_are_the_models_and_the_columns_are_the_tables():
    drawn = page.document()

    for line in (
        "Service ||--o{ Booking : service",  # many, and each of one
        "Reservation |o--o| Booking : reservation",  # one or none, and of one or none
        "Category |o--o{ Category : parent",  # of itself
        "Group ||--o{ User_groups : group",  # of another's
        'timestamptz reminded_at "null"',
        'numeric rating_average "null, generated"',
        'tsvector search "generated"',  # which no model knows
        'uuid reservation_id FK, UK "null"',
        "uuid user_id PK, FK",
    ):
        assert f"    {line}\n" in drawn, line


@pytest.mark.django_db
def test_it_is_printed(monkeypatch):
    monkeypatch.setattr(schema, "empty_database", nullcontext)
    printed = StringIO()
    call_command("schema", stdout=printed)

    assert printed.getvalue() == page.document()


def test_the_committed_page_is_what_is_written(tmp_path):
    """By the command itself, which makes a database for it, and leaves none behind."""
    (tmp_path / "docs").mkdir()
    command = [Path(sys.executable).with_name("marketplace"), "schema", "--write"]
    subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "marketplace.settings"},
        capture_output=True,
        check=True,
    )

    assert (tmp_path / "docs/schema.md").read_text() == PAGE.read_text(), "`marketplace schema --write` writes it anew."


def test_it_is_written_in_the_repository_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(CommandError, match="root of the repository"):
        call_command("schema", "--write")
