"""What support sees of a booking, finds it by, and does to it."""

import re
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from html import unescape
from uuid import UUID, uuid4

import pytest
import structlog
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob
from tests import backoffice

from marketplace.admin.shown import moment
from marketplace_accounts.testing import make_provider, make_user
from marketplace_billing import actions as billing
from marketplace_billing.lifecycle import PaymentStatus
from marketplace_billing.models import Entry, GatewayEvent, Refund
from marketplace_billing.testing import make_payment
from marketplace_booking import actions as bookings
from marketplace_booking.models import Booking
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.ids import uuid7
from marketplace_kit.testing import run_jobs
from marketplace_notifications.models import Notification

pytestmark = pytest.mark.django_db
LIST = "/admin/marketplace_booking/booking/"
MOST = 12  # queries of a page


@pytest.fixture
def boss():
    client = Client()
    client.force_login(backoffice.make_boss())
    return client


@pytest.fixture
def support():
    """Staff with the rights that docs/admin.md gives to a support group."""
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=(*SEES, "change_booking", "add_refund")))
    client = Client()
    client.force_login(user)
    client.user = user
    return client


SEES = (
    *("view_booking", "view_historyentry", "view_payment", "view_refund"),
    *("view_notification", "view_entry", "view_review"),
)


@pytest.fixture
def provider():
    return make_provider(email="paul@example.com")


@pytest.fixture
def customer():
    return make_user("carla@example.com")


@pytest.fixture
def audit(django_capture_on_commit_callbacks):
    """Runs something as if it were committed; what the audit tells of it: for each action, by whom, and the rest."""

    def lines_of(act):
        with structlog.testing.capture_logs() as lines, django_capture_on_commit_callbacks(execute=True):
            act()
        return {line["action"]: line for line in lines if line["event"] == "audit"}

    return lines_of


def page_of(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def cancel_page(booking):
    return reverse("admin:marketplace_booking_booking_cancel", args=[booking.pk])


def refund_page(payment):
    return reverse("admin:marketplace_billing_payment_refund", args=[payment.pk])


def text_of(answer):
    """What a reader sees of a page, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def table(answer, title):
    """The rows below a title, as lists of what stands in their cells."""
    section = answer.content.decode().partition(f"<h2>{title}</h2>")[2].partition('<div class="module">')[0]
    rows = re.findall(r"<tr>(.*?)</tr>", section, re.DOTALL)
    cells = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in rows]
    return [[unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in cells if row]


def told(answer):
    return [str(message) for message in answer.context["messages"]]


@contextmanager
def past_the_triggers():
    """As nobody can: whoever may set this owns the server."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")


# --- the page ---


def test_the_page_joins_all_that_is_known_of_a_booking(boss, customer, provider):
    service = make_service(provider, timezone="Europe/Berlin", title="Yoga", buffer_after=15)
    payment = make_payment(customer, service)
    booking = payment.booking
    billing.refund(provider, payment, Decimal("20.00"), "It was too cold.")

    page = boss.get(page_of(booking))

    shown = text_of(page)
    assert booking.scheduled_at.strftime("(%Y-%m-%d %H:%M UTC)") in shown
    for fact in ("Europe/Berlin", "50.00 USD", "flexible", "60 minutes, 0 before and 15 after it"):
        assert fact in shown
    links = set(re.findall(r'href="(/admin/[^"?]+/change/)"', page.content.decode()))
    assert {page_of(row) for row in (customer, provider, service, payment, *payment.refunds.all())} <= links
    assert [row[1:4] for row in table(page, "History")] == [["created", "", "pending"]]
    assert {(row[1], row[2]) for row in table(page, "Notifications")} == {
        ("paul@example.com", "booking.created"),
        ("paul@example.com", "payment.succeeded"),
        ("carla@example.com", "payment.succeeded"),
        ("carla@example.com", "refund.succeeded"),
    }
    (paid,) = table(page, "Payments")
    assert paid[1:7] == ["50.00 USD, partially_refunded", "mock_success", "", "5.00 USD", "20.00 USD", "0.00 USD"]
    (back,) = table(page, "Refunds")
    assert back[1:4] == ["20.00 USD, succeeded", str(payment.pk), "It was too cold."]


def test_the_ledger_is_seen_to_sum_to_zero(boss, customer, provider):
    payment = make_payment(customer, make_service(provider))
    billing.refund(provider, payment, Decimal("20.00"), None)

    page = boss.get(page_of(payment.booking))

    assert [row[1:] for row in table(page, "Ledger")] == [
        ["payment", "gateway", "", "50.00 USD"],
        ["payment", "platform_fee", "", "-5.00 USD"],
        ["payment", "provider_pending", "paul@example.com", "-45.00 USD"],
        ["refund", "gateway", "", "-20.00 USD"],
        ["refund", "platform_fee", "", "2.00 USD"],
        ["refund", "provider_pending", "paul@example.com", "18.00 USD"],
    ]
    assert table(page, "Balances") == [
        ["all of them", "", "0.00 USD"],
        ["gateway", "", "30.00 USD"],
        ["platform_fee", "", "-3.00 USD"],
        ["provider_pending", "paul@example.com", "-27.00 USD"],
    ]
    assert "Each posting sums to zero." in text_of(page)


