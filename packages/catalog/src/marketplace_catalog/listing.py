"""The list of services: filtered, searched, ordered, in pages.

Where a text is searched, PostgreSQL can either walk the index of the order and look whether each service matches, or
take what matches from the text's index and sort it. It guesses how many match from how often each word is there, as if
words knew nothing of each other, and a wrong guess reads a million rows. So it is not left to guess: first a short
walk, and where that does not suffice the text's index. What is within `SELECT * FROM (… LIMIT n)` or `(… OFFSET 0)` is
planned for itself.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet, prefetch_related_objects

from marketplace_kit.clock import now
from marketplace_kit.pagination import (
    InvalidCursor,
    Keyset,
    PageParams,
    Slice,
    decode_cursor,
    encode_cursor,
    paginate,
)
from marketplace_scheduling.models import Schedule

from .models import Service, ServiceQuerySet
from .search import Wanted, as_asked, forgiving

ORDERS = {
    "newest": Keyset("-created_at", "-id"),
    "price": Keyset("price", "id"),
    "-price": Keyset("-price", "-id"),
    "-rating": Keyset("-rating_average", "-rating_count", "-id"),
    "relevance": Keyset("-relevance", "-id"),
}
RANKED = 10_000  # of the newest matches are ordered by relevance
WALKED = 2_000  # services are looked at, in their order, before the text's index is asked
DENSE = 100  # matches among them: then walking on finds the newest ones sooner than the text's index
LOOKED_AT = 500  # services are asked for a free slot, for one page
# What a service is placed by and asked for a free slot with.
PLACED = ("created_at", "price", "rating_average", "rating_count", "provider", "schedule")

type Span = tuple[datetime, datetime]


class Spot(NamedTuple):
    """From where on a list is read, and how: what its cursors hold."""

    forgives: bool  # typing errors, as its first page found nothing without
    begun_at: datetime
    place: Sequence[str]  # of the row before; empty at the start

    def at(self, order: Keyset, row: Service) -> str:
        """The cursor of what follows `row`."""
        how = "forgiving" if self.forgives else "exact"
        return encode_cursor(order.name, how, self.begun_at.isoformat(), *order.place(row))


def _spot(cursor: str | None, order: Keyset) -> Spot:
    if cursor is None:
        return Spot(False, now(), ())
    try:
        how, begun_at, *place = decode_cursor(cursor, order.name)
        spot = Spot(how == "forgiving", datetime.fromisoformat(begun_at), place)
    except ValueError as error:
        raise InvalidCursor from error
    if spot.begun_at.tzinfo is None or not place:
        raise InvalidCursor
    return spot


def page_of(
    rows: ServiceQuerySet, params: PageParams, *, sort: str | None, text: str | None, free: Span | None
) -> Slice[Service]:
    """The page of the listed services among `rows` that match `text` and can be booked within `free`.

    InvalidField at `query/cursor`.
    """
    order = _order(sort, text)
    if text is None and free is None:
        return paginate(rows.with_details(), params, *order.order)
    spot = _spot(params.cursor, order)
    look_at = params.limit if free is None else LOOKED_AT
    spot, found = _find(rows, order, text, spot, look_at + 1)
    seen = found[:look_at]
    shown = (seen if free is None else _with_free_slot(seen, *free))[: params.limit]
    if not seen:
        return Slice([], None)
    # A page that is full ends with what it shows; one that is not, with what was looked at in vain.
    last = shown[-1] if len(shown) == params.limit else seen[-1]
    return Slice(_with_details(shown), None if last is found[-1] else spot.at(order, last))


def _order(sort: str | None, text: str | None) -> Keyset:
    if sort is None or (sort == "relevance" and text is None):
        return ORDERS["newest" if text is None else "relevance"]
    return ORDERS[sort]


def _with_free_slot(found: Sequence[Service], start: datetime, end: datetime) -> list[Service]:
    prefetch_related_objects(found, "schedule")
    asked = [(service.schedule, service.provider_id) for service in found]
    free = Schedule.objects.with_free_slot(asked, start, end)
    return [service for service in found if service.schedule_id in free]


def _with_details(shown: Sequence[Service]) -> list[Service]:
    details = Service.objects.listed().with_details().in_bulk([service.pk for service in shown])
    return [details[service.pk] for service in shown if service.pk in details]


def _find(
    rows: QuerySet[Service], order: Keyset, text: str | None, spot: Spot, count: int
) -> tuple[Spot, list[Service]]:
    """The first `count` rows behind the spot; at the start it may turn out that typing errors are to be forgiven."""
    if text is None:
        following = _behind(rows, order, spot).select_related("schedule").only(*PLACED)
        return spot, [*following.order_by(*order.order)[:count]]
    if spot.forgives:
        wanted = forgiving(text, spot.begun_at)
        return spot, _matches(wanted, rows, order, spot, count) if wanted else []
    exact = as_asked(text)
    found = _matches(exact, rows, order, spot, count)
    if found or spot.place or _matches(exact, Service.objects.listed(), ORDERS["newest"], spot, 1):
        return spot, found
    return _find(rows, order, text, spot._replace(forgives=True), count)


def _matches(wanted: Wanted, rows: QuerySet[Service], order: Keyset, spot: Spot, count: int) -> list[Service]:
    """The first `count` rows behind the spot that match."""
    look = _by_relevance if order is ORDERS["relevance"] else _in_order
    try:
        return look(wanted, rows, order, spot, count)
    except EmptyResultSet:  # Django sees that no row can meet the filters: a category that is not there
        return []


def _in_order(wanted: Wanted, rows: QuerySet[Service], order: Keyset, spot: Spot, count: int) -> list[Service]:
    following = _behind(rows, order, spot)
    found = _walk(wanted, following, order).then(f"WHERE hit ORDER BY {_sql(order)} LIMIT %s", count).rows()
    if len(found) == count:
        return found
    return Sql.fenced(wanted.found_in(following)).then(f"ORDER BY {_sql(order)} LIMIT %s", count).rows()


def _by_relevance(wanted: Wanted, rows: QuerySet[Service], order: Keyset, spot: Spot, count: int) -> list[Service]:
    newest = ORDERS["newest"]
    if spot.place:  # what has come since would push others out of the newest ones
        rows = rows.filter(created_at__lte=spot.begun_at)
    ranked = wanted.ranked(wanted.found_in(rows))
    if len(_walk(wanted, rows, newest).then("WHERE hit LIMIT %s", DENSE).rows()) == DENSE:
        candidates = Sql.of(ranked.order_by(*newest.order)[:RANKED])
    else:
        candidates = Sql.fenced(ranked).then(f"ORDER BY {_sql(newest)} LIMIT %s", RANKED)
    if spot.place:
        values = order.values(ranked, spot.place)
        candidates = candidates.then("WHERE (relevance, id) < (%s::float8, %s)", *values)
    return candidates.then(f"ORDER BY {_sql(order)} LIMIT %s", count).rows()


def _walk(wanted: Wanted, rows: QuerySet[Service], order: Keyset) -> "Sql":
    """The next rows in this order, each with `hit`."""
    return Sql.of(wanted.told_in(rows).order_by(*order.order)[:WALKED])


def _behind(rows: QuerySet[Service], order: Keyset, spot: Spot) -> QuerySet[Service]:
    return order.behind(rows, spot.place) if spot.place else rows


def _sql(order: Keyset) -> str:
    return ", ".join(f"{name} {'DESC' if order.falling else 'ASC'}" for name in order.fields)


class Sql(NamedTuple):
    """A query on what another one finds, which QuerySets can't say."""

    text: str
    params: tuple[Any, ...]

    @classmethod
    def of(cls, rows: QuerySet[Service]) -> Self:
        """The keys of `rows`, what they are placed by, and their annotations."""
        return cls(*rows.only(*PLACED).query.sql_with_params())

    @classmethod
    def fenced(cls, rows: QuerySet[Service]) -> Self:
        """The same, found in the way that is best for all of them, whatever is done with them then."""
        text, params = cls.of(rows)
        return cls(f"{text} OFFSET 0", params)

    def then(self, more: str, *params: Any) -> Self:
        return type(self)(f"SELECT * FROM ({self.text}) AS found {more}", (*self.params, *params))  # noqa: S608

    def rows(self) -> list[Service]:
        return list(Service.objects.raw(self.text, self.params))
