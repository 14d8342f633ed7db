"""Keyset pages: each row once, whatever is added in between."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.people.models import Thing

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
