"""Keyset pages: each row once, whatever is added in between."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest
from django.db.models import F, FloatField
from django.db.models.functions import Cast
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.people.models import Thing

from marketplace_kit.models import IdempotencyKey
from marketplace_kit.pagination import (
    InvalidCursor,
    Keyset,
    PageParams,
    Pages,
    decode_cursor,
    encode_cursor,
    paginate,
)
from marketplace_kit.schemas import Wrong
from marketplace_kit.testing import JsonClient

pytestmark = pytest.mark.django_db


def walk(sort, limit, between=lambda: None):
    client, cursor, seen = JsonClient(), "", []
    while cursor is not None:
        body = client.get(
            f"/api/things?sort={sort}&limit={limit}&cursor={cursor}"
            if cursor
            else f"/api/things?sort={sort}&limit={limit}"
        ).json()
        assert len(body["items"]) <= limit
        seen += [item["id"] for item in body["items"]]
        cursor = body["nextCursor"]
        between()
        assert len(seen) < 500
    return seen


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prices=st.lists(st.integers(0, 3), max_size=12),
    limit=st.integers(1, 5),
    sort=st.sampled_from(["newest", "name", "price"]),
)
def test_pages_are_the_list(db, prices, limit, sort):
    Thing.objects.all().delete()
    for price in prices:
        Thing.objects.create(name="ab"[price % 2], price=Decimal(price))

    order = {"newest": ["-id"], "name": ["name", "id"], "price": ["-price", "-id"]}[sort]
    assert walk(sort, limit) == [*Thing.objects.order_by(*order).values_list("pk", flat=True)]


def test_no_row_comes_twice_or_is_left_out_while_others_are_added():
    first = {Thing.objects.create(name="x", price=n % 3).pk for n in range(10)}

    seen = walk("price", 3, lambda: Thing.objects.create(name="y", price=5) and Thing.objects.create(name="z", price=1))

    assert len(seen) == len(set(seen))
    assert first <= set(seen)


@pytest.mark.parametrize(
    "cursor", ["x", "AAAA", "bnVsbA", "WyItaWQiXQ", "WyItaWQiLCJ4Il0", "W10", "%00", "🙂", "x" * 1001]
)
def test_a_cursor_that_is_none(cursor):
    answer = JsonClient().get(f"/api/things?cursor={cursor}")

    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["pointer"] == "query/cursor"


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "9" * 40, ""])
def test_a_limit_that_is_none(limit):
    assert JsonClient().get(f"/api/things?limit={limit}").json()["errors"][0]["pointer"] == "query/limit"


def test_parameters_are_camel_case_and_unknown_ones_ignored():
    assert JsonClient().get("/api/things?minCount=11").json()["errors"][0]["pointer"] == "query/minCount"
    assert JsonClient().get("/api/things?min_count=11&whatever=1").status_code == 200


def test_prices_keep_the_decimals_they_were_stored_with():
    Thing.objects.create(name="x", price=Decimal("50.00"))

    assert b'"unitPrice":50.00' in JsonClient().get("/api/things").content


class Ranks(PageParams):
    """Two parameters of which each wants the other."""

    low: int | None = None
    high: int | None = None

    @classmethod
    def rules(cls, data):
        if ("low" in data) != ("high" in data):
            yield Wrong(("high" if "low" in data else "low",), "missing", "Both or neither.")


def test_rules_over_parameters_are_told_beside_the_others():
    with pytest.raises(ValidationError) as caught:
        Ranks.model_validate({"low": "1", "limit": "0"})

    assert {error["loc"] for error in caught.value.errors()} == {("high",), ("limit",)}
    assert Ranks.model_validate({"low": "1", "high": "2"}).high == 2


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.floats(0, 1, allow_subnormal=False) | st.sampled_from([0.1, 0.1 + 2**-54, 1 / 3]), min_size=1, max_size=6
    )
)
def test_a_list_may_be_ordered_by_an_annotated_float(db, values):
    Thing.objects.all().delete()
    for value in values:
        Thing.objects.create(name=repr(value)[:20], price=Decimal(value))
    ranked = Thing.objects.annotate(rank=Cast(F("price"), FloatField()) / 7)
    cursor, seen = None, []
    while cursor is not None or not seen:
        page = paginate(ranked, PageParams(limit=1, cursor=cursor), "-rank", "-id")
        seen += page.items
        cursor = page.next_cursor

    assert [thing.pk for thing in seen] == [*ranked.order_by("-rank", "-id").values_list("pk", flat=True)]


def test_a_cursor_holds_texts_of_one_list():
    order = Keyset("-price", "-id")
    cursor = encode_cursor(order.name, "1.50", "7")

    assert decode_cursor(cursor, order.name) == ["1.50", "7"]
    assert order.values(Thing.objects.all(), ["1.50", "7"]) == (Decimal("1.50"), 7)
    for place in ([], ["1.50"], ["x", "7"], ["1.50", "x"], ["1.50", "7", "8"]):
        with pytest.raises(InvalidCursor):
            order.values(Thing.objects.all(), place)
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, Keyset("price", "id").name)


@pytest.mark.parametrize("moment", ["2026-05-04T12:00:00", "2026-05-04", "10000-01-01T00:00:00Z"])
def test_a_cursor_holds_moments_with_their_offset(moment):
    order, keys = Keyset("-created_at", "-id"), IdempotencyKey.objects.all()

    assert order.values(keys, ["2026-05-04T12:00:00Z", "7"]) == (datetime(2026, 5, 4, 12, tzinfo=UTC), 7)
    with pytest.raises(InvalidCursor):
        order.values(keys, [moment, "7"])


# --- the same, compiled ---

ORDERS = [Keyset("-id"), Keyset("name", "id"), Keyset("-price", "-name", "-id")]


def of_a_name(is_dear, values):
    rows = Thing.objects.filter(**values)
    return rows.filter(price__gt=1) if is_dear else rows


@pytest.fixture
def things():
    return [Thing.objects.create(name="ab"[n % 2], price=Decimal(n % 3)) for n in range(20)]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
@pytest.mark.parametrize("columns", [(), ("price", "name", "id")], ids=["its place", "more"])
@pytest.mark.parametrize("prepared", [False, True])
def test_compiled_pages_are_those_of_paginate(things, order, columns, prepared):
    pages = Pages(Thing, of_a_name, columns, prepared=prepared)

    for is_dear, name in product((False, True), (None, "a", "b")):
        rows = of_a_name(is_dear, {"name": name} if name else {})
        params = PageParams(limit=3)
        while params is not None:
            page, plain = pages.page(is_dear, {"name": name}, params, order), paginate(rows, params, *order.order)
            fields = columns or order.fields
            assert page.items == [tuple(getattr(thing, field) for field in fields) for thing in plain.items]
            assert page.next_cursor == plain.next_cursor
            params = PageParams(limit=3, cursor=page.next_cursor) if page.next_cursor else None
    assert None not in pages.query.plans.values()


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
def test_lists_in_one_are_a_list(things, order):
    pages = Pages(Thing, lambda name, values: Thing.objects.filter(name=name, **values), ("price", "name", "id"))
    params, found = PageParams(limit=3), []
    while params is not None:
        page = pages.merged("ab", {}, params, order)
        found += [key for *_, key in page.items]
        params = PageParams(limit=3, cursor=page.next_cursor) if page.next_cursor else None

    assert found == [*Thing.objects.order_by(*order.order).values_list("pk", flat=True)]
    assert None not in pages.query.plans.values()


@pytest.mark.parametrize("cursor", ["x", encode_cursor("id", "1"), encode_cursor("-id", "x"), encode_cursor("-id")])
def test_compiled_pages_take_the_cursors_of_paginate_only(things, cursor):
    pages, rows, params = Pages(Thing, of_a_name), Thing.objects.all(), PageParams(cursor=cursor)

    for page_of in (lambda: pages.page(False, {}, params, ORDERS[0]), lambda: paginate(rows, params, "-id")):
        with pytest.raises(InvalidCursor):
            page_of()


@pytest.mark.parametrize("limit", ["1_0", "1.0", "1e1", " 10", "+10", "٣", "0x1", ""])
@pytest.mark.parametrize("name", ["limit", "minCount"])
def test_a_whole_number_is_written_in_digits(anybody, name, limit):
    answer = anybody.get("/api/things", {name: limit})

    assert answer.status_code == 422
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"query/{name}", "int_parsing")]
