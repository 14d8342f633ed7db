"""What is asked: kinds of questions, and of each kind so many that differ. The same at every size, but for the keys."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db import connection
from django.db.models import Count

from marketplace_catalog.listing import ORDERS
from marketplace_catalog.models import Category, Service, Word
from marketplace_kit.clock import now
from marketplace_kit.pagination import encode_cursor

EACH = 12  # questions of a kind
LIST = "/api/v1/services"
BANDS = {"rare": (0, 0.001), "medium": (0.01, 0.06), "common": (0.06, 0.2), "very common": (0.2, 1)}


class Kind(NamedTuple):
    name: str
    ask: Callable[["Catalog"], Iterator[str]]  # the paths of its questions


class Vocabulary:
    """The words of a database, by the share of its services that have them."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM marketplace_catalog_service")
            (total,) = cursor.fetchone()
            cursor.execute(
                "SELECT word, ndoc FROM ts_stat('SELECT search FROM marketplace_catalog_service')"
                " WHERE word ~ '^[[:alpha:]]{3,30}$' ORDER BY ndoc, word"
            )
            self.shares = [(word, count / total) for word, count in cursor.fetchall()]

    def band(self, name: str) -> list[str]:
        low, high = BANDS[name]
        return spread([word for word, share in self.shares if low < share <= high])


