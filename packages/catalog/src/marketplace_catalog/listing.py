"""The list of services: filtered, searched, ordered, in pages.

Where a text is searched, PostgreSQL can either walk the index of the order and look whether each service matches, or
take what matches from the text's index and sort it. It guesses how many match from how often each word is there, as if
words knew nothing of each other, and a wrong guess reads a million rows. So it is not left to guess: first a short
walk, and where that does not suffice the text's index. What is within `SELECT * FROM (… LIMIT n)` or `(… OFFSET 0)` is
planned for itself.

By relevance the newest matches are ranked, and the text's index is in no order. But it knows the day of each service:
how often the newest services match tells how many days should do, and where they do not, all are looked up.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import batched
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.models import Count, Max, Min, Q, QuerySet, prefetch_related_objects

from marketplace_kit.clock import now
from marketplace_kit.compiled import Compiled
from marketplace_kit.pagination import (
    InvalidCursor,
    Keyset,
    Slice,
    decode_cursor,
    encode_cursor,
)
from marketplace_scheduling.models import Schedule

from .models import Category, Service
from .schemas import ServiceFilters
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
SEEN = 4_000  # of the newest tell how often the others match
DENSE = 0.2  # of them match: then walking on finds the newest ones sooner than the text's index
MARGIN = 1.5  # times as far back as it should take
LOOKED_AT = 500  # services are asked for a free slot, for one page
ASKED = 100  # of them at once: most pages are full before the end
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


def page_of(params: ServiceFilters) -> Slice[UUID]:
    """The keys of the listed services on the page that `params` ask for. InvalidField at `query/cursor`."""
    text, free = params.q or None, params.free
    order = _order(params.sort, text)
    if text is None and free is None:
        return _filtered(params, order)
    rows = Service.objects.listed().bounded(params.bounds)
    if params.category is not None:
        rows = rows.in_category(params.category)
    spot = _spot(params.cursor, order)
    look_at = params.limit if free is None else LOOKED_AT
    spot, found = _find(rows, order, text, spot, look_at + 1)
    seen = found[:look_at]
    shown = (seen if free is None else _with_free_slot(seen, *free, params.limit))[: params.limit]
    if not seen:
        return Slice([], None)
    # A page that is full ends with what it shows; one that is not, with what was looked at in vain.
    last = shown[-1] if len(shown) == params.limit else seen[-1]
    return Slice([service.pk for service in shown], None if last is found[-1] else spot.at(order, last))


class Filtered(NamedTuple):
    """On what the SQL of a list hangs, beside the names of what it is filtered by."""

    order: Keyset
    limit: int
    categories: tuple[int, ...] | None


def _rows(asked: Filtered, values: Mapping[str, Any]) -> QuerySet[Any, Any]:
    """The places of the services that are left by filters; behind a place where `values` have the order's fields."""
    order = asked.order
    rows = Service.objects.listed().bounded({name: values[name] for name in values if name not in order.fields})
    if asked.categories is not None:
        rows = rows.in_categories(asked.categories)
    is_later = order.fields[0] in values
    places = order.beyond(rows, [values[name] for name in order.fields]) if is_later else rows
    return places.order_by(*order.order).values_list(*order.fields)[: asked.limit]


ROWS = Compiled(_rows)


def _filtered(params: ServiceFilters, order: Keyset) -> Slice[UUID]:
    """A list without a text and without a span: nothing is asked for more often."""
    values = {lookup: value for lookup, value in params.bounds.items() if value is not None}
    if params.cursor is not None:
        place = order.values(Service.objects.all(), decode_cursor(params.cursor, order.name))
        values |= zip(order.fields, place, strict=True)
    branch = None if params.category is None else tuple(Category.objects.branch(params.category))
    found = ROWS.rows(Filtered(order, params.limit + 1, branch), values)
    shown = found[: params.limit]
    more = encode_cursor(order.name, *order.texts(shown[-1])) if len(found) > len(shown) else None
    return Slice([row[-1] for row in shown], more)


def _order(sort: str | None, text: str | None) -> Keyset:
    if sort is None or (sort == "relevance" and text is None):
        return ORDERS["newest" if text is None else "relevance"]
    return ORDERS[sort]


def _with_free_slot(found: Sequence[Service], start: datetime, end: datetime, limit: int) -> list[Service]:
    """Those with a free slot, until there are so many."""
    free: list[Service] = []
    for asked in batched(found, ASKED, strict=False):
        prefetch_related_objects(asked, "schedule")
        schedules = [(service.schedule, service.provider_id) for service in asked]
        keys = Schedule.objects.with_free_slot(schedules, start, end)
        free += [service for service in asked if service.schedule_id in keys]
        if len(free) >= limit:
            break
    return free


