"""By relevance: exactly the newest matches are ranked, whichever way they are found."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_bakery import baker

from marketplace_catalog import listing
from marketplace_catalog.models import Service
from marketplace_catalog.schemas import ServiceFilters

BEGIN = datetime(2020, 1, 1, 12, tzinfo=UTC)
MOST = 11


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(listing, "RANKED", 3)
    monkeypatch.setattr(listing, "SEEN", 4)


@pytest.fixture
def services(provider):
    made = baker.make_recipe("marketplace_catalog.service", provider=provider, _quantity=MOST, _bulk_create=True)
    return sorted(made, key=lambda service: service.pk)


def offer(services, days, titles, description="Nothing."):
    """Let the first of these services be of those days and titles, and the rest not be there."""
    for n, service in enumerate(services):
        service.is_active = n < len(days)
        service.created_at = BEGIN + timedelta(days=days[n] if service.is_active else 0)
        service.title = titles[n] if service.is_active else "Gone"
        service.description = description
    Service.objects.bulk_update(services, ["is_active", "created_at", "title", "description"])


def found(limit=100):
    cursor, seen = None, []
    while cursor is not None or not seen:
        page = listing.page_of(ServiceFilters(q="roses", limit=limit, cursor=cursor))
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return seen


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    days=st.lists(st.sampled_from([0, 1, 2, 3, 50, 51, 400, 401, 402, 1000]), min_size=1, max_size=MOST).map(sorted),
    hits=st.lists(st.booleans(), min_size=MOST, max_size=MOST),
    dense=st.sampled_from([0, 0.2, 1]),
    limit=st.integers(1, 3),
)
def test_the_newest_matches_are_what_an_oracle_says(services, monkeypatch, days, hits, dense, limit):
    monkeypatch.setattr(listing, "DENSE", dense)
    offer(services, days, ["Roses" if hit else "Trees" for hit in hits])

    newest = [service.pk for service, _, hit in zip(services, days, hits, strict=False) if hit][-3:]
    assert found(limit) == newest[::-1]


@pytest.mark.parametrize("dense", [0, 1])
def test_an_old_match_in_the_title_gives_way_to_new_ones_in_the_text(services, monkeypatch, dense):
    monkeypatch.setattr(listing, "DENSE", dense)
    offer(services, [0, 1, 2, 3], ["Roses", "Trees", "Trees", "Trees"], "Roses.")

    assert found() == [service.pk for service in services[3:0:-1]]


@pytest.mark.parametrize("margin", [0, 0.001, 1.5, 1000])
@pytest.mark.parametrize("dense", [0, 1])
def test_a_word_of_late_is_found_where_it_was_long_before(services, monkeypatch, dense, margin):
    """All that is new has it, so that it should not take long. It is a guess, and nothing hangs on it."""
    monkeypatch.setattr(listing, "DENSE", dense)
    monkeypatch.setattr(listing, "MARGIN", margin)
    monkeypatch.setattr(listing, "RANKED", 6)
    offer(services, [0, 300, 600, 900, 900, 1000, 1000, 1000, 1000], ["Roses", *["Trees"] * 4, *["Roses"] * 4])

    assert found() == [services[n].pk for n in (8, 7, 6, 5, 0)]
