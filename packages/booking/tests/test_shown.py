"""What is listed without models and schemas is, to the byte, what models and the schema say."""

from datetime import timedelta
from itertools import combinations

import pytest
from tests.people.models import Person

from marketplace_booking import actions, shown
from marketplace_booking.models import Booking
from marketplace_booking.schemas import Booking as Shown
from marketplace_booking.schemas import BookingFilters
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit.clock import instant
from marketplace_kit.pagination import Page, paginate
from marketplace_kit.renderer import to_json


@pytest.fixture
def other(db):
    return Person.objects.create(login="other", sells=True)


@pytest.fixture
def agreed(provider, customer, other):
    """Bookings of all kinds; the provider is on either side, and two at a time were made and begin together."""
    sides = [
        (customer, make_service(provider, title="Cleaning «it»")),
        (provider, make_service(other, currency="JPY", auto_confirm=True)),
    ]
    made = [make_booking(*sides[n % 2], a_start(timedelta(days=2, hours=n // 2))) for n in range(12)]
    for n, booking in enumerate(made):
        Booking.objects.filter(pk=booking.pk).update(notes=f"Ring\n{n} «»", created_at=made[n // 2 * 2].created_at)
    actions.cancel_booking(customer, made[0], "Ill.")
    actions.cancel_booking(other, made[1], None)
    actions.confirm_booking(provider, made[2])
    return {"provider": made[0::2], "customer": made[1::2]}


def filters(bookings, role):
    start = bookings[0].scheduled_at
    return {
        "role": role,
        "status": ["pending", "confirmed", "pending"],
        "serviceId": str(bookings[0].service_id),
        "from": instant(start),
        "to": instant(start + timedelta(hours=5)),
    }


def by_the_schema(user, params):
    """The same page by models and the schema."""
    mine = {"customer": Booking.objects.filter(customer=user), "provider": Booking.objects.filter(provider=user)}
    rows = mine[params.role] if params.role else mine["customer"] | mine["provider"]
    if params.status:
        rows = rows.filter(status__in=params.status)
    bounds = {"service": params.service_id, "scheduled_at__gte": params.scheduled_from}
    bounds |= {"scheduled_at__lt": params.scheduled_to}
    rows = rows.filter(**{name: value for name, value in bounds.items() if value is not None}).with_details()
    page = paginate(rows, params, *shown.ORDERS[params.sort].order)
    return to_json(Page[Shown].model_validate(page).model_dump(by_alias=True))


@pytest.mark.parametrize("role", ["customer", "provider"])
@pytest.mark.parametrize("sort", shown.ORDERS)
def test_a_list_is_what_the_schema_says_whatever_its_filters(agreed, provider, sign_in, sort, role):
    client, narrowed = sign_in(provider), filters(agreed[role], role)
    for names in [chosen for size in range(len(narrowed) + 1) for chosen in combinations(narrowed, size)]:
        asked, pages = {"sort": sort, "limit": 2} | {name: narrowed[name] for name in names}, 0
        while "cursor" not in asked or asked["cursor"]:
            answer = client.get("/api/bookings", query_params=asked)
            assert answer.content == by_the_schema(provider, BookingFilters.model_validate(asked)), asked
            asked["cursor"] = answer.json()["nextCursor"]
            pages += 1
        assert pages > 1, asked
    assert None not in shown.PAGES.query.plans.values()


def test_one_booking_is_what_the_schema_says(agreed, provider, sign_in):
    staff = Person.objects.create(login="staff", is_staff=True)
    stranger = sign_in(Person.objects.create(login="stranger"))

    for booking in Booking.objects.with_details():
        plain = to_json(Shown.model_validate(booking).model_dump(by_alias=True))
        for reader in (provider, booking.customer, booking.provider, staff):
            assert sign_in(reader).get(f"/api/bookings/{booking.pk}").content == plain
        assert stranger.get(f"/api/bookings/{booking.pk}").status_code == 404
    assert sorted(how for how, *_ in shown.ONE.plans) == [False, True]
    assert None not in shown.ONE.plans.values()
