"""Health checks: what is gone is noticed before anything is asked, and what is there is seldom asked whether it is."""

from collections.abc import Iterator
from select import select

import psycopg
import pytest
from django.db import OperationalError, connection
from tests.people.models import Thing

from marketplace_kit.compiled import Compiled
from marketplace_kit.postgresql import base

pytestmark = pytest.mark.django_db(transaction=True)

THINGS = Compiled[None](
    lambda how, values: Thing.objects.filter(name=values["name"]).values_list("name"), prepared=True
)


class Watcher:
    """Sees our connection from another one."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [self.pid] = cursor.fetchone()
        self.own = psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor})

    def last_statement(self) -> str:
        with self.own.transaction():
            row = self.own.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [self.pid]).fetchone()
        return str(row[0]) if row else ""

    def end_it(self) -> None:
        with self.own.transaction():
            assert self.own.execute("SELECT pg_terminate_backend(%s, 10000)", [self.pid]).fetchone() == (True,)


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    connection.close()
    watcher = Watcher()
    next_request()
    ask("SELECT 'checked'")  # and with that known to be good
    yield watcher
    watcher.own.close()
    connection.close()


def next_request() -> None:
    """As between two requests of one thread."""
    connection.close_if_unusable_or_obsolete()


def ask(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def check() -> None:
    """As before the first statement of a request."""
    next_request()
    connection.close_if_health_check_failed()


def test_what_has_just_answered_is_not_asked(watcher):
    check()

    assert watcher.last_statement() == "SELECT 'checked'"


def test_after_a_while_it_is_asked(watcher, monkeypatch):
    monkeypatch.setattr(base, "TRUSTED", 0.0)
    check()

    assert watcher.last_statement() == "SELECT 1"


def test_in_a_transaction_that_was_left_behind_it_is_asked(watcher):
    ask("BEGIN")
    check()

    assert watcher.last_statement() == "SELECT 1"


def test_after_an_error_it_is_asked(watcher):
    ask("SET statement_timeout = 1")
    with pytest.raises(OperationalError):
        ask("SELECT pg_sleep(10)")
    ask("SET statement_timeout = 0")
    check()

    assert watcher.last_statement() == "SELECT 1"


def test_after_a_word_of_the_server_it_is_asked(watcher):
    ask("LISTEN news")
    with watcher.own.transaction():
        watcher.own.execute("NOTIFY news")
    assert select([connection.connection], [], [], 10)[0]
    check()

    assert watcher.last_statement() == "SELECT 1"


@pytest.mark.parametrize("find", [lambda: Thing.objects.count(), lambda: len(THINGS.rows(None, {"name": "x"}))])
def test_a_connection_that_the_server_ended_is_replaced(watcher, find):
    find()
    watcher.end_it()
    next_request()

    assert find() == 0


def test_control_without_the_check_the_next_statement_fails(watcher, monkeypatch):
    watcher.end_it()
    next_request()
    monkeypatch.setattr(connection, "health_check_enabled", False)

    with pytest.raises(OperationalError):
        Thing.objects.count()
