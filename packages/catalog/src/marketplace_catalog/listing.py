"""The list of services: filtered, searched, ordered, in pages.

Where a text is searched, PostgreSQL can either walk the index of the order and look whether each service matches, or
take what matches from the text's index and sort it. It guesses how many match from how often each word is there, as if
words knew nothing of each other, and a wrong guess reads a million rows. So it is not left to guess: first a short
walk, and where that does not suffice the text's index. What is within `SELECT * FROM (… LIMIT n)` or `(… OFFSET 0)` is
planned for itself.

By relevance the newest matches are ranked, and the text's index is in no order. But it knows the day of each service:
how often the newest services match tells how many days should do, and where they do not, all are looked up.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import batched
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import FloatField, QuerySet, Value
from django.db.models.functions import TruncDate

from marketplace_kit.clock import now
from marketplace_kit.compiled import Compiled, Sql, Values
from marketplace_kit.pagination import (
    InvalidCursor,
    Keyset,
    Slice,
    decode_cursor,
    encode_cursor,
)
from marketplace_scheduling.models import Schedule

from .models import Category, Service
from .schemas import BOUNDS, ServiceFilters
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

type Place = tuple[Any, ...]  # of a service in an order: the values of the order's fields, the last its key


class Spot(NamedTuple):
    """From where on a list is read, and how: what its cursors hold."""

    forgives: bool  # typing errors, as its first page found nothing without
    begun_at: datetime
    place: Place  # of the row before; empty at the start

    def at(self, order: Keyset, place: Place) -> str:
        """The cursor of what follows `place`."""
        how = "forgiving" if self.forgives else "exact"
        return encode_cursor(order.name, how, self.begun_at.isoformat(), *order.texts(place))


def _spot(cursor: str | None, order: Keyset) -> Spot:
    if cursor is None:
        return Spot(False, now(), ())
    try:
        how, begun_at, *place = decode_cursor(cursor, order.name)
        spot = Spot(how == "forgiving", datetime.fromisoformat(begun_at), order.values(PLACED, place))
    except ValueError as error:
        raise InvalidCursor from error
    if spot.begun_at.tzinfo is None:
        raise InvalidCursor
    return spot


# Asked for nothing: it knows the types of what services are ordered by.
PLACED = Service.objects.annotate(relevance=Value(0.0, FloatField()))


def page_of(params: ServiceFilters) -> Slice[UUID]:
    """The keys of the listed services on the page that `params` ask for. InvalidField at `query/cursor`."""
    text, free = params.q or None, params.free
    branch = None if params.category is None else tuple(Category.objects.branch(params.category))
    asked = Asked(_order(params.sort, text), branch)
    if text is None and free is None:
        return _filtered(params, asked)
    spot = _spot(params.cursor, asked.order)
    look_at = params.limit if free is None else LOOKED_AT
    spot, found = _find(asked, params.bounds, text, spot, look_at + 1)
    seen = found[:look_at]
    shown = (seen if free is None else _with_free_slot(seen, *free, params.limit))[: params.limit]
    if not seen:
        return Slice([], None)
    # A page that is full ends with what it shows; one that is not, with what was looked at in vain.
    last = shown[-1] if len(shown) == params.limit else seen[-1]
    return Slice([place[-1] for place in shown], None if last is found[-1] else spot.at(asked.order, last))


def _order(sort: str | None, text: str | None) -> Keyset:
    if sort is None or (sort == "relevance" and text is None):
        return ORDERS["newest" if text is None else "relevance"]
    return ORDERS[sort]


def _with_free_slot(found: Sequence[Place], start: datetime, end: datetime, limit: int) -> list[Place]:
    """Those with a free slot, until there are so many."""
    free: list[Place] = []
    for asked in batched(found, ASKED, strict=False):
        services = Service.objects.scheduled([place[-1] for place in asked])
        keys = Schedule.objects.with_free_slot([(one.schedule, one.provider_id) for one in services], start, end)
        known = {service.pk for service in services if service.schedule_id in keys}
        free += [place for place in asked if place[-1] in known]
        if len(free) >= limit:
            break
    return free


# --- without a text ---


class Asked(NamedTuple):
    """On what the SQL of a list hangs, beside the names of its values."""

    order: Keyset
    categories: tuple[int, ...] | None
    limit: int = 0
    walks: bool = False  # by the index of the order, and not by the text's


# What a request filters by, and how far back a search looks: the text's index knows the day (in UTC) of each service.
LOOKUPS = (*BOUNDS, "created_at__gte", "created_at__lte", "offered_on__gte")


def _left(asked: Asked, values: Values) -> QuerySet[Service]:
    """The listed services that meet the lookups among `values`, behind a place where those have the order's fields."""
    rows = Service.objects.listed().alias(offered_on=TruncDate("created_at", tzinfo=UTC))
    rows = rows.filter(**{name: values[name] for name in LOOKUPS if name in values})
    if asked.categories is not None:
        rows = rows.in_categories(asked.categories)
    order = asked.order
    is_later = order.fields[0] in values
    return order.beyond(rows, [values[name] for name in order.fields]) if is_later else rows


