"""The list of services: filters, orders and pages, against the same in plain Python; and when they are free."""

import base64
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_bakery import baker
from tests.people.models import Person

from marketplace_catalog import listing
from marketplace_catalog.models import Category, Service, Word
from marketplace_catalog.testing import EVERY_DAY, make_service
from marketplace_kit import clock
from marketplace_kit.testing import JsonClient
from marketplace_scheduling import actions as scheduling
from marketplace_scheduling.models import ScheduleQuerySet

SORTS = ["newest", "price", "-price", "-rating", "relevance"]
WORDS = ("red", "blue", "tall")
START = datetime(2027, 1, 4, tzinfo=UTC)  # a Monday
OFFERED = datetime(2026, 1, 5, tzinfo=UTC)  # in the past: what comes after a search's first page is not on its others


def items(**params):
    """The whole list, page by page."""
    client, cursor, seen = JsonClient(), None, []
    while True:
        body = page(client, **params, **({"cursor": cursor} if cursor else {}))
        seen += body["items"]
        cursor = body["nextCursor"]
        if cursor is None:
            return seen
        assert len(seen) < 500


def page(client, **params):
    answer = client.get("/api/services", query_params=params)
    assert answer.status_code == 200, answer.content
    return answer.json()


def titles(**params):
    return [item["title"] for item in items(**params)]


# --- against an oracle ---

offers = st.fixed_dictionaries(
    {
        "title": st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join),
        "category": st.sampled_from(["cleaning", "home_services", "yoga"]),
        "price": st.integers(0, 3).map(Decimal),
        "currency": st.sampled_from(["USD", "EUR"]),
        "second": st.booleans(),
        "is_active": st.booleans() | st.just(True),
        "ratings": st.lists(st.integers(1, 5), max_size=3),
    }
)
filters = st.fixed_dictionaries(
    {"sort": st.sampled_from(SORTS), "limit": st.integers(1, 4)},
    optional={
        "q": st.lists(st.sampled_from((*WORDS, "-red", "-blue", '"red blue"')), min_size=1, max_size=3).map(" ".join),
        "category": st.sampled_from(["home_services", "cleaning", "fitness", "no_such"]),
        "minPrice": st.integers(0, 3),
        "maxPrice": st.integers(0, 3),
        "currency": st.sampled_from(["USD", "EUR", "GBP"]),
        "provider": st.booleans(),
        "minRating": st.sampled_from([1, 2.5, 3.67, 5]),
    },
)
ABOVE = {"cleaning": {"home_services"}, "yoga": {"fitness"}}


def average(offer):
    ratings = offer["ratings"]
    exact = Decimal(sum(ratings)) / len(ratings) if ratings else Decimal(0)
    return exact.quantize(Decimal("0.01"))  # with three reviews at the most there are no halves


def matches(offer, text):
    words = offer["title"].split()
    for part in text.replace('"red blue"', "red_blue").split():
        there = "red blue" in offer["title"] if part == "red_blue" else part.lstrip("-") in words
        if there is part.startswith("-"):
            return False
    return True


def passes(offer, asked):
    rules = {
        "q": lambda text: matches(offer, text),
        "category": lambda slug: slug in ABOVE.get(offer["category"], set()) | {offer["category"]},
        "minPrice": lambda low: offer["price"] >= low,
        "maxPrice": lambda high: offer["price"] <= high,
        "currency": lambda code: offer["currency"] == code,
        "provider": lambda second: offer["second"] is second,
        "minRating": lambda low: average(offer) >= Decimal(str(low)),
    }
    return offer["is_active"] and all(rule(asked[name]) for name, rule in rules.items() if name in asked)


def in_order(offers, sort):
    keys = {
        "newest": lambda n: n,
        "price": lambda n: (-offers[n]["price"], -n),
        "-price": lambda n: (offers[n]["price"], n),
        "-rating": lambda n: (average(offers[n]), len(offers[n]["ratings"]), n),
    }
    return sorted(range(len(offers)), key=keys[sort], reverse=True)


