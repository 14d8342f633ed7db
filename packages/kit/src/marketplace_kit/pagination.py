"""Keyset pages: a row comparison over an index, one row more than asked, and no count."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import F, Model, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from pydantic import Field

from .exceptions import InvalidField
from .schemas import Out, Params


class PageParams(Params):
    """The parameters of every list."""

    limit: int = Field(20, ge=1, le=100, description="How many items at the most.")
    cursor: str | None = Field(None, max_length=1000, description="`nextCursor` of the page before.")


class Page[T](Out):
    """A page of a list: its items, and the cursor of the next page, or null at the end."""

    items: list[T] = Field(description="At most `limit` of them.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null at the end.")


class Whole[T](Out):
    """A short list that comes whole."""

    items: list[T] = Field(description="All of them.")


@dataclass(frozen=True, slots=True)
class Slice[M: Model]:
    """The rows of one page."""

    items: list[M]
    next_cursor: str | None


def paginate[M: Model](rows: QuerySet[M], params: PageParams, *order: str) -> Slice[M]:
    """The page of `rows` that `params` asks for, by `order`: fields that all run the same way, the last one unique.

    InvalidField at `query/cursor` where the cursor is not one of this list's.
    """
    names = [name.removeprefix("-") for name in order]
    rows = rows.order_by(*order)
    if params.cursor is not None:
        rows = _behind(rows, names, order[0].startswith("-"), _decode(rows, params.cursor, order))
    found = list(rows[: params.limit + 1])
    more = len(found) > params.limit
    items = found[: params.limit]
    return Slice(items, _encode(items[-1], order, names) if more else None)


def _behind[M: Model](rows: QuerySet[M], names: list[str], falling: bool, values: tuple[Any, ...]) -> QuerySet[M]:
    """The rows that come after these values: by a row comparison, which an index serves as a bound."""
    if len(names) == 1:
        return rows.filter(**{f"{names[0]}__{'lt' if falling else 'gt'}": values[0]})
    compare = TupleLessThan if falling else TupleGreaterThan
    return rows.filter(compare(tuple(F(name) for name in names), values))


def _encode(row: Model, order: Sequence[str], names: list[str]) -> str:
    # The order is part of it, so that a cursor of one sort is not taken for that of another.
    values = [_text(getattr(row, name)) for name in names]
    return urlsafe_b64encode(orjson.dumps([",".join(order), *values])).decode().rstrip("=")


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _decode(rows: QuerySet[Any], cursor: str, order: Sequence[str]) -> tuple[Any, ...]:
    try:
        kind, *values = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if kind != ",".join(order) or len(values) != len(order):
            raise ValueError(kind)
        fields = [rows.model._meta.get_field(name.removeprefix("-")) for name in order]
        return tuple(f.to_python(v) for f, v in zip(fields, values, strict=True))
    except (ValueError, TypeError, binascii.Error, ValidationError) as error:
        raise InvalidField("query/cursor", "invalid_cursor", "This is not a cursor of this list.") from error
