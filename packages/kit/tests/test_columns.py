"""Answers from the columns of rows: what the schema says of the same rows."""

from decimal import Decimal
from typing import Any

import pytest
from tests.people.models import Thing

from marketplace_kit.columns import Columns
from marketplace_kit.models import IdempotencyKey
from marketplace_kit.pagination import Page, Slice
from marketplace_kit.schemas import AmountOut, Out

pytestmark = pytest.mark.django_db


class Priced(Out):
    id: int
    price: AmountOut


class Kept(Out):
    body_hash: str
    headers: dict[str, Any]


class Whose(Out):
    first_name: str


class Offered(Out):
    title: str
    provided_by: Whose
    is_open: bool


@pytest.mark.parametrize(
    ("schema", "make"),
    [
        (Priced, lambda: Thing.objects.create(name="x", price="1.50")),
        (
            Kept,
            lambda: IdempotencyKey.objects.create(
                user="1", method="POST", path="/", key="k", body_hash="h", status=200, headers={"A": "b"}
            ),
        ),
    ],
    ids=["a number", "an object"],
)
def test_a_row_becomes_what_the_schema_says_of_it(schema, make):
    columns, made = Columns(schema), make()
    rows = type(made).objects.filter(pk=made.pk)

    [row] = rows.values_list(*columns.names)

    assert columns.filled(row) == schema.model_validate(rows.get()).model_dump(by_alias=True)


def test_a_schema_in_a_schema_is_what_lies_behind_the_relation():
    columns = Columns(Offered)

    assert columns.names == ["title", "provided_by__first_name", "is_open"]
    said = {"title": "A", "providedBy": {"firstName": "Ann"}, "isOpen": True}
    assert [*columns.filled(("A", "Ann", True)).items()] == [*said.items()]


def test_a_page_of_rows_is_the_page_of_the_schema():
    columns, page = Columns(Priced), Slice([(1, Decimal("1.50")), (2, Decimal(0))], "behind")

    things = [Thing(id=1, price=Decimal("1.50")), Thing(id=2, price=Decimal(0))]
    plain = Page[Priced].model_validate(Slice(things, "behind")).model_dump(by_alias=True)
    assert columns.paged(page) == plain