def _rows(asked: Asked, values: Values) -> QuerySet[Any, Place]:
    order = asked.order
    return _left(asked, values).order_by(*order.order).values_list(*order.fields)[: asked.limit]


ROWS = Compiled(_rows)


def _filtered(params: ServiceFilters, asked: Asked) -> Slice[UUID]:
    """A list without a text and without a span: nothing is asked for more often."""
    order, values = asked.order, params.bounds
    if params.cursor is not None:
        values |= _behind(order, order.values(PLACED, decode_cursor(params.cursor, order.name)))
    found = ROWS.rows(asked._replace(limit=params.limit + 1), values)
    shown = found[: params.limit]
    more = encode_cursor(order.name, *order.texts(shown[-1])) if len(found) > len(shown) else None
    return Slice([place[-1] for place in shown], more)


def _behind(order: Keyset, place: Place) -> Values:
    return dict(zip(order.fields, place, strict=True)) if place else {}


# --- with a text ---


def _find(asked: Asked, bounds: Values, text: str | None, spot: Spot, count: int) -> tuple[Spot, list[Place]]:
    """The first `count` places behind the spot; at the start it may turn out that typing errors are to be forgiven."""
    values = {**bounds, **_behind(asked.order, spot.place)}
    if text is None:
        return spot, ROWS.rows(asked._replace(limit=count), values)
    if spot.forgives:
        wanted = forgiving(text, spot.begun_at)
        return spot, _matches(asked, values | wanted, spot, count) if wanted else []
    found = _matches(asked, values | as_asked(text), spot, count)
    is_filtered = bool(bounds) or asked.categories is not None
    if found or spot.place or (is_filtered and _is_there(text)):
        return spot, found
    return _find(asked, bounds, text, spot._replace(forgives=True), count)


def _matches(asked: Asked, values: Values, spot: Spot, count: int) -> list[Place]:
    """The first `count` places behind the spot that match."""
    if asked.order is ORDERS["relevance"]:
        return _by_relevance(asked, values, spot, count)
    return _in_order(asked, values, count)


def _is_there(text: str) -> bool:
    """Whether a listed service matches `text` as asked, whatever it is filtered by."""
    return bool(_in_order(Asked(ORDERS["newest"], None), as_asked(text), 1))


def _in_order(asked: Asked, values: Values, count: int) -> list[Place]:
    """By what stands in an index."""
    values = {**values, "walked": WALKED, "count": count}
    found = MATCHES.rows(asked._replace(walks=True), values)
    return found if len(found) == count else MATCHES.rows(asked, values)


def _in_their_order(asked: Asked, values: Values) -> Sql:
    """Of the next rows in this order those that match, or of all matches the next in this order."""
    order, rows, wanted = asked.order, _left(asked, values), Wanted.of(values)
    if asked.walks:
        told = wanted.told_in(rows).order_by(*order.order).values_list(*order.fields, "hit")
        found, condition = Sql.of(told).then("LIMIT %s", values["walked"]), "WHERE hit"
    else:
        found, condition = Sql.of(wanted.found_in(rows).values_list(*order.fields)).then("OFFSET 0"), ""
    ordered = f"{condition} ORDER BY {_sql(order)} LIMIT %s"
    return found.select(", ".join(order.fields), ordered, values["count"])


