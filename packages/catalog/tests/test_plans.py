"""How PostgreSQL finds a page: by an index, and without reading more than a page needs.

What the plans of a million services are is measured by hand (see the README); the same are taken for twenty thousand.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from tests.people.models import Person

from marketplace_catalog import listing
from marketplace_catalog.schemas import ServiceFilters
from marketplace_catalog.testing import make_crowd
from marketplace_kit import clock

pytestmark = pytest.mark.django_db

COUNT = 20_000
SORTS = ["newest", "price", "-price", "-rating"]
FILTERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "category": {"category": "yoga"},
    "parent": {"category": "home_services"},
    "no such category": {"category": "nothing"},
    "currency": {"currency": "USD"},
    "prices": {"currency": "EUR", "minPrice": "20", "maxPrice": "60"},
    "prices of any currency": {"minPrice": "500"},
    "impossible prices": {"currency": "JPY", "maxPrice": "60"},
    "dear": {"minPrice": "900000"},
    "rating": {"minRating": "4.5"},
    "rating in a category": {"minRating": "4.5", "category": "yoga", "currency": "USD"},
    "provider": {"providerId": "1"},
    "all": {"minRating": "4", "category": "home_services", "currency": "EUR", "maxPrice": "200"},
}
TEXTS = {
    "rare": "xylophone",
    "middle": "yoga",
    "common": "professional",
    "together": "yoga pilates",
    "never together": "professional deep",
    "phrase": '"deep yoga"',
    "exclusion": "yoga -professional",
    "only an exclusion": "-professional",
    "misspelt": "profesional yogga",
}


@pytest.fixture(scope="module")
def crowd(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        people = [Person(login=f"p{n}", sells=True) for n in range(500)]
        Person.objects.bulk_create(people)
        make_crowd([person.pk for person in people], COUNT)
    yield people
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE people_person, marketplace_scheduling_schedule, marketplace_catalog_word CASCADE")


def plans(people, asked):
    """The second page's queries, as PostgreSQL runs them."""
    if "providerId" in asked:
        asked = asked | {"providerId": str(people[250].pk)}
    first = find(asked)
    if first.next_cursor is not None:
        asked = asked | {"cursor": first.next_cursor}
    noted: list[tuple[str, Any]] = []

    def note(execute, sql, params, many, context):
        noted.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        find(asked)
    with connection.cursor() as cursor:
        for sql, params in noted:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
            yield sql, cursor.fetchone()[0][0]["Plan"]


def find(asked):
    return listing.page_of(ServiceFilters.model_validate(asked))


def nodes(plan):
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def rows_read(plan):
    """How many services were taken from the table, those thrown away included; none of them by reading it all."""
    read = 0
    for node in nodes(plan):
        if node.get("Relation Name") == "marketplace_catalog_service":
            assert node["Node Type"] != "Seq Scan", shown(plan)
            away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            read += (node["Actual Rows"] + away) * node["Actual Loops"]
    return read


def shown(plan):
    """The parts of a plan that tell what was wrong with it."""
    kept = ("Node Type", "Index Name", "Plan Rows", "Actual Rows", "Rows Removed by Filter")
    return [{name: node[name] for name in kept if name in node} for node in nodes(plan)]


@pytest.mark.parametrize("page", ["first", "later"])
@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("sort", SORTS)
def test_a_list_reads_what_it_shows(crowd, sort, filters, page):
    asked = {"sort": sort, "limit": 5 if page == "later" else 20} | FILTERS[filters]

    for sql, plan in plans(crowd, asked):
        # A filter that leaves 500 may be read whole and sorted: which plan is taken hangs on what ANALYZE saw.
        assert (read := rows_read(plan)) <= 800, (read, shown(plan), sql)


@pytest.mark.parametrize("filters", ["nothing", "category", "prices", "impossible prices"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("sort", SORTS)
def test_a_search_reads_a_part_that_does_not_grow(crowd, sort, text, filters, monkeypatch):
    monkeypatch.setattr(listing, "WALKED", 200)
    asked = {"sort": sort, "q": TEXTS[text]} | FILTERS[filters]

    for sql, plan in plans(crowd, asked):
        assert (read := rows_read(plan)) <= 2_000, (read, shown(plan), sql)


@pytest.mark.parametrize("text", TEXTS)
def test_relevance_reads_what_it_ranks(crowd, text, monkeypatch):
    monkeypatch.setattr(listing, "SEEN", 200)
    monkeypatch.setattr(listing, "RANKED", 500)

    for sql, plan in plans(crowd, {"q": TEXTS[text]}):
        assert (read := rows_read(plan)) <= 2_500, (read, shown(plan), sql)


@pytest.mark.parametrize(("margin", "least", "most"), [(listing.MARGIN, 100, 400), (1_000, 1_500, 2_500)])
def test_the_newest_matches_are_looked_up_alone(crowd, monkeypatch, margin, least, most):
    """Of a word that every tenth service has. Control: where that would reach back to the beginning, all are read."""
    monkeypatch.setattr(listing, "SEEN", 200)
    monkeypatch.setattr(listing, "RANKED", 100)
    monkeypatch.setattr(listing, "MARGIN", margin)

    assert least <= max(rows_read(plan) for _, plan in plans(crowd, {"q": "gentle"})) <= most


@pytest.mark.parametrize("sort", SORTS)
def test_free_slots_are_asked_for_few(crowd, sort):
    today = clock.now()
    span = {"availableFrom": today.isoformat(), "availableTo": (today + timedelta(days=3)).isoformat()}

    for sql, plan in plans(crowd, {"sort": sort} | span):
        assert (read := rows_read(plan)) <= listing.LOOKED_AT + 2, (read, shown(plan), sql)
