"""Compiled inserts: the row that `create()` would have stored."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from tests.people.models import Thing, Work

from marketplace_kit.ids import uuid7
from marketplace_kit.inserting import insert, insert_if_free
from marketplace_kit.models import IdempotencyKey

pytestmark = pytest.mark.django_db


def a_key(key="k", **values):
    return IdempotencyKey(
        **{"user": "ü", "method": "POST", "path": "/", "key": key, "body_hash": "x", "status": 201} | values
    )


def values_of(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}


@pytest.mark.parametrize(
    "row",
    [
        a_key(headers={"A": ["b", None, "'%s"]}, body=b"\x00\xff%s"),
        a_key(status=None, leased_until=a_key().created_at, body=b""),
        Thing(name="T'a%", price=Decimal("12.50")),
    ],
    ids=["all kinds of values", "nothing", "a decimal"],
)
def test_the_row_is_the_one_that_was_given(row):
    insert(row)

    stored = type(row).objects.get()
    assert values_of(stored) == values_of(row)
    assert not row._state.adding


def test_rows_of_several_models_are_one_statement(django_assert_num_queries):
    work = Work(id=uuid7(), kind="a")
    with django_assert_num_queries(1):
        insert(work, Work(id=uuid7(), kind="b", is_done=True), Thing(name="c"))

    assert [*Work.objects.order_by("kind").values_list("kind", "is_done")] == [("a", False), ("b", True)]
    assert Thing.objects.get().name == "c"
    assert Work.objects.get(pk=work.pk) == work


def test_a_row_that_another_is_in_the_way_of_is_left_out():
    assert insert_if_free(a_key(body_hash="first"))
    late = a_key(body_hash="second")
    assert not insert_if_free(late)
    assert insert_if_free(a_key("other"))

    assert late._state.adding
    assert {*IdempotencyKey.objects.values_list("key", "body_hash")} == {("k", "first"), ("other", "x")}


def test_what_must_not_be_is_an_error():
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_if_free(a_key(status=None))


def test_it_is_planned_once():
    before, connection.connection.prepare_threshold = connection.connection.prepare_threshold, 0
    try:
        for name in "abc":
            insert(Thing(name=name))
    finally:
        connection.connection.prepare_threshold = before

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT %%people_thing%%'")
        assert cursor.fetchone() == (1,)
    assert Thing.objects.count() == 3
