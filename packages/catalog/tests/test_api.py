"""The endpoints of /services, in a foreign project."""

from datetime import timedelta
from decimal import Decimal

import pytest

from marketplace_catalog import actions
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.exceptions import Unauthenticated
from marketplace_scheduling import actions as scheduling

BODY = {
    "title": "Deep cleaning",
    "description": "Every room.\nWindows included.",
    "category": "home_services",
    "price": 50.0,
    "currency": "USD",
    "duration": 60,
    "timezone": "Europe/Berlin",
    "availability": {"monday": ["09:00", "17:00"], "tuesday": ["09:00", "12:00", "13:00", "24:00"]},
}


def test_a_provider_offers_a_service(provider, sign_in):
    answer = sign_in(provider).post("/api/services", BODY)

    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert answer["Location"] == f"/api/services/{body['id']}"
    assert b'"price":50.00,' in answer.content  # a number, with the currency's decimals
    expected = BODY | {
        "providerId": provider.pk,
        "provider": {"id": provider.pk, "firstName": "Pia", "lastName": "Rovider", "avatarUrl": None},
        "bufferBefore": 0,
        "bufferAfter": 0,
        "slotInterval": 30,
        "minimumNotice": 0,
        "bookingWindow": 60,
        "cancellationPolicy": "flexible",
        "autoConfirm": False,
        "images": [],
        "rating": {"average": None, "count": 0},
        "isActive": True,
    }
    assert {k: v for k, v in body.items() if k not in ("id", "createdAt", "updatedAt")} == expected
    assert body["createdAt"].endswith("Z")
    assert sign_in(None).get(f"/api/services/{body['id']}").json() == body


def test_a_customer_does_not(customer, sign_in):
    answer = sign_in(customer).post("/api/services", BODY)

    assert (answer.status_code, answer.json()["code"]) == (403, "provider_required")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"price": 50.001}, "/price"),
        ({"price": "50.00"}, "/price"),
        ({"price": -1}, "/price"),
        ({"price": True}, "/price"),
        ({"price": 1_000_000_000}, "/price"),
        ({"price": 0.5, "currency": "JPY"}, "/price"),
        ({"currency": "usd"}, "/currency"),
        ({"currency": "XAU"}, "/currency"),
        ({"duration": 4}, "/duration"),
        ({"duration": 1441}, "/duration"),
        ({"duration": "60"}, "/duration"),
        ({"duration": 60.5}, "/duration"),
        ({"timezone": "Europe/Atlantis"}, "/timezone"),
        ({"category": "no_such"}, "/category"),
        ({"title": ""}, "/title"),
        ({"title": " \t"}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": "a\0b"}, "/title"),
        ({"title": None}, "/title"),
        ({"description": "x" * 10_001}, "/description"),
        ({"availability": {"someday": ["09:00", "17:00"]}}, "/availability/someday"),
        ({"availability": {"monday": ["17:00", "09:00"]}}, "/availability/monday/1"),
        ({"availability": {"monday": ["09:00"]}}, "/availability/monday/0"),
        ({"availability": {"monday": [{}, []]}}, "/availability/monday/0"),
        ({"availability": []}, "/availability"),
        ({"autoConfirm": 1}, "/autoConfirm"),
        ({"cancellationPolicy": "lenient"}, "/cancellationPolicy"),
        ({"bookingWindow": 366}, "/bookingWindow"),
        ({"providerId": 1}, "/providerId"),
        ({"auto_confirm": True}, "/auto_confirm"),
    ],
)
def test_what_makes_no_sense_is_told_where_it_is(provider, sign_in, change, pointer):
    answer = sign_in(provider).post("/api/services", BODY | change)

    assert answer.status_code == 422, answer.content
    assert pointer in {e["pointer"] for e in answer.json()["errors"]}
    assert not Service.objects.exists()


def test_all_that_is_wrong_is_told_at_once(provider, sign_in):
    wrong = BODY | {"price": 1.005, "duration": 1, "availability": {"monday": ["9"]}, "role": "staff"}

    errors = sign_in(provider).post("/api/services", wrong).json()["errors"]

    assert {"/price", "/duration", "/availability/monday/0", "/role"} <= {e["pointer"] for e in errors}


def test_a_price_has_the_decimals_of_its_currency(provider, sign_in):
    for currency, price, written in [("JPY", 500, b"500"), ("KWD", 1.25, b"1.250"), ("USD", 50, b"50.00")]:
        answer = sign_in(provider).post("/api/services", BODY | {"currency": currency, "price": price})
        assert b'"price":' + written + b"," in answer.content


