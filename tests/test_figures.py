"""Bookings and money by day, as the admin shows them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests import backoffice

from marketplace_accounts.testing import make_provider, make_user
from marketplace_billing import actions as billing
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start
from marketplace_catalog.testing import make_service
from marketplace_kit import clock

pytestmark = pytest.mark.django_db
FIGURES = "/admin/marketplace_booking/booking/figures/"
MOST = 12  # queries of a page


@pytest.fixture
def boss():
    client = Client()
    client.force_login(backoffice.make_boss())
    return client


def test_bookings_and_money_by_day(boss):
    customer, provider = make_user(), make_provider()
    noon = datetime(2030, 3, 10, 12, tzinfo=UTC)
    service, in_yen = make_service(provider), make_service(provider, price=Decimal(3000), currency="JPY")
    with clock.frozen(noon - timedelta(days=1, hours=13)):  # late in New York is the next day in UTC
        make_payment(customer, service, a_start(timedelta(days=2)))
    with clock.frozen(noon):
        payment = make_payment(customer, service, a_start(timedelta(days=3)))
        bookings.cancel_booking(customer, payment.booking)
        billing.send_refund(payment.refunds.get().pk)
        make_payment(customer, in_yen, a_start(timedelta(days=4)))
        with CaptureQueriesContext(connection) as made:
            page = boss.get(FIGURES)
        ninety = boss.get(f"{FIGURES}?days=90")

    assert len(made) <= MOST
    charts = {chart.table.title: chart.table for chart in page.context["charts"]}
    assert set(charts) == {"Bookings", "Money in JPY", "Money in USD"}
    assert charts["Bookings"].rows[:4] == [
        ("all", 3, 1),
        ("2030-03-10", 2, 1),
        ("2030-03-09", 0, 0),
        ("2030-03-08", 1, 0),
    ]
    usd = charts["Money in USD"].rows
    assert usd[0] == ("all", 100, 50, 5)
    assert usd[1] == ("2030-03-10", 50, 50, 0)
    assert charts["Money in JPY"].rows[1] == ("2030-03-10", 3000, 0, 300)
    assert (len(usd), len(ninety.context["charts"][0].table.rows)) == (31, 91)
    assert "day in UTC" in page.content.decode()
    assert 'role="img"' in page.content.decode()


def test_figures_of_nothing_are_drawn_too(boss):
    assert boss.get(f"{FIGURES}?days=-1").status_code == 200


def test_money_is_for_whoever_may_see_the_ledger():
    make_payment(make_user(), make_service(make_provider()))
    user = make_user(is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(FIGURES).status_code == 403

    user.user_permissions.add(Permission.objects.get(codename="view_booking"))

    assert [chart.table.title for chart in client.get(FIGURES).context["charts"]] == ["Bookings"]
