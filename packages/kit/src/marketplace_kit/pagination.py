"""Keyset pages: a row comparison over an index, one row more than asked, and no count."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import Any, NamedTuple

import orjson
from django.core.exceptions import ValidationError
from django.db.models import F, Model, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThanOrEqual, TupleLessThanOrEqual
from pydantic import Field

from .compiled import Compiled, Row, Values
from .exceptions import InvalidField
from .schemas import Out, Params


class PageParams(Params):
    """The parameters of every list."""

    limit: int = Field(20, ge=1, le=100, description="Maximum number of items.")
    cursor: str | None = Field(None, max_length=1000, description="`nextCursor` of the previous page.")


class Page[T](Out):
    """A page of a list: its items, and the cursor of the next page, or null at the end."""

    items: list[T] = Field(description="At most `limit` items.")
    next_cursor: str | None = Field(description="`cursor` for the next page; null at the end.")


class Whole[T](Out):
    """A short list that comes whole."""

    items: list[T] = Field(description="All items.")


@dataclass(frozen=True, slots=True)
class Slice[T]:
    """The rows of one page, or their keys."""

    items: list[T]
    next_cursor: str | None


def paginate[M: Model](rows: QuerySet[M], params: PageParams, *order: str) -> Slice[M]:
    """The page of `rows` that `params` asks for, by `order`: fields that all run the same way, the last one unique.

    InvalidField at `query/cursor` where the cursor is not one of this list's.
    """
    keyset = Keyset(*order)
    if params.cursor is not None:
        rows = keyset.behind(rows, decode_cursor(params.cursor, keyset.name))
    found = list(rows.order_by(*order)[: params.limit + 1])
    items = found[: params.limit]
    more = len(found) > params.limit
    return Slice(items, encode_cursor(keyset.name, *keyset.place(items[-1])) if more else None)


class Keyset:
    """An order whose fields or annotations all run the same way and are never null, the last one unique."""

    def __init__(self, *order: str) -> None:
        self.order = order
        self.name = ",".join(order)
        self.fields = [field.removeprefix("-") for field in order]
        self.falling = order[0].startswith("-")

    def place(self, row: Model) -> list[str]:
        """Where a row stands in this order, as texts that turn into exactly the same values again."""
        return self.texts([getattr(row, name) for name in self.fields])

    def texts(self, values: Sequence[Any]) -> list[str]:
        """The same for the values of the fields."""
        return [_text(value) for value in values]

    def behind[M: Model](self, rows: QuerySet[M], place: Sequence[str]) -> QuerySet[M]:
        """The rows that come after `place`: by a row comparison, which an index serves as a bound. InvalidField."""
        return self.beyond(rows, self.values(rows, place))

    def beyond[M: Model](self, rows: QuerySet[M], values: Sequence[Any]) -> QuerySet[M]:
        """The same for `values` of the fields, or expressions that stand for them."""
        if len(values) == 1:
            return rows.filter(**{f"{self.fields[0]}__{'lt' if self.falling else 'gt'}": values[0]})
        # Not `<` with the row itself left out: PostgreSQL guesses how many rows are left by the first field alone, and
        # `<` leaves none where most rows have the lowest value, so that it walks over all of them.
        compare = TupleLessThanOrEqual if self.falling else TupleGreaterThanOrEqual
        fields = tuple(F(name) for name in self.fields)
        return rows.filter(compare(fields, tuple(values))).exclude(**{self.fields[-1]: values[-1]})

    def values(self, rows: QuerySet[Any], place: Sequence[str]) -> tuple[Any, ...]:
        """What `place` wrote, as the values of `rows`. InvalidCursor."""
        kinds = [_kind(rows, name) for name in self.fields]
        try:
            values = tuple(kind.to_python(text) for kind, text in zip(kinds, place, strict=True))
        except (ValueError, TypeError, ArithmeticError, ValidationError) as error:
            raise InvalidCursor from error
        if any(isinstance(value, datetime) and value.tzinfo is None for value in values):
            raise InvalidCursor
        return values


class _Asked[How](NamedTuple):
    """On what the SQL of a page hangs, beside the names of its values."""

    how: How
    order: Keyset
    limit: int


class Pages[How: Hashable]:
    """The pages of a list that is asked for all the time: what `paginate` finds, by compiled queries, as rows.

    `rows(how, values)` is the list, as in `Compiled`; the order is up to the page. `columns` is what a row holds, the
    order's fields among it; left out, it is these fields. To be `prepared` only where one index is best for all values.
    """

    def __init__(
        self,
        model: type[Model],
        rows: Callable[[How, Values], QuerySet[Any]],
        columns: Sequence[str] = (),
        *,
        prepared: bool = False,
    ) -> None:
        self._model = model
        self._rows = rows
        self._columns = columns
        self.query = Compiled(self._page, prepared=prepared)

    def page(self, how: How, values: Values, params: PageParams, order: Keyset) -> Slice[Row]:
        """The page that `params` asks for, in one of the orders that the list has. A value of None is left out.

        InvalidField at `query/cursor` where the cursor is not one of this list's.
        """
        return self.merged([how], values, params, order)

    def merged(self, hows: Sequence[How], values: Values, params: PageParams, order: Keyset) -> Slice[Row]:
        """The same of several lists in one, of which no two have a row in common.

        Each is asked by itself. For both in one statement, with an OR, PostgreSQL walks through everybody's rows in
        this order, or sorts all of those that are meant.
        """
        given = {name: value for name, value in values.items() if value is not None}
        if params.cursor is not None:
            place = decode_cursor(params.cursor, order.name)
            given |= zip(_behind(order), order.values(self._model._default_manager.all(), place), strict=True)
        asked = [self.query.rows(_Asked(how, order, params.limit + 1), given) for how in hows]
        found = asked[0] if len(asked) == 1 else [*merge(*asked, key=self._place(order), reverse=order.falling)]
        items = found[: params.limit]
        return Slice(items, self._cursor(order, items[-1]) if len(found) > len(items) else None)

    def _page(self, asked: _Asked[How], values: Values) -> QuerySet[Any, Row]:
        how, order, limit = asked
        behind = [values[name] for name in _behind(order) if name in values]
        rows = self._rows(how, {name: value for name, value in values.items() if name not in _behind(order)})
        rows = order.beyond(rows, behind) if behind else rows
        return rows.order_by(*order.order).values_list(*self._columns or order.fields)[:limit]

    def _cursor(self, order: Keyset, row: Row) -> str:
        return encode_cursor(order.name, *order.texts(self._place(order)(row)))

    def _place(self, order: Keyset) -> Callable[[Row], list[Any]]:
        """What a row is ordered by."""
        columns = [*(self._columns or order.fields)]
        places = [columns.index(name) for name in order.fields]
        return lambda row: [row[place] for place in places]


def _behind(order: Keyset) -> list[str]:
    """The names of the values behind which a page lies."""
    return [f"behind_{name}" for name in order.fields]


def _kind(rows: QuerySet[Any], name: str) -> Any:
    annotation = rows.query.annotations.get(name)
    if annotation is not None:
        return annotation.output_field
    field = rows.model._meta.get_field(name)
    return field.output_field if field.generated else field  # which alone knows the values


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


class InvalidCursor(InvalidField):
    """This cursor doesn't belong to this list."""

    def __init__(self) -> None:
        super().__init__("query/cursor", "invalid_cursor", "This cursor doesn't belong to this list.")


def encode_cursor(name: str, *place: str) -> str:
    """A cursor of the list `name`: of another list or order it is refused."""
    return urlsafe_b64encode(orjson.dumps([name, *place])).decode().rstrip("=")


def decode_cursor(cursor: str, name: str) -> list[str]:
    """What `encode_cursor` was given besides the name. InvalidCursor."""
    place: list[str]
    try:
        kind, *place = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidCursor from error
    if kind != name or not all(isinstance(text, str) and "\0" not in text for text in place):
        raise InvalidCursor
    return place