def test_a_patch_changes_what_it_names(provider, sign_in):
    service = make_service(provider)

    answer = sign_in(provider).patch(f"/api/services/{service.pk}", {"title": "Window cleaning", "duration": 90})

    assert answer.status_code == 200, answer.content
    changed = Service.objects.get()
    assert (changed.title, changed.schedule.duration) == ("Window cleaning", 90)
    assert changed.schedule.timezone == "UTC"
    assert changed.price == service.price


def test_a_patch_that_names_nothing_changes_nothing(provider, sign_in):
    service = make_service(provider)
    path = f"/api/services/{service.pk}"
    before = sign_in(provider).get(path)

    assert sign_in(provider).patch(path, {}).json() == before.json()
    assert sign_in(provider).get(path)["ETag"] == before["ETag"]


@pytest.mark.parametrize("change", [{"title": None}, {"price": None}, {"availability": None}, {"slug": "x"}])
def test_a_patch_clears_nothing_that_must_be_there(provider, sign_in, change):
    service = make_service(provider)

    assert sign_in(provider).patch(f"/api/services/{service.pk}", change).status_code == 422


def test_a_currency_must_fit_the_price_that_stays(provider, sign_in):
    service = make_service(provider, price=Service._meta.get_field("price").to_python("50.50"))

    answer = sign_in(provider).patch(f"/api/services/{service.pk}", {"currency": "JPY"})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/price")


def test_another_provider_sees_it_and_may_not_touch_it(provider, sign_in, django_user_model):
    service = make_service(provider)
    other = sign_in(django_user_model.objects.create(login="other", sells=True))

    assert other.get(f"/api/services/{service.pk}").status_code == 200
    assert other.patch(f"/api/services/{service.pk}", {"title": "Mine"}).status_code == 403
    assert other.delete(f"/api/services/{service.pk}").status_code == 403


def test_an_inactive_one_is_there_for_its_provider_and_staff_only(provider, customer, sign_in, django_user_model):
    service = make_service(provider, is_active=False)
    staff = django_user_model.objects.create(login="staff", is_staff=True)
    path = f"/api/services/{service.pk}"

    statuses = [sign_in(who).get(path).status_code for who in (None, customer, provider, staff)]

    assert statuses == [404, 404, 200, 200]
    assert sign_in(None).get("/api/services").json()["items"] == []


def test_a_deleted_one_is_gone_for_all(provider, sign_in):
    service = make_service(provider)
    mine = sign_in(provider)

    assert mine.delete(f"/api/services/{service.pk}").status_code == 204
    assert mine.get(f"/api/services/{service.pk}").status_code == 404
    assert mine.delete(f"/api/services/{service.pk}").status_code == 404
    assert mine.patch(f"/api/services/{service.pk}", {"title": "x"}).status_code == 404


def test_a_category_includes_those_below_it(provider, sign_in):
    make_service(provider, category="cleaning")
    make_service(provider, category="home_services")
    make_service(provider, category="yoga")

    def found(slug):
        return len(sign_in(None).get(f"/api/services?category={slug}").json()["items"])

    assert [found("home_services"), found("cleaning"), found("fitness"), found("nothing")] == [2, 1, 1, 0]


def test_filters_and_orders(provider, sign_in, django_user_model):
    other = django_user_model.objects.create(login="other", sells=True)
    for price in ("30.00", "10.00", "20.00"):
        make_service(provider, price=Service._meta.get_field("price").to_python(price), title=price)
    make_service(other, currency="EUR", title="euro")

    def titles(query):
        return [s["title"] for s in sign_in(None).get(f"/api/services?{query}").json()["items"]]

    assert titles("currency=USD&sort=price") == ["10.00", "20.00", "30.00"]
    assert titles("currency=USD&sort=-price") == ["30.00", "20.00", "10.00"]
    assert titles("minPrice=15&maxPrice=30.00&sort=price") == ["20.00", "30.00"]
    assert titles(f"providerId={other.pk}") == ["euro"]
    assert titles("") == ["euro", "20.00", "10.00", "30.00"]
    assert titles("unknown=1&limit=1") == ["euro"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "sort=best", "minPrice=-1", "minPrice=NaN", "cursor=nonsense", "currency=x"]
    + ["category=" + "x" * 61, "providerId=x", "category=%00", "limit=" + "9" * 30],
)
def test_bad_filters_are_told(provider, sign_in, query):
    answer = sign_in(None).get(f"/api/services?{query}")

    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["pointer"] == f"query/{query.partition('=')[0]}"


