"""What is listed is, to the byte, what models and the schema say."""

from datetime import timedelta
from decimal import Decimal
from itertools import combinations

import pytest
from tests.people.models import Person

from marketplace_billing import shown
from marketplace_billing.models import Payment
from marketplace_billing.schemas import Payment as Shown
from marketplace_billing.schemas import PaymentFilters
from marketplace_billing.testing import make_payment
from marketplace_booking.testing import a_start
from marketplace_catalog.testing import make_service
from marketplace_kit.pagination import Page, paginate
from marketplace_kit.renderer import to_json


@pytest.fixture
def paid(provider, customer):
    """Payments of several kinds; the provider is on either side, and two at a time are of the same moment."""
    other = Person.objects.create(login="other", sells=True)
    sides = [(customer, make_service(provider)), (provider, make_service(other, price=Decimal(5000), currency="JPY"))]
    made = [make_payment(*sides[n % 2], a_start(timedelta(days=2 + n))) for n in range(8)]
    for n, payment in enumerate(made):
        failed = {"status": "failed", "failure_code": "card_declined"} if n % 4 == 2 else {}
        Payment.objects.filter(pk=payment.pk).update(created_at=made[n // 2 * 2].created_at, **failed)
    Payment.objects.filter(pk=made[0].pk).update(
        status="partially_refunded", claimed_amount=Decimal("12.50"), refunded_amount=Decimal("12.50")
    )
    return made


def by_the_schema(user, params):
    """The same page by models and the schema."""
    mine = {"customer": Payment.objects.filter(customer=user), "provider": Payment.objects.filter(provider=user)}
    rows = mine[params.role] if params.role else mine["customer"] | mine["provider"]
    if params.status:
        rows = rows.filter(status=params.status)
    if params.booking_id:
        rows = rows.filter(booking=params.booking_id)
    page = paginate(rows, params, "-created_at", "-id")
    return to_json(Page[Shown].model_validate(page).model_dump(by_alias=True))


@pytest.mark.parametrize("status", ["succeeded", "failed", "partially_refunded"])
@pytest.mark.parametrize("role", ["customer", "provider"])
def test_a_list_is_what_the_schema_says_whatever_its_filters(paid, provider, sign_in, role, status):
    client, filters = sign_in(provider), {"role": role, "status": status, "bookingId": str(paid[0].booking_id)}
    for names in [chosen for size in range(len(filters) + 1) for chosen in combinations(filters, size)]:
        asked = {"limit": "1"} | {name: filters[name] for name in names}
        while "cursor" not in asked or asked["cursor"]:
            answer = client.get("/api/payments", query_params=asked)
            assert answer.content == by_the_schema(provider, PaymentFilters.model_validate(asked)), asked
            asked["cursor"] = answer.json()["nextCursor"]
    assert None not in shown.PAGES.query.plans.values()


def test_a_list_takes_one_query_beside_those_of_the_session(paid, provider, sign_in, django_assert_num_queries):
    client = sign_in(provider)

    with django_assert_num_queries(3):
        assert len(client.get("/api/payments").json()["items"]) == len(paid)