MATCHES = Compiled(_in_their_order)


def _sql(order: Keyset) -> str:
    return ", ".join(f"{name} {'DESC' if order.falling else 'ASC'}" for name in order.fields)


# --- by relevance ---


def _by_relevance(asked: Asked, values: Values, spot: Spot, count: int) -> list[Place]:
    """The best of the newest RANKED matches."""
    values = {**values, "ranked": RANKED, "count": count}
    if spot.place:  # what has come since would push others out of the newest ones
        values["created_at__lte"] = spot.begun_at
    found: list[Place] = []
    for way, since in _ways(asked._replace(order=ORDERS["newest"]), values):
        found = RANKS.rows(way, values | since)
        if found and found[0][-1] == RANKED:
            break
    return [row[:-1] for row in found]


def _ways(newest: Asked, values: Values) -> Iterator[tuple[Asked, dict[str, Any]]]:
    """Ways to those that match: to the newest ones by guess, and then to all."""
    seen = _seen(newest, values)
    since = seen.since
    if since is not None:
        by_index: dict[str, Any] = {"offered_on__gte": since.date()}
        yield (newest._replace(walks=True), {"created_at__gte": since}) if seen.is_dense else (newest, by_index)
    yield newest._replace(walks=seen.is_dense and since is None), {}


def _ranks(newest: Asked, values: Values) -> Sql:
    """The best of the newest matches, and how many of those there are."""
    rows, wanted = _left(newest, values), Wanted.of(values)
    if newest.walks:
        told = wanted.told_in_ranks(rows).order_by(*newest.order.order)
    else:
        told = wanted.ranked(wanted.found_in(rows))
    matches = Sql.of(told.values_list("created_at", "relevance", "id")).then("OFFSET 0")
    which = f"WHERE relevance IS NOT NULL ORDER BY {_sql(newest.order)} LIMIT %s"
    found = matches.select("*", which, values["ranked"]).select("relevance, id, count(*) OVER () AS counted")
    if "relevance" in values:
        behind = "WHERE (relevance, id) < (%s::float8, %s)"
        found = found.select("*", behind, values["relevance"], values["id"])
    return found.then(f"ORDER BY {_sql(ORDERS['relevance'])} LIMIT %s", values["count"])


RANKS = Compiled(_ranks)


class Seen(NamedTuple):
    """The newest services, so many that tell how far back the newest matches reach."""

    total: int
    hits: int
    newest: datetime | None
    oldest: datetime | None
    first: datetime | None  # of all that are listed

    @property
    def is_dense(self) -> bool:
        return self.hits > DENSE * self.total

    @property
    def since(self) -> datetime | None:
        """From when on there should be RANKED matches, if older services match as often as the newest do.

        None where that is most of the time: then leaving the rest out is not worth looking at the days.
        """
        if self.total < SEEN or not self.hits or not (self.newest and self.oldest and self.first):
            return None
        reach = (self.newest - self.oldest) * (RANKED / self.hits) * MARGIN
        return self.newest - reach if 3 * reach < self.newest - self.first else None


def _seen(newest: Asked, values: Values) -> Seen:
    for row in SEEN_ROWS.rows(newest, {**values, "seen": SEEN}):
        return Seen(*row)
    return Seen(0, 0, None, None, None)  # where no row can meet the filters


def _seen_rows(newest: Asked, values: Values) -> Sql:
    told = Wanted.of(values).told_in(_left(newest, values)).order_by(*newest.order.order)
    walked = Sql.of(told.values_list("created_at", "hit")).then("LIMIT %s", values["seen"])
    first = Sql.of(Service.objects.listed().order_by("created_at").values_list("created_at")[:1])
    told_of_them = "count(*), count(*) FILTER (WHERE hit), max(created_at), min(created_at)"
    return walked.select(f"{told_of_them}, ({first.text})")


SEEN_ROWS = Compiled(_seen_rows)