def spread[T](found: Sequence[T]) -> list[T]:
    """So many of them, from the first to the last."""
    return [found[n * len(found) // EACH] for n in range(min(EACH, len(found)))]


class Catalog:
    """What there is to ask for in the database that is connected to."""

    def __init__(self, words: Vocabulary) -> None:
        self.words = words
        self.chance = Random(7)

    def of(self, **params: Any) -> str:
        return f"{LIST}?{urlencode(params)}"

    @cached_property
    def leaves(self) -> list[str]:
        return spread([*Category.objects.exclude(parent=None).order_by("slug").values_list("slug", flat=True)])

    @cached_property
    def tops(self) -> list[str]:
        return spread([*Category.objects.filter(parent=None).order_by("slug").values_list("slug", flat=True)])

    @cached_property
    def currencies(self) -> list[str]:
        return spread([*Service.objects.listed().order_by("currency").values_list("currency", flat=True).distinct()])

    @cached_property
    def providers(self) -> list[Any]:
        """Those with the most services, down to those with one."""
        ranked = Service.objects.listed().values_list("provider").annotate(size=Count("pk"))
        return [provider for provider, _ in spread([*ranked.order_by("-size", "provider")[:2000]])]

    @cached_property
    def titles(self) -> list[str]:
        return [service.title for service in self.some(Service.objects.listed())]

    def some(self, rows: Any) -> list[Service]:
        """Services from the whole span of time."""
        count = rows.count()
        return [rows.order_by("created_at", "pk")[n * count // EACH] for n in range(EACH)]

    def cursor(self, sort: str, share: float, **lookups: Any) -> str:
        """Of the page behind this share of a list."""
        rows = Service.objects.listed().filter(**lookups).order_by(*ORDERS[sort].order)
        row = rows[int(rows.count() * share)]
        return encode_cursor(ORDERS[sort].name, *ORDERS[sort].place(row))

    def misspelt(self, word: str) -> str:
        """With two letters swapped, so that no service has it."""
        for place in range(1, len(word) - 1):
            wrong = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
            if not Word.objects.filter(word=wrong).exists():
                return wrong
        return f"{word}q"

    @cached_property
    def spans(self) -> list[dict[str, str]]:
        """From a morning to days or weeks, in the next weeks."""
        morning = datetime.combine(now().date(), time(8), UTC)
        return [
            _span("availableFrom", morning + timedelta(days=2 + n % 7), timedelta(hours=(4, 24, 72, 740)[n % 4]))
            for n in range(EACH)
        ]


def _span(name: str, start: datetime, length: timedelta) -> dict[str, str]:
    names = (name, {"availableFrom": "availableTo", "from": "to"}[name])
    return {key: f"{at:%Y-%m-%dT%H:%M:%SZ}" for key, at in zip(names, (start, start + length), strict=True)}


# --- lists ---


def newest(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(limit=limit) for limit in (5, 20, 50, 100))


def in_a_category(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(category=slug) for slug in catalog.leaves)


def in_a_branch(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(category=slug, sort=sort) for slug in catalog.tops for sort in ("newest", "price"))


def by_price(catalog: Catalog) -> Iterator[str]:
    for code in catalog.currencies:
        yield catalog.of(currency=code, sort="price", minPrice=20)
        yield catalog.of(currency=code, sort="-price", maxPrice=200)


def category_and_price(catalog: Catalog) -> Iterator[str]:
    for slug, code in zip(catalog.leaves, catalog.currencies * EACH, strict=False):
        yield catalog.of(category=slug, currency=code, minPrice=20, maxPrice=80, sort="price")


def best_rated(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(category=slug, sort="-rating", minRating=4) for slug in catalog.leaves)


def of_a_provider(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(providerId=key, sort=sort) for key in catalog.providers for sort in ("newest", "price"))


def deep_in_a_list(catalog: Catalog) -> Iterator[str]:
    for sort in ("newest", "price", "-price", "-rating"):
        yield from (catalog.of(sort=sort, cursor=catalog.cursor(sort, share)) for share in (0.1, 0.5, 0.9))


def met_by_nothing(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(category=slug, minPrice=900_000, currency="JPY") for slug in catalog.leaves)


# --- search ---


def _band(name: str) -> Callable[[Catalog], Iterator[str]]:
    return lambda catalog: (catalog.of(q=word) for word in catalog.words.band(name))


def title_words(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(q=" ".join(re.findall(r"\w{3,}", title)[:2])) for title in catalog.titles)


def never_together(catalog: Catalog) -> Iterator[str]:
    words = catalog.words.band("medium")
    yield from (catalog.of(q=f"{one} {other}") for one, other in zip(words, reversed(words), strict=True))


def phrase(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(q=f'"{" ".join(title.split()[:2])}"') for title in catalog.titles)


def exclusion(catalog: Catalog) -> Iterator[str]:
    pairs = zip(catalog.words.band("medium"), catalog.words.band("common"), strict=False)
    yield from (catalog.of(q=f"{wanted} -{other}") for wanted, other in pairs)


def word_with_filters(catalog: Catalog) -> Iterator[str]:
    words = catalog.words.band("medium")
    for word, slug, code in zip(words, catalog.tops * 2, catalog.currencies * EACH, strict=False):
        yield catalog.of(q=word, category=slug, currency=code, maxPrice=80)


def word_in_order(catalog: Catalog) -> Iterator[str]:
    for word in catalog.words.band("medium"):
        yield from (catalog.of(q=word, sort=sort) for sort in ("newest", "price", "-rating"))


def typo(catalog: Catalog) -> Iterator[str]:
    long = [word for word, share in catalog.words.shares if len(word) > 5 and share < 0.06]
    yield from (catalog.of(q=catalog.misspelt(word)) for word in spread(long))


def beginning(catalog: Catalog) -> Iterator[str]:
    long = [word for word, share in catalog.words.shares if len(word) > 7]
    yield from (catalog.of(q=word[:-3]) for word in spread(long))


# --- time ---


def free_slot(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(**span) for span in catalog.spans)


def free_slot_in_a_category(catalog: Catalog) -> Iterator[str]:
    yield from (catalog.of(category=slug, **span) for slug, span in zip(catalog.leaves, catalog.spans, strict=False))


def free_slot_with_a_word(catalog: Catalog) -> Iterator[str]:
    words = catalog.words.band("medium")
    yield from (catalog.of(q=word, **span) for word, span in zip(words, catalog.spans, strict=False))


def slots_of_a_month(catalog: Catalog) -> Iterator[str]:
    month = _span("from", datetime.combine(now().date(), time(), UTC), timedelta(days=31))
    yield from (f"{LIST}/{service.pk}/slots?{urlencode(month)}" for service in catalog.some(Service.objects.listed()))


def detail(catalog: Catalog) -> Iterator[str]:
    yield from (f"{LIST}/{service.pk}" for service in catalog.some(Service.objects.listed()))


KINDS = (
    Kind("the newest", newest),
    Kind("a category", in_a_category),
    Kind("a category with those below it, newest or cheapest", in_a_branch),
    Kind("a currency and a price, cheapest or dearest", by_price),
    Kind("a category, a currency and prices, cheapest", category_and_price),
    Kind("a category, best rated, from 4 stars", best_rated),
    Kind("a provider, newest or cheapest", of_a_provider),
    Kind("deep in each order, by cursor", deep_in_a_list),
    Kind("filters that nothing meets", met_by_nothing),
    Kind("a rare word (up to 0.1 % have it)", _band("rare")),
    Kind("a medium word (1 to 6 %)", _band("medium")),
    Kind("a common word (6 to 20 %)", _band("common")),
    Kind("a very common word (above 20 %)", _band("very common")),
    Kind("two words of one title", title_words),
    Kind("two medium words, often never together", never_together),
    Kind("a phrase", phrase),
    Kind("a medium word without a common one", exclusion),
    Kind("a medium word, category, currency, price", word_with_filters),
    Kind("a medium word, newest, cheapest or best rated", word_in_order),
    Kind("a typing error", typo),
    Kind("the beginning of a word", beginning),
    Kind("a free slot in a span", free_slot),
    Kind("a free slot in a span, in a category", free_slot_in_a_category),
    Kind("a free slot in a span, a medium word", free_slot_with_a_word),
    Kind("the slots of a month of one service", slots_of_a_month),
    Kind("one service", detail),
)
