"""What is built without models and schemas is, to the byte, what models and the schema say."""

from datetime import timedelta
from decimal import Decimal
from itertools import combinations

import pytest
from django.conf import settings as project
from tests.people.models import Person

from marketplace_catalog import listing, shown
from marketplace_catalog.models import Service, ServiceFile
from marketplace_catalog.schemas import Service as Shown
from marketplace_catalog.schemas import ServiceFilters, Slots
from marketplace_catalog.search import Wanted
from marketplace_catalog.testing import make_service
from marketplace_kit.clock import now
from marketplace_kit.pagination import Page, paginate
from marketplace_kit.renderer import to_json
from marketplace_kit.testing import JsonClient
from marketplace_media.models import File
from marketplace_scheduling import actions as scheduling

PICTURED = {"first_name": "provider__first_name", "last_name": "provider__last_name", "avatar_key": "provider__login"}


@pytest.fixture
def offered(provider, other_provider):
    """Services that differ in all that is shown."""
    made = []
    for n in range(12):
        service = make_service(
            (provider, other_provider)[n % 2],
            title=f"Service «{n}»",
            category=("cleaning", "home_services")[n % 3 % 2],
            price=Decimal(n * 5) if n % 2 else Decimal("12.50"),
            currency=("USD", "JPY", "KWD")[n % 3],
            availability={"sunday": ["10:00", "12:00"], "monday": ["00:00", "24:00"]},
            auto_confirm=bool(n % 2),
        )
        Service.objects.filter(pk=service.pk).update(
            rating_sum=n % 4 * 7, rating_count=n % 4 * 2, created_at=now() - timedelta(minutes=n // 2)
        )
        made.append(service)
    for position in (1, 0):
        image = File.objects.create(
            owner=provider, kind="image", key=f"images/{position} ü.png", filename="a.png", size=1, width=1, height=1
        )
        ServiceFile.objects.create(service=made[0], file=image, position=position)
    return made


FILTERS = {
    "category": "home_services",
    "minPrice": 10,
    "maxPrice": 45,
    "currency": "USD",
    "minRating": "3.5",
}
SHAPES = [chosen for size in range(len(FILTERS) + 1) for chosen in combinations(FILTERS, size)]


def by_the_schema(params):
    """The same page by models and the schema."""
    order = listing.ORDERS[params.sort]
    rows = Service.objects.listed().filter(**params.bounds).with_details()
    rows = rows if params.category is None else rows.in_category(params.category)
    return to_json(Page[Shown].model_validate(paginate(rows, params, *order.order)).model_dump(by_alias=True))


@pytest.mark.parametrize("sort", ["newest", "price", "-price", "-rating"])
def test_a_list_is_what_the_schema_says_whatever_its_filters(offered, sort):
    for names in SHAPES:
        asked, cursors = {"sort": sort, "limit": 2} | {name: FILTERS[name] for name in names}, 0
        while True:
            answer = JsonClient().get("/api/services", query_params=asked)
            assert answer.content == by_the_schema(ServiceFilters.model_validate(asked)), asked
            asked["cursor"] = answer.json()["nextCursor"]
            cursors += 1
            if asked["cursor"] is None or cursors == 3:
                break
    assert None not in [*listing.ROWS.plans.values(), *shown.ROWS.plans.values()]


TEXTS = {
    "as asked": ("service -nothing", {"exact": "service -nothing"}),
    "forgiven": ("servcie -nothing", {"loose": "'service'", "exact": "-nothing"}),
}
WAYS = {  # DENSE and MARGIN: by which index the newest matches are found, and whether at first some days are tried
    "looked up": (1, listing.MARGIN),
    "walked": (0, listing.MARGIN),
    "looked up since a day": (1, 0),
    "walked since a moment": (0, 0),
}


def by_a_plain_query(params, wanted, place):
    """The items of the same page of a search, behind a place, by models and the schema."""
    order = listing.ORDERS[params.sort]
    rows = Service.objects.listed().filter(**params.bounds).with_details()
    rows = rows if params.category is None else rows.in_category(params.category)
    rows = Wanted.of(wanted).ranked(Wanted.of(wanted).found_in(rows)).order_by(*order.order)
    behind = order.behind(rows, place) if place else rows
    found = [*behind[: params.limit]]
    return to_json([Shown.model_validate(row).model_dump(by_alias=True) for row in found]), found


def check_search(asked, order, wanted):
    """Its first two pages."""
    place = ()
    for _ in range(2):
        answer = JsonClient().get("/api/services", query_params=asked)
        items, found = by_a_plain_query(ServiceFilters.model_validate(asked), wanted, place)
        assert answer.content.startswith(b'{"items":' + items), asked
        asked["cursor"] = answer.json()["nextCursor"]
        if asked["cursor"] is None:
            break
        place = order.place(found[-1])
    compiled = (listing.ROWS, listing.MATCHES, listing.RANKS, listing.SEEN_ROWS, shown.ROWS)
    assert None not in [plan for query in compiled for plan in query.plans.values()]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("sort", listing.ORDERS)
def test_a_search_is_what_a_plain_query_says_whatever_its_filters(offered, monkeypatch, sort, text):
    monkeypatch.setattr(listing, "WALKED", 3)
    typed, wanted = TEXTS[text]
    for names in SHAPES:
        asked = {"q": typed, "sort": sort, "limit": 2} | {name: FILTERS[name] for name in names}
        check_search(asked, listing.ORDERS[sort], wanted)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", TEXTS)
def test_and_whichever_way_is_taken(offered, monkeypatch, text, way):
    monkeypatch.setattr(listing, "SEEN", 1)
    for name, value in zip(("DENSE", "MARGIN"), WAYS[way], strict=True):
        monkeypatch.setattr(listing, name, value)
    typed, wanted = TEXTS[text]
    for filters in ({}, {"category": "home_services", "minPrice": 10}):
        check_search({"q": typed, "sort": "relevance", "limit": 2} | filters, listing.ORDERS["relevance"], wanted)


@pytest.mark.parametrize("fields", [project.CATALOG.get("PROVIDER_FIELDS") or {}, PICTURED], ids=["plain", "pictured"])
def test_one_service_is_what_the_schema_says(offered, settings, fields):
    settings.CATALOG = {**settings.CATALOG, **({"PROVIDER_FIELDS": fields} if fields else {})}
    client = JsonClient()
    client.force_login(Person.objects.create(login="reader"))

    for service in offered:
        plain, quick = (one.get(f"/api/services/{service.pk}") for one in (client, JsonClient()))
        assert quick.content == plain.content
        assert quick["ETag"] == plain["ETag"]
    assert None not in shown.ROWS.plans.values()


def test_slots_are_what_the_schema_says(offered, provider):
    service = offered[0]
    start = now() + timedelta(hours=1)
    end = start + timedelta(days=31)
    scheduling.reserve(service.schedule, provider.pk, service.free_slots(start, end)[3].start)
    span = {"from": start.isoformat(), "to": end.isoformat()}

    answer = JsonClient().get(f"/api/services/{service.pk}/slots", query_params=span)

    free = service.free_slots(start, end)
    items = [{"start": begins, "end": ends} for begins, ends in free]
    told = Slots.model_validate({"timezone": service.schedule.timezone, "items": items})
    assert len(items) > 100
    assert answer.content == to_json(told.model_dump(by_alias=True))


def test_who_finds_nothing_asks_for_nothing(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert shown.listed([]) == []
