"""Compiled inserts: the row that `create()` would have stored."""

from decimal import Decimal

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from tests.people.models import Badge, Thing, Work

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


ALL_KINDS = a_key("late", headers={"A": ["b", None, "'%s"]}, body=b"\x00\xff%s")
NOTHING = a_key("late", status=None, leased_until=a_key().created_at, body=b"")


@pytest.mark.parametrize("other", [ALL_KINDS, NOTHING, Thing(name="T'a%", price=Decimal("12.50"))])
def test_what_comes_with_a_row_is_stored_or_left_out_with_it(other, django_assert_num_queries):
    insert(a_key())
    with django_assert_num_queries(1):
        assert not insert_if_free(a_key(), other, Work(id=uuid7(), kind="a"))
    assert (IdempotencyKey.objects.count(), Thing.objects.count(), Work.objects.count()) == (1, 0, 0)

    with django_assert_num_queries(1):
        assert insert_if_free(a_key("free"), other, Work(id=uuid7(), kind="a"))

    stored = (
        type(other).objects.exclude(**{"key__in": ["k", "free"]} if isinstance(other, IdempotencyKey) else {}).get()
    )
    assert values_of(stored) == values_of(other)
    assert not other._state.adding
    assert Work.objects.get().kind == "a"


def test_what_is_too_long_is_refused_and_not_cut_off():
    with pytest.raises(DataError), transaction.atomic():
        insert_if_free(a_key(), a_key("late", method="M" * 300))
    assert not IdempotencyKey.objects.exists()


def test_a_column_of_a_hosts_own_kind_gets_the_whole_value():
    assert insert_if_free(a_key(), Badge(id="ABCD"), Badge(id="EFGH"))
    assert {*Badge.objects.values_list("pk", flat=True)} == {"ABCD", "EFGH"}


def test_a_row_is_stored_although_a_trigger_leads_what_comes_with_it_elsewhere():
    with connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        cursor.execute(
            f"CREATE TRIGGER t BEFORE INSERT ON {Thing._meta.db_table} FOR EACH ROW EXECUTE FUNCTION elsewhere()"
        )
    assert insert_if_free(a_key(), Thing(name="c"))
    assert IdempotencyKey.objects.exists()


def test_rows_are_stored_although_a_select_for_what_it_does_finds_nothing():
    thing = Thing(name="c")
    insert(thing, and_select="SELECT 1 WHERE %s", values=[False])
    assert not thing._state.adding
    assert Thing.objects.exists()


def test_a_select_for_what_it_does_is_the_same_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        insert(Thing(name="c"), and_select="SELECT set_config('kit.told', %s, true)", values=["yes"])

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('kit.told')")
        assert cursor.fetchone() == ("yes",)
    assert Thing.objects.get().name == "c"


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
