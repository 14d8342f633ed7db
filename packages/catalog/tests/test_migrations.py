"""What the migrations make of rows that are there."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from marketplace_catalog import listing, search
from marketplace_catalog.models import Service, Word
from marketplace_catalog.schemas import ServiceFilters
from marketplace_catalog.testing import make_crowd, make_service


@pytest.fixture
def migrate(db):
    """Go to one of the catalog's migrations, as long as the test lasts."""

    def go(name):
        MigrationExecutor(connection).migrate([("marketplace_catalog", name)])

    return go


def found(text):
    return {Service.objects.get(pk=pk).title for pk in listing.page_of(ServiceFilters(q=text)).items}


def versions():
    """What a row is replaced by when it is written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT title, ctid FROM marketplace_catalog_service")
        return dict(cursor.fetchall())


def test_words_that_are_written_together_are_set_apart_in_what_is_there(provider, migrate):
    migrate("0005_plain_slugs")
    for title in ("Mathe/Physik", "Yoga"):
        make_service(provider, title=title, description="An hour")
    assert (found("physik"), found("mathe/physik")) == (set(), {"Mathe/Physik"})
    before = versions()

    migrate("0006_words_apart")

    assert found("physik") == found("phisik") == found("mathe/physik") == {"Mathe/Physik"}
    assert Word.objects.filter(word="physik").exists()
    assert {title for title, place in versions().items() if place != before[title]} == {"Mathe/Physik"}

    migrate("0005_plain_slugs")

    assert (found("physik"), found("mathe/physik")) == (set(), {"Mathe/Physik"})


def test_however_many_there_are(provider, migrate):
    migrate("0005_plain_slugs")
    make_crowd([provider.pk], 2_100)
    Service.objects.update(title="VW/Audi")
    audis = search.Wanted.of(search.as_asked("audi")).found_in(Service.objects.all())
    assert audis.count() == 0

    migrate("0006_words_apart")

    assert audis.count() == 2_100


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_who_writes_at_that_moment_is_waited_for(provider, migrate):
    written = Event()

    def write():
        """Commit when somebody waits for that; whether somebody did."""
        try:
            with transaction.atomic():
                make_service(provider, title="Mathe/Physik")
                written.set()
                return is_waited_for(seconds=10)
        finally:
            connection.close()

    try:
        migrate("0005_plain_slugs")
        with ThreadPoolExecutor() as pool:
            writing = pool.submit(write)
            assert written.wait(timeout=10)
            migrate("0006_words_apart")
            assert writing.result()
        assert found("physik") == {"Mathe/Physik"}
    finally:
        migrate("0006_words_apart")


def is_waited_for(seconds):
    waiting = "SELECT FROM pg_locks WHERE relation = 'marketplace_catalog_service'::regclass AND NOT granted"
    until = time.monotonic() + seconds
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(waiting)
            if cursor.rowcount:
                return True
            time.sleep(0.01)
    return False