@pytest.mark.parametrize("sort", ["newest", "price", "-price"])
def test_pages_show_each_service_once_while_others_come(provider, sign_in, sort):
    first = {str(make_service(provider).pk) for _ in range(7)}
    client, cursor, seen = sign_in(None), "", []
    while cursor is not None:
        page = client.get(f"/api/services?limit=2&sort={sort}" + (f"&cursor={cursor}" if cursor else "")).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        make_service(provider)
        assert len(seen) < 40

    assert len(seen) == len(set(seen))
    assert first <= set(seen)


def test_a_cursor_belongs_to_its_order(provider, sign_in):
    for _ in range(3):
        make_service(provider)
    cursor = sign_in(None).get("/api/services?limit=1&sort=price").json()["nextCursor"]

    assert sign_in(None).get(f"/api/services?limit=1&sort=newest&cursor={cursor}").status_code == 422


@pytest.mark.parametrize("count", [1, 9])
def test_a_list_takes_two_queries_however_long(provider, sign_in, count, django_assert_num_queries):
    for _ in range(count):
        make_service(provider)

    with django_assert_num_queries(2):
        assert len(sign_in(None).get("/api/services").json()["items"]) == count


def test_slots_are_what_can_be_booked(provider, sign_in):
    service = make_service(provider, slot_interval=60)
    start = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    end = start + timedelta(hours=3)
    path = f"/api/services/{service.pk}/slots?from={start:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"

    def starts():
        body = sign_in(None).get(path).json()
        assert body["timezone"] == "UTC"
        return [slot["start"] for slot in body["items"]]

    assert starts() == [f"{start + timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(3)]
    scheduling.reserve(service.schedule, provider.pk, start + timedelta(hours=1))
    assert starts() == [f"{start + timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}" for n in (0, 2)]
    Service.objects.update(is_active=False)
    assert sign_in(provider).get(path).json()["items"] == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=2027-01-01T00:00:00&to=2027-01-02T00:00:00Z", "query/from"),
        ("from=2027-01-01&to=2027-01-02T00:00:00Z", "query/from"),
        ("from=1700000000&to=2027-01-02T00:00:00Z", "query/from"),
        ("from=2027-01-02T00:00:00Z&to=2027-01-02T00:00:00Z", "query/to"),
        ("from=2027-01-01T00:00:00Z&to=2027-02-02T00:00:00Z", "query/to"),
        ("from=0001-01-01T00:00:00%2B23:00&to=2027-02-02T00:00:00Z", "query/from"),
        ("to=2027-01-02T00:00:00Z", "query/from"),
    ],
)
def test_a_span_must_make_sense(provider, sign_in, query, pointer):
    service = make_service(provider)

    answer = sign_in(None).get(f"/api/services/{service.pk}/slots?{query}")

    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_unknown_and_malformed_ids(db, sign_in):
    assert sign_in(None).get("/api/services/0192f000-0000-7000-8000-000000000000").status_code == 404
    answer = sign_in(None).get("/api/services/not-a-uuid")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "path/serviceId")


# --- providers who go ---


@pytest.mark.django_db
def test_who_has_just_gone_offers_nothing(provider, monkeypatch):
    """The token was looked at before; whoever writes looks at the user once more."""
    fields = {"price": Decimal(5), "currency": "USD"}
    monkeypatch.setattr(type(provider), "is_active", False)

    with pytest.raises(Unauthenticated):
        actions.create_service(provider, fields)
    assert not Service.objects.exists()


@pytest.mark.django_db
def test_services_that_are_closed_can_be_opened_again(provider, other_provider, sign_in):
    open_, closed, others = (
        make_service(provider),
        make_service(provider, is_active=False),
        make_service(other_provider),
    )

    actions.close_services(provider.pk)

    assert [*Service.objects.listed()] == [others]
    closed_at = closed.updated_at
    closed.refresh_from_db()
    assert closed.updated_at == closed_at
    answer = sign_in(provider).patch(f"/api/services/{open_.pk}", {"isActive": True})
    assert answer.json()["isActive"]
    assert {*Service.objects.listed()} == {open_, others}