def _find(
    rows: QuerySet[Service], order: Keyset, text: str | None, spot: Spot, count: int
) -> tuple[Spot, list[Service]]:
    """The first `count` rows behind the spot; at the start it may turn out that typing errors are to be forgiven."""
    if text is None:
        following = _behind(rows, order, spot).only(*PLACED)
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
    """By what stands in an index."""
    following = _behind(rows, order, spot)
    found = _walk(wanted, following, order).then(f"WHERE hit ORDER BY {_sql(order)} LIMIT %s", count).rows()
    if len(found) == count:
        return found
    return Sql.fenced(wanted.found_in(following)).then(f"ORDER BY {_sql(order)} LIMIT %s", count).rows()


def _by_relevance(wanted: Wanted, rows: QuerySet[Service], order: Keyset, spot: Spot, count: int) -> list[Service]:
    """The best of the newest RANKED matches."""
    if spot.place:  # what has come since would push others out of the newest ones
        rows = rows.filter(created_at__lte=spot.begun_at)
    found: list[Service] = []
    for newest in _newest_matches(wanted, rows):
        candidates = newest.then(f"ORDER BY {_sql(ORDERS['newest'])} LIMIT %s", RANKED).counted()
        if spot.place:
            values = order.values(wanted.ranked(rows), spot.place)
            candidates = candidates.then("WHERE (relevance, id) < (%s::float8, %s)", *values)
        found = candidates.then(f"ORDER BY {_sql(order)} LIMIT %s", count).rows()
        if found and found[0].counted == RANKED:  # type: ignore[attr-defined]  # a column of the statement
            break
    return found


def _newest_matches(wanted: Wanted, rows: QuerySet[Service]) -> Iterator["Sql"]:
    """Ways to those that match, with their relevance: to the newest ones by guess, and then to all."""
    seen = _seen(wanted, rows)
    since = _since(seen)
    if since is not None:
        recent = rows.filter(created_at__gte=since)
        yield _walked(wanted, recent) if seen.is_dense else _looked_up(wanted, rows, since.date())
    yield _walked(wanted, rows) if seen.is_dense and since is None else _looked_up(wanted, rows, None)


def _walked(wanted: Wanted, rows: QuerySet[Service]) -> "Sql":
    """By the index of the order, looking at each row."""
    told = wanted.told_in_ranks(rows).order_by(*ORDERS["newest"].order)
    return Sql.fenced(told).then("WHERE relevance IS NOT NULL")


def _looked_up(wanted: Wanted, rows: QuerySet[Service], day: date | None) -> "Sql":
    """By the text's index."""
    found = wanted.found_in(rows) if day is None else wanted.found_since(rows, day)
    return Sql.fenced(wanted.ranked(found))


class Seen(NamedTuple):
    """The newest services, so many that tell how far back the newest matches reach."""

    total: int
    hits: int
    newest: datetime | None
    oldest: datetime | None

    @property
    def is_dense(self) -> bool:
        return self.hits > DENSE * self.total


def _seen(wanted: Wanted, rows: QuerySet[Service]) -> Seen:
    walked = wanted.told_in(rows).order_by(*ORDERS["newest"].order)[:SEEN]
    total, hits = Count("pk"), Count("pk", filter=Q(hit=True))
    return Seen(**walked.aggregate(total=total, hits=hits, newest=Max("created_at"), oldest=Min("created_at")))


def _since(seen: Seen) -> datetime | None:
    """From when on there should be RANKED matches, if older services match as often as the newest do.

    None where that is most of the time: then leaving the rest out is not worth looking at the days.
    """
    if seen.total < SEEN or not seen.hits or seen.newest is None or seen.oldest is None:
        return None
    reach = (seen.newest - seen.oldest) * (RANKED / seen.hits) * MARGIN
    first: datetime = Service.objects.listed().aggregate(first=Min("created_at"))["first"]
    return seen.newest - reach if 3 * reach < seen.newest - first else None


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

    def counted(self) -> Self:
        """With `counted` in each row: how many there are."""
        return type(self)(f"SELECT *, count(*) OVER () AS counted FROM ({self.text}) AS found", self.params)  # noqa: S608

    def then(self, more: str, *params: Any) -> Self:
        return type(self)(f"SELECT * FROM ({self.text}) AS found {more}", (*self.params, *params))  # noqa: S608

    def rows(self) -> list[Service]:
        return list(Service.objects.raw(self.text, self.params))