def store(offers, people):
    Service.objects.all().delete()
    if not offers:
        return
    categories = {category.slug: category for category in Category.objects.all()}
    made = baker.make_recipe(
        "marketplace_catalog.service",
        _quantity=len(offers),
        _bulk_create=True,
        **{name: iter([offer[name] for offer in offers]) for name in ("title", "price", "currency", "is_active")},
        description="nothing",
        category=iter([categories[offer["category"]] for offer in offers]),
        category_words="",
        provider=iter([people[offer["second"]] for offer in offers]),
        created_at=iter([OFFERED + timedelta(seconds=second) for second in range(len(offers))]),
        rating_sum=iter([sum(offer["ratings"]) for offer in offers]),
        rating_count=iter([len(offer["ratings"]) for offer in offers]),
    )
    for offer, service in zip(offers, made, strict=True):
        offer["id"] = str(service.pk)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offered=st.lists(offers, max_size=8), asked=filters)
def test_the_list_is_what_an_oracle_says(db, monkeypatch, offered, asked):
    people = [Person.objects.get_or_create(login=login, sells=True)[0] for login in ("first", "second")]
    store(offered, people)
    Word.objects.all().delete()  # nothing is forgiven: see test_search.py for what is
    monkeypatch.setattr(listing, "WALKED", 3)
    params = {name: value for name, value in asked.items() if name != "provider"}
    if "provider" in asked:
        params["providerId"] = people[asked["provider"]].pk

    found = [item["id"] for item in items(**params)]

    wanted = {offer["id"] for offer in offered if passes(offer, asked)}
    assert len(found) == len(set(found))
    assert set(found) == wanted
    if asked["sort"] != "relevance" or "q" not in asked:
        sort = "newest" if asked["sort"] == "relevance" else asked["sort"]
        assert found == [offered[n]["id"] for n in in_order(offered, sort) if offered[n]["id"] in wanted]
    else:
        assert found == [item["id"] for item in items(**params | {"limit": 100})]


# --- pages ---