def test_a_posting_that_does_not_sum_to_zero_is_named(boss, customer, provider):
    payment = make_payment(customer, make_service(provider))
    with past_the_triggers():
        Entry.objects.filter(account="gateway").update(amount=51)
    shown = text_of(boss.get(page_of(payment.booking)))
    with past_the_triggers():
        Entry.objects.filter(account="gateway").update(amount=50)

    assert f"These postings do not sum to zero: {payment.postings.get().pk}" in shown


def test_there_is_a_page_for_a_payment_in_every_state_with_few_queries(boss, support):
    world = backoffice.World()
    asked = {}
    for state, payment in world.payments.items():
        with CaptureQueriesContext(connection) as made:
            page = boss.get(page_of(payment.booking))
        (row,) = table(page, "Payments")
        assert row[1] == f"50.00 USD, {payment.status}", state
        assert row[3] == (payment.failure_code or "")
        asked[state] = len(made)
    assert {payment.status for payment in world.payments.values()} == set(PaymentStatus)
    with CaptureQueriesContext(connection) as made:
        support.get(page_of(world.payments["partially_refunded"].booking))
    assert max(asked.values()) == asked["partially_refunded"] < MOST
    assert len(made) <= MOST  # of staff, the rights are read as well
    assert table(boss.get(page_of(world.payments["completed"].booking)), "Review")[0][2:4] == ["4", "On time."]


def test_more_rows_are_no_more_queries(boss, customer, provider):
    payment = make_payment(customer, make_service(provider))
    billing.refund(provider, payment, Decimal(1), None)

    def asked():
        with CaptureQueriesContext(connection) as made:
            boss.get(page_of(payment.booking))
        return len(made)

    before = asked()
    for number in range(5):
        payment.refresh_from_db()
        refund = billing.refund(provider, payment, Decimal(1), None)
        GatewayEvent.objects.create(gateway="mock", event_id=number, kind="refund", key=refund.pk, outcome="succeeded")
    for day in range(3, 6):
        bookings.reschedule_booking(provider, payment.booking, a_start(timedelta(days=day)))
    assert asked() == before
    assert len(table(boss.get(page_of(payment.booking)), "Told by the gateway")) == 5


def test_what_became_of_the_mails(boss, customer, provider):
    booking = make_booking(customer, make_service(provider))
    (row,) = table(boss.get(page_of(booking)), "Notifications")
    assert row[2:] == ["booking.created", row[3], "yes", "", ""]

    run_jobs()

    (row,) = table(boss.get(page_of(booking)), "Notifications")
    assert row[-1] == moment(Notification.objects.get().mailed_at)


def test_each_sees_the_parts_that_are_his_to_see(customer, provider):
    booking = make_payment(customer, make_service(provider)).booking
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_booking", "view_historyentry")))
    client = Client()
    client.force_login(user)

    page = client.get(page_of(booking)).content.decode()

    assert "<h2>History</h2>" in page
    assert not [part for part in ("Payments", "Refunds", "Ledger", "Notifications") if f"<h2>{part}</h2>" in page]
    assert client.get(cancel_page(booking)).status_code == 403
    assert client.get(f"{LIST}{uuid4()}/change/").status_code == 404
    assert client.get(f"{LIST}nothing/change/").status_code == 404


def test_pages_lead_to_the_booking_and_back(boss, customer, provider):
    payment = make_payment(customer, make_service(provider))
    refund = billing.refund(provider, payment, None, None)

    for row in (payment, refund, payment.booking.history.get()):
        assert page_of(payment.booking) in boss.get(page_of(row)).content.decode()
    user_page = boss.get(page_of(customer)).content.decode()
    for where in (f"{LIST}?customer={customer.pk}", f"/admin/marketplace_billing/payment/?customer={customer.pk}"):
        assert where in user_page
        assert boss.get(where).context["cl"].result_count == 1


def test_a_booking_is_found_by_what_support_has_in_hand(boss, customer, provider):
    service = make_service(provider)
    payment = make_payment(customer, service)
    refund = billing.refund(provider, payment, Decimal(1), None)
    make_payment(make_user(), make_service(make_provider()))
    payment.refresh_from_db()

    hand = [payment.booking_id, payment.pk, refund.pk, payment.reference, refund.reference, service.pk]
    hand += ["carla@example.com", " CARLA@example.com ", "paul@example.com", customer.pk]
    for term in hand:
        with CaptureQueriesContext(connection) as made:
            found = boss.get(LIST, {"q": term}).context["cl"].result_list
        assert [row.pk for row in found] == [payment.booking_id], term
        assert len(made) <= MOST
    assert not boss.get(LIST, {"q": uuid4()}).context["cl"].result_list


# --- what support does ---


