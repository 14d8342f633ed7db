"""Prepared statements: they find, refuse and count what others do, and are planned once."""

from datetime import datetime
from decimal import Decimal
from os import dup
from socket import SHUT_RDWR, socket
from threading import Thread

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, connections, transaction
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from tests.people.models import Thing

from marketplace_kit.compiled import Compiled
from marketplace_kit.prepared import run_prepared
from marketplace_kit.transactions import sqlstate

ONE = "SELECT name, price FROM people_thing WHERE id = %s"
UNNEST = "SELECT * FROM unnest(%s::timestamptz[])"
NEW = "INSERT INTO people_thing (id, name, price) VALUES (%s, %s, %s)"
PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%people_thing%%'"


@pytest.fixture(params=[None, 0, 1, 5], ids="prepared from {} on".format)
def threshold(request, db):
    connection.ensure_connection()
    before, connection.connection.prepare_threshold = connection.connection.prepare_threshold, request.param
    yield request.param
    if connection.connection is not None:
        connection.connection.prepare_threshold = before


def is_prepared():
    with connection.cursor() as cursor:
        cursor.execute(PREPARED)
        return cursor.fetchone() != (0,)


def test_it_finds_what_there_is_for_each_value(threshold):
    things = [Thing.objects.create(name=name, price=Decimal(1)) for name in "abcdefghi"]
    for thing in things:
        found = run_prepared(ONE, [thing.pk])
        assert (found.rowcount, found.fetchall()) == (1, [(thing.name, thing.price)])
    for key in (0, -1, None, 2**40):  # the driver sends them as other types
        found = run_prepared(ONE, [key])
        assert (found.rowcount, found.fetchall()) == (0, [])
    assert is_prepared() == (threshold is not None)


def test_what_is_refused_is_an_error_of_django_with_its_code_and_nothing_stays_broken(threshold):
    for key in range(1, 9):
        assert run_prepared(NEW, [key, "a", 1]).rowcount == 1
        with pytest.raises(IntegrityError) as error, transaction.atomic():
            run_prepared(NEW, [key, "a", 1])
        assert sqlstate(error.value) == "23505"
    with pytest.raises(DataError), transaction.atomic():
        run_prepared(ONE, ["no number"])
    assert Thing.objects.count() == 8


@pytest.mark.django_db(transaction=True)
def test_it_begins_the_transaction_that_it_is_to_be_part_of(threshold):
    for key in range(1, 9):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            run_prepared(NEW, [key, "a", 1])
            raise ZeroDivisionError
        assert not Thing.objects.exists()
    for key in range(1, 9):
        with transaction.atomic():
            run_prepared(NEW, [key, "a", 1])
        run_prepared(NEW, [-key, "a", 1])
    connection.rollback()
    assert Thing.objects.count() == 16


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_lost_is_told_as_such_and_the_next_one_works(threshold):
    for _ in range(8):
        run_prepared(ONE, [1])
    with socket(fileno=dup(connection.connection.fileno())) as line:
        line.shutdown(SHUT_RDWR)
    for _ in range(2):  # whoever goes on is told so again
        with pytest.raises(OperationalError):
            run_prepared(ONE, [1])
    connection.close_if_unusable_or_obsolete()
    assert run_prepared(ONE, [1]).fetchall() == []


@pytest.mark.django_db(transaction=True)
def test_other_threads_go_on_while_it_waits(threshold):
    failed = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")
        waiting = Thread(target=wait, args=[threshold, failed])
        waiting.start()
        while waiting.is_alive():
            cursor.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone() is not None:
                cursor.execute("SELECT pg_advisory_unlock(1)")
                waiting.join()
    assert not failed


def wait(threshold, failed):
    connection.ensure_connection()
    connection.connection.prepare_threshold = threshold
    try:
        run_prepared("SET lock_timeout = '10s'", [])
        for key in [*range(2, 9), 1]:
            run_prepared("SELECT pg_advisory_lock(%s)", [key])
    except OperationalError as error:
        failed.append(error)
    finally:
        connection.close()


def test_queries_can_be_captured(threshold):
    for _ in range(8):
        with CaptureQueriesContext(connection) as asked:
            run_prepared(ONE, [1])
        assert ["people_thing" in query["sql"] for query in asked] == [True]


def test_the_cursor_outlives_what_went_wrong_and_not_its_connection(transactional_db):
    things = [Thing.objects.create(name=name) for name in "ab"]
    query = Compiled[None](lambda how, values: Thing.objects.filter(**values).values_list("name"), prepared=True)
    for _ in range(2):
        for thing in things:
            assert query.rows(None, {"id": thing.pk}) == [(thing.name,)]
        with pytest.raises(DataError):
            query.rows(None, {"id": "no number"})
        kept = run_prepared("SELECT 1", [])
        assert run_prepared("SELECT 1", []) is kept is not run_prepared("SELECT 2", [])
        connection.close()
    assert run_prepared("SELECT 1", []) is not kept


FIRST, LAST = datetime(2, 1, 1), datetime(9998, 12, 31)  # noqa: DTZ001  (bounds have no zone)
TIMES = st.datetimes(FIRST, LAST, timezones=st.timezones())


@pytest.mark.parametrize("timezone", [None, "UTC", "America/New_York"])
def test_times_are_those_of_djangos_cursors(timezone, transactional_db):
    usual = connections["default"]
    own = connections["default"] = DatabaseWrapper({**usual.settings_dict, "TIME_ZONE": timezone}, "default")

    @given(times=st.lists(TIMES | st.none(), min_size=1))
    def is_the_same(times):
        with own.cursor() as cursor:
            cursor.execute(UNNEST, [times])
            expected = cursor.fetchall()
        found = run_prepared(UNNEST, [times]).fetchall()
        assert (found, [time and time.tzinfo for (time,) in found]) == (
            expected,
            [time and time.tzinfo for (time,) in expected],
        )

    try:
        is_the_same()
    finally:
        own.close()
        connections["default"] = usual