@pytest.mark.parametrize("text", [None, "cleaning", "cleening"])
@pytest.mark.parametrize("sort", SORTS)
def test_pages_hold_each_service_once_while_others_come(provider, sort, text):
    params = {"sort": sort, "limit": 2} | ({"q": text} if text else {})

    def come(n):
        made = make_service(
            provider,
            title="Cleaning " * (1 + n % 3) + "x" * (n % 2),
            description="Cleaning of cars and carpets. " * (n % 3),
            price=Decimal(n % 4),
        )
        Service.objects.filter(pk=made.pk).update(rating_sum=n % 3 * 4, rating_count=n % 3)
        return str(made.pk)

    there = {come(n) for n in range(9)}
    client, cursor, seen = JsonClient(), None, []
    while cursor is not None or not seen:
        body = page(client, **params, **({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in body["items"]]
        cursor = body["nextCursor"]
        come(len(seen))
        Word.objects.learn("cleeding cleering " + "cleeming" * (len(seen) % 4))
        assert len(seen) < 60

    assert len(seen) == len(set(seen))
    assert there <= set(seen)


def test_the_window_of_what_is_ranked_does_not_move(provider, monkeypatch):
    monkeypatch.setattr(listing, "RANKED", 4)
    there = [str(make_service(provider, title="Roses").pk) for _ in range(5)]
    client = JsonClient()

    first = page(client, q="roses", limit=2)
    for _ in range(3):
        make_service(provider, title="Roses")
    second = page(client, q="roses", limit=100, cursor=first["nextCursor"])

    assert [item["id"] for item in first["items"] + second["items"]] == there[:0:-1]


@pytest.mark.parametrize("sort", SORTS)
def test_a_cursor_belongs_to_its_list(provider, sort):
    for _ in range(3):
        make_service(provider)
    lists = [{"sort": sort}, {"sort": sort, "q": "cleaning"}]
    cursors = [page(JsonClient(), limit=1, **asked)["nextCursor"] for asked in lists]

    for asked, cursor in zip(reversed(lists), cursors, strict=True):
        answer = JsonClient().get("/api/services", query_params={**asked, "cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/cursor"), answer.content


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sort=st.sampled_from(SORTS),
    text=st.sampled_from([None, "cleaning"]),
    parts=st.lists(
        st.sampled_from(["exact", "forgiving", "", "NaN", "Infinity", "-1", "1e999", "9" * 40, "2027-01-01", "x", "\0"])
        | st.just("2027-01-01T00:00:00+00:00")
        | st.just("0192f000-0000-7000-8000-000000000000")
        | st.integers(-(2**63), 2**63)
        | st.none(),
        max_size=6,
    ),
)
def test_a_forged_cursor_is_no_error_of_ours(db, sort, text, parts):
    order = listing.ORDERS["newest" if sort == "relevance" and not text else sort]
    made = base64.urlsafe_b64encode(orjson.dumps([order.name, *parts]))
    params = {"sort": sort, "cursor": made.decode().rstrip("=")} | ({"q": text} if text else {})

    assert JsonClient().get("/api/services", query_params=params).status_code in (200, 422)


# --- ratings ---


def test_the_best_come_first_and_those_without_reviews_last(provider):
    for title, total, count in [("none", 0, 0), ("bad", 1, 1), ("good", 9, 2), ("proven", 90, 20), ("third", 14, 3)]:
        make_service(provider, title=title)
        Service.objects.filter(title=title).update(rating_sum=total, rating_count=count)

    assert titles(sort="-rating") == ["third", "proven", "good", "bad", "none"]
    assert titles(sort="-rating", limit=1) == ["third", "proven", "good", "bad", "none"]
    assert titles(sort="-rating", minRating="4.5") == ["third", "proven", "good"]
    assert titles(minRating=1) == ["third", "proven", "good", "bad"]
    assert titles(minRating=0) == ["third", "proven", "good", "bad", "none"]
    assert titles(minRating=5) == []


@pytest.mark.parametrize(
    ("total", "count", "shown"), [(0, 0, None), (899, 200, "4.50"), (897, 200, "4.49"), (14, 3, "4.67"), (5, 1, "5.00")]
)
def test_an_average_is_found_by_what_is_shown_of_it(provider, total, count, shown):
    make_service(provider)
    Service.objects.update(rating_sum=total, rating_count=count)

    answer = JsonClient().get("/api/services", query_params={"minRating": shown or 0})

    assert answer.json()["items"][0]["rating"]["count"] == count
    assert f'"average":{shown or "null"},'.encode() in answer.content


# --- free slots ---


@pytest.fixture
def monday():
    with clock.frozen(START - timedelta(days=7)):
        yield START


def written(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def span(start, **length):
    return {"availableFrom": written(start), "availableTo": written(start + timedelta(**length))}


def test_only_what_has_a_free_slot_in_the_span(provider, monday):
    make_service(provider, title="mondays", availability={"monday": ["09:00", "17:00"]})
    make_service(provider, title="sundays", availability={"sunday": ["09:00", "17:00"]})
    closed = make_service(provider, title="closed", availability={"monday": ["09:00", "17:00"]})
    scheduling.set_exception(closed.schedule, monday.date(), [])
    make_service(provider, title="too far", booking_window=1)
    make_service(provider, title="always")

    assert titles(**span(monday, days=1)) == ["always", "mondays"]
    assert titles(**span(monday, days=1), sort="newest", q="mondays") == ["mondays"]
    assert titles(**span(monday, days=7)) == ["always", "sundays", "mondays"]
    assert titles(**span(monday + timedelta(hours=16), hours=2)) == ["always", "mondays"]
    assert titles(**span(monday + timedelta(hours=17), hours=2)) == ["always"]
    assert titles(**span(monday - timedelta(days=30), days=7)) == []


def test_what_is_booked_is_not_free(provider, monday):
    service = make_service(provider, availability={"monday": ["09:00", "10:00"]})
    make_service(provider, title="elsewhere", availability={"monday": ["09:00", "11:00"]})

    scheduling.reserve(service.schedule, provider.pk, monday + timedelta(hours=9))

    assert titles(**span(monday, days=1)) == ["elsewhere"]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("text", [None, "cleaning"])
def test_pages_of_the_free_are_the_free_among_all(provider, monday, monkeypatch, sort, text):
    monkeypatch.setattr(listing, "LOOKED_AT", 5)
    monkeypatch.setattr(listing, "ASKED", 2)
    for n in range(13):
        hours = {"monday": ["09:00", "17:00"]} if n in (1, 5, 6, 7, 12) else {"friday": ["09:00", "17:00"]}
        make_service(provider, price=Decimal(n % 5), availability=hours, title=f"Cleaning {n}")
    asked = {"sort": sort, **({"q": text} if text else {})}
    all_of_them = titles(**asked, limit=100)

    free = [title for title in all_of_them if int(title.split()[1]) in (1, 5, 6, 7, 12)]

    for limit in (1, 2, 3, 100):
        assert titles(**asked, **span(monday, days=1), limit=limit) == free


def test_a_page_looks_at_so_many_and_may_stay_empty(provider, monday, monkeypatch):
    monkeypatch.setattr(listing, "LOOKED_AT", 2)
    make_service(provider, title="free")
    for _ in range(5):
        make_service(provider, availability={"friday": ["09:00", "17:00"]})
    client, cursor, sizes = JsonClient(), None, []
    for _ in range(3):
        body = page(client, **span(monday, days=1), **({"cursor": cursor} if cursor else {}))
        cursor = body["nextCursor"]
        sizes.append(len(body["items"]))

    assert (sizes, cursor) == ([0, 0, 1], None)


def test_no_more_are_asked_than_it_takes(provider, monday, monkeypatch):
    monkeypatch.setattr(listing, "ASKED", 2)
    asked = []
    ask = ScheduleQuerySet.with_free_slot
    monkeypatch.setattr(ScheduleQuerySet, "with_free_slot", lambda *args: asked.append(len(args[1])) or ask(*args))
    for n in range(9):
        make_service(provider, title=f"{n}", availability={"monday" if n < 8 else "friday": ["09:00", "17:00"]})

    body = page(JsonClient(), **span(monday, days=1), limit=2)

    assert [item["title"] for item in body["items"]] == ["7", "6"]
    assert asked == [2, 2]


def test_five_hundred_are_looked_at():
    assert (listing.LOOKED_AT, listing.RANKED) == (500, 10_000)


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ({"availableFrom": "2027-01-04T00:00:00Z"}, ["query/availableTo"]),
        ({"availableTo": "2027-01-04T00:00:00Z"}, ["query/availableFrom"]),
        ({"availableFrom": "2027-01-04T00:00:00Z", "limit": "0"}, ["query/availableTo", "query/limit"]),
        ({"availableFrom": "2027-01-04T00:00:00", "availableTo": "2027-01-05T00:00:00Z"}, ["query/availableFrom"]),
        ({"availableFrom": "2027-01-04", "availableTo": "x"}, ["query/availableFrom", "query/availableTo"]),
        ({"availableFrom": "2027-01-04T00:00:00Z", "availableTo": "2027-01-04T00:00:00Z"}, ["query/availableTo"]),
        ({"availableFrom": "2027-01-04T00:00:00Z", "availableTo": "2027-02-04T00:00:01Z"}, ["query/availableTo"]),
        ({"minRating": "5.1"}, ["query/minRating"]),
        ({"minRating": "NaN"}, ["query/minRating"]),
        ({"minRating": "x", "sort": "best"}, ["query/minRating", "query/sort"]),
        ({"minPrice": "1e-400"}, ["query/minPrice"]),
    ],
)
def test_what_makes_no_sense_is_told_where_it_is(db, query, pointers):
    answer = JsonClient().get("/api/services", query_params=query)

    assert answer.status_code == 422, answer.content
    assert sorted(e["pointer"] for e in answer.json()["errors"]) == pointers


def test_a_span_may_be_31_days_long(provider, monday):
    make_service(provider, availability={day: ["09:00", "17:00"] for day in EVERY_DAY})

    assert len(items(**span(monday, days=31))) == 1


# --- queries ---


@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize(
    ("asked", "queries"),
    [
        ({"sort": "-rating", "minRating": "0", "currency": "USD"}, 2),
        ({"category": "home_services"}, 3),
        ({"q": "cleaning"}, 3),
        ({"q": "cleaning", "sort": "price"}, 3),
        ({"free": True}, 5),
        ({"free": True, "q": "cleaning"}, 6),
    ],
)
def test_the_number_of_queries_is_that_of_the_question(
    provider, monday, django_assert_num_queries, asked, queries, count
):
    for _ in range(count):
        make_service(provider)
    params = {name: value for name, value in asked.items() if name != "free"}
    params |= span(monday, days=1) if "free" in asked else {}

    with django_assert_num_queries(queries):
        assert len(page(JsonClient(), **params)["items"]) == count