def test_support_calls_a_booking_off(support, customer, provider, audit):
    payment = make_payment(customer, make_service(provider))
    booking = payment.booking
    with clock.frozen(booking.scheduled_at + timedelta(hours=1)):  # as only staff can
        assert "50.00 USD" in text_of(support.get(cancel_page(booking)))

        lines = audit(lambda: support.post(cancel_page(booking), {"reason": "The provider is ill."}))

    page = support.get(page_of(booking))
    assert told(page) == ["The booking is cancelled. Any refund is on its way."]
    booking.refresh_from_db()
    assert (booking.status, booking.cancelled_by) == ("cancelled", "staff")
    assert booking.cancellation_reason == "The provider is ill."
    assert Refund.objects.get().amount == Decimal("50.00")
    assert LogEntry.objects.get().change_message == "Cancelled: The provider is ill."
    facts = {"booking_id": str(booking.pk), "by_user_id": str(support.user.pk)}
    assert lines["booking_cancelled_by_staff"].items() >= facts.items()


def test_a_refusal_is_told(support, customer, provider, audit):
    booking = make_booking(customer, make_service(provider))
    bookings.cancel_booking(customer, booking)

    lines = audit(lambda: support.post(cancel_page(booking), {"reason": "Again."}))

    answer = support.get(page_of(booking))
    assert told(answer) == ["A cancelled booking can't be cancelled."]
    assert not LogEntry.objects.exists()
    assert not lines
    assert "Cancel this booking" not in text_of(answer)


def test_nothing_is_done_without_a_reason(support, customer, provider):
    payment = make_payment(customer, make_service(provider))

    for page in (cancel_page(payment.booking), refund_page(payment)):
        answer = support.post(page, {"reason": " ", "refund_id": uuid7()})
        assert (answer.status_code, "This field is required." in text_of(answer)) == (200, True)
    assert (Booking.objects.get().status, Refund.objects.count()) == ("pending", 0)


def test_support_gives_money_back_once_however_often_it_is_sent(support, customer, provider, audit):
    payment = make_payment(customer, make_service(provider))
    assert refund_page(payment) in support.get(page_of(payment)).content.decode()
    key = UUID(str(support.get(refund_page(payment)).context["form"]["refund_id"].value()))
    form = {"refund_id": key, "amount": "20.00", "reason": "It was too cold."}

    lines = audit(lambda: support.post(refund_page(payment), form))
    support.post(refund_page(payment), form)

    assert told(support.get(page_of(payment))) == ["20.00 USD has been refunded."] * 2
    refund = Refund.objects.get()
    assert (refund.pk, refund.amount, refund.status, refund.reason) == (key, 20, "succeeded", "It was too cold.")
    facts = {"refund_id": str(key), "payment_id": str(payment.pk), "by_user_id": str(support.user.pk)}
    assert lines["refunded_by_staff"].items() >= facts.items()
    assert "Refund of 20.00 USD, succeeded" in LogEntry.objects.first().change_message


@pytest.mark.parametrize(
    ("reason", "amount", "sentence"),
    [
        ("Whatever.", "", "50.00 USD has been refunded."),
        ("mock_failure", "", "50.00 USD was not refunded: the gateway refused."),
        ("mock_pending", "1", "1.00 USD is on its way: the gateway has not settled it yet."),
        ("Too much.", "50.01", "The refund is larger than what is left of the payment."),
    ],
)
def test_what_became_of_a_refund_is_told(support, customer, provider, reason, amount, sentence):
    payment = make_payment(customer, make_service(provider))

    answer = support.post(refund_page(payment), {"refund_id": uuid7(), "amount": amount, "reason": reason}, follow=True)

    assert told(answer) == [sentence]


@pytest.mark.parametrize("amount", ["0", "-1", "1.001", "NaN", "much"])
def test_what_is_no_amount_is_said_beside_its_field(support, customer, provider, amount):
    payment = make_payment(customer, make_service(provider))

    answer = support.post(refund_page(payment), {"refund_id": uuid7(), "amount": amount, "reason": "Because."})

    assert (answer.status_code, set(answer.context["form"].errors)) == (200, {"amount"})
    assert not Refund.objects.exists()


def test_forms_need_their_token(customer, provider):
    payment = make_payment(customer, make_service(provider))
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(backoffice.make_boss())

    for page in (cancel_page(payment.booking), refund_page(payment)):
        assert browser.post(page, {"refund_id": uuid7(), "reason": "Because."}).status_code == 403
    assert (Booking.objects.get().status, Refund.objects.count()) == ("pending", 0)


def test_a_failed_job_is_tried_again_by_whoever_may(support, boss, customer, provider, audit):
    make_booking(customer, make_service(provider))
    job = ProcrastinateJob.objects.filter(task_name="marketplace_notifications.send_email").get()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", [job.pk])
    form = {"action": "try_again", "_selected_action": [job.pk]}
    support.user.user_permissions.add(Permission.objects.get(codename="view_procrastinatejob"))

    support.post("/admin/procrastinate/procrastinatejob/", form)
    job.refresh_from_db()
    assert job.status == "failed"

    lines = audit(lambda: boss.post("/admin/procrastinate/procrastinatejob/", form))
    job.refresh_from_db()
    assert job.status == "todo"
    assert lines["jobs_retried"]["job_ids"] == [job.pk]
