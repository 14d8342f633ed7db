"""What people are told, on which channels, and what the mails say: the whole table, through the actions themselves."""

import email
import re
from datetime import timedelta
from decimal import Decimal
from email.policy import default
from html import unescape
from itertools import product
from types import SimpleNamespace

import pytest
from django.conf import settings as project
from icalendar import Calendar

from marketplace_accounts.models import User
from marketplace_accounts.testing import bearer
from marketplace_billing import actions as billing
from marketplace_billing import payouts
from marketplace_billing.exceptions import CardDeclined
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.testing import JsonClient, run_jobs
from marketplace_notifications import deliveries
from marketplace_notifications.models import Notification, Preference, WebhookDelivery
from marketplace_notifications.posting import Answer
from marketplace_notifications.testing import make_notification, make_webhook
from marketplace_reviews import actions as reviews
from marketplace_reviews.testing import make_completed_booking

pytestmark = pytest.mark.django_db

TYPES = tuple(project.NOTIFICATIONS["TYPES"])
NAMES = {
    "customer": ("Carla", "Customer"),
    "provider": ("Paul", "Provider"),
    "staff": ("Stella", "Staff"),
    "stranger": ("Sam", "Stranger"),
}


@pytest.fixture
def world(settings, tmp_path):
    """Four people, a service of the provider's, and the mails that are sent, newest last."""
    folder = {"file_path": str(tmp_path)}
    settings.MAILERS = {"default": {"BACKEND": "marketplace_kit.mail.FileBackend", "OPTIONS": folder}}
    people = {}
    for role, (first, last) in NAMES.items():
        profile = {"first_name": first, "last_name": last}
        provides = {"role": "provider" if role in ("provider", "stranger") else "customer", "is_staff": role == "staff"}
        people[role] = User.objects.create_user(f"{role}@example.com", profile=profile, **provides)

    def mails():
        found = [email.message_from_bytes(path.read_bytes(), policy=default) for path in tmp_path.glob("*.eml")]
        return sorted(found, key=lambda message: message["Message-ID"])

    service = make_service(people["provider"], timezone="Asia/Tokyo")
    return SimpleNamespace(**people, people=people, service=service, mails=mails)


# --- what can happen ---


def book(world, notes=""):
    return bookings.create_booking(world.customer, world.service, a_start(), notes)


def booked(world):
    book(world)


def booked_at_once(world):
    type(world.service).objects.filter(pk=world.service.pk).update(auto_confirm=True)
    book(world)


def confirmed(world):
    world.booking = book(world)
    yield
    bookings.confirm_booking(world.provider, world.booking)


def completed(world):
    agreed = book(world)
    bookings.confirm_booking(world.provider, agreed)
    yield
    with clock.frozen(agreed.scheduled_at):
        bookings.complete_booking(world.provider, agreed)


def cancelled_by(role):
    def happen(world):
        agreed = book(world)
        yield
        bookings.cancel_booking(world.people[role], agreed, "Ill.")

    return happen


def lapsed(world):
    agreed = book(world)
    yield
    with clock.frozen(agreed.scheduled_at):
        bookings.cancel_lapsed(agreed.pk)


def moved_by(role):
    def happen(world):
        agreed = book(world)
        yield
        bookings.reschedule_booking(world.people[role], agreed, agreed.scheduled_at + timedelta(days=1))

    return happen


def due(world):
    agreed = book(world)
    bookings.confirm_booking(world.provider, agreed)
    yield
    with clock.frozen(agreed.scheduled_at - timedelta(hours=1)):
        bookings.remind(agreed.pk)


def paid(world):
    agreed = book(world)
    yield
    billing.pay(world.customer, agreed, "mock_success")


def declined(world):
    agreed = book(world)
    yield
    with pytest.raises(CardDeclined):
        billing.pay(world.customer, agreed, "mock_declined")


def refunded(world):
    payment = billing.pay(world.customer, book(world), "mock_success")
    yield
    billing.refund(world.provider, payment, Decimal("20.00"), "Sorry.")


def paid_out(world):
    agreed = book(world)
    billing.pay(world.customer, agreed, "mock_success")
    bookings.confirm_booking(world.provider, agreed)
    with clock.frozen(agreed.scheduled_at):
        bookings.complete_booking(world.provider, agreed)
    yield
    payouts.pay_out(world.provider, "USD")


def reviewed(world):
    done = make_completed_booking(world.customer, world.service)
    yield
    reviews.create_review(world.customer, done, 5)


def webhook_gone(world):
    endpoint = make_webhook(world.provider.pk)
    yield
    told = make_notification(world.provider.pk, in_app=False)
    delivery = WebhookDelivery.objects.create(endpoint=endpoint, notification=told)
    deliveries.claim(delivery.pk, 1)
    deliveries.record(delivery.pk, 1, Answer(410))


# Who is told what, of each thing that can happen. Who is not named is told nothing.
TOLD = {
    "booked": (booked, {"provider": "booking.created"}),
    "booked at once": (booked_at_once, {"provider": "booking.created"}),
    "confirmed": (confirmed, {"customer": "booking.confirmed"}),
    "completed": (completed, {"customer": "booking.completed"}),
    "cancelled by customer": (cancelled_by("customer"), {"provider": "booking.cancelled"}),
    "cancelled by provider": (cancelled_by("provider"), {"customer": "booking.cancelled"}),
    "cancelled by staff": (
        cancelled_by("staff"),
        {"customer": "booking.cancelled", "provider": "booking.cancelled"},
    ),
    "lapsed": (lapsed, {"customer": "booking.cancelled", "provider": "booking.cancelled"}),
    "moved by customer": (moved_by("customer"), {"provider": "booking.rescheduled"}),
    "moved by provider": (moved_by("provider"), {"customer": "booking.rescheduled"}),
    "due": (due, {"customer": "booking.reminder"}),
    "paid": (paid, {"customer": "payment.succeeded", "provider": "payment.succeeded"}),
    "declined": (declined, {"customer": "payment.failed"}),
    "refunded": (refunded, {"customer": "refund.succeeded"}),
    "paid out": (paid_out, {"provider": "payout.paid"}),
    "reviewed": (reviewed, {"provider": "review.created"}),
    "webhook gone": (webhook_gone, {"provider": "webhook.disabled"}),
}
BOOKED = ("Service", "When", "In UTC", "Duration", "Amount", "Customer", "Provider")
MORE = {
    "booking.rescheduled": ("Before",),
    "booking.cancelled": ("Reason",),
    "payment.failed": ("Why it failed",),
    "refund.succeeded": ("Reason",),
    "review.created": ("Rating",),
}


def happen(world, name):
    """Let it happen. What comes before it is told to nobody; what is told is told by the worker."""
    steps = TOLD[name][0](world)
    if steps is not None:
        next(steps)
        run_jobs()
        Notification.objects.all().delete()
        world.before = {message["Message-ID"] for message in world.mails()}
        assert next(steps, None) is None
    run_jobs()


def test_the_table_has_every_type():
    assert {kind for _, told in TOLD.values() for kind in told.values()} == set(TYPES)


@pytest.mark.parametrize(("by_email", "in_app"), list(product((True, False), repeat=2)))
@pytest.mark.parametrize("name", TOLD)
def test_everybody_is_told_what_is_his_on_the_channels_that_he_wants(world, name, by_email, in_app):
    Preference.objects.bulk_create(
        Preference(user_id=person.pk, type=kind, email=by_email, in_app=in_app)
        for person, kind in product(world.people.values(), TYPES)
    )
    world.before = set()

    happen(world, name)

    told = TOLD[name][1]
    for role, person in world.people.items():
        expected = [told[role]] if role in told else []
        inbox = list(Notification.objects.inbox_of(person.pk))
        assert [row.type for row in inbox] == (expected if in_app else []), role
        assert all(row.position for row in inbox), "it is in no stream"
        mails = [m for m in world.mails() if m["To"] == person.email and m["Message-ID"] not in world.before]
        assert len(mails) == (len(expected) if by_email else 0), role
        for message in mails:
            look_at(message, told[role])


def look_at(message, kind):
    """What holds for every mail of this type."""
    text, html = forms(message)
    assert message["Subject"] == text.splitlines()[0]
    if kind != "webhook.disabled":
        look_at_facts(dict(line.split(": ", 1) for line in text.splitlines() if ": " in line), kind)
    assert {project.PUBLIC_URL, f"{project.PUBLIC_URL}/#preferences"} <= set(text.splitlines())
    assert words(html) == text.split(), "the two forms differ"
    assert not re.search(r"<img|<script|<link|url\(|src=", html), "it needs a file"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Date"].datetime
    assert message["Message-ID"].endswith("@localhost>")


def look_at_facts(facts, kind):
    """What holds for every mail of a booking or of money."""
    assert {"Amount", "When"} <= set(facts)
    if kind != "payout.paid":
        assert {*BOOKED, *MORE.get(kind, ())} <= set(facts)
        assert facts["Service"] == "Deep cleaning"
        assert (facts["Customer"], facts["Provider"]) == ("Carla Customer", "Paul Provider")
        assert facts["When"].endswith("(Asia/Tokyo)")
        assert facts["In UTC"].endswith(" UTC")
    assert re.fullmatch(r"\d+\.00 USD", facts["Amount"])


def forms(message):
    return (message.get_body([kind]).get_content() for kind in ("plain", "html"))


def words(html):
    """What is read of it."""
    return unescape(re.sub(r"<style>.*?</style>|<title>.*?</title>|<[^>]+>", " ", html, flags=re.S)).split()


# --- what users wrote ---

EVIL = "<img src=x onerror=alert(1)>&amp;\r\nBcc: eve@example.com\r\n\r\nhttp://evil.example/?token=1"


def test_what_users_wrote_stays_text(world):
    for person in (world.customer, world.provider):
        person.profile.first_name = EVIL[:100]
        person.profile.save()
    type(world.service).objects.filter(pk=world.service.pk).update(title=EVIL)
    agreed = book(world, notes=EVIL)
    bookings.cancel_booking(world.customer, agreed, EVIL)
    run_jobs()

    mails = world.mails()
    assert len(mails) == 2
    for message in mails:
        text, html = forms(message)
        assert (message["To"], message["Bcc"], message["Cc"]) == ("provider@example.com", None, None)
        assert EVIL.partition("\r")[0] in message["Subject"]
        assert "<img" not in html
        assert not [line for line in text.splitlines() if line.startswith(("http://evil", "Bcc"))]
        assert words(html) == text.split()


# --- calendars ---


def test_a_calendar_follows_a_confirmed_booking(world):
    agreed = book(world, notes="Ring twice; then wait")
    bookings.confirm_booking(world.provider, agreed)
    bookings.reschedule_booking(world.provider, agreed, agreed.scheduled_at + timedelta(days=1))
    bookings.cancel_booking(world.provider, agreed)
    run_jobs()

    told = [calendar_of(message) for message in world.mails() if message["To"] == "customer@example.com"]

    assert [method for method, _ in told] == ["REQUEST", "REQUEST", "CANCEL"]
    events = [event for _, event in told]
    assert len({event["uid"] for event in events}) == 1
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert events[1].start - events[0].start == timedelta(days=1)
    assert {str(event["attendee"]) for event in events} == {"mailto:customer@example.com"}
    assert {str(event["organizer"]) for event in events} == {"mailto:no-reply@localhost"}


def test_a_provider_hears_of_what_needs_no_confirmation_and_of_what_his_customer_moves(world):
    booked_at_once(world)
    agreed = bookings.Booking.objects.get()
    bookings.reschedule_booking(world.customer, agreed, agreed.scheduled_at + timedelta(days=1))
    bookings.cancel_booking(world.customer, agreed)
    run_jobs()

    told = [calendar_of(message) for message in world.mails() if message["To"] == "provider@example.com"]

    assert [(method, event["sequence"]) for method, event in told] == [("REQUEST", 0), ("REQUEST", 1), ("CANCEL", 2)]


@pytest.mark.parametrize("name", ["booked", "cancelled by customer", "lapsed", "moved by customer", "paid"])
def test_calendars_hear_nothing_of_what_was_never_confirmed(world, name):
    happen(world, name)

    assert world.mails()
    assert [part for message in world.mails() for part in message.walk() if "calendar" in part.get_content_type()] == []


def calendar_of(message):
    """The method, and the event: the same as a form of the text and as a file."""
    forms = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert forms == ["text/plain", "text/html", "text/calendar", "application/ics"]
    [part] = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    [file] = message.iter_attachments()
    assert file.get_content().decode().splitlines() == part.get_content().splitlines()
    calendar = Calendar.from_ical(part.get_content())
    assert part["Content-Type"].params["method"] == calendar["method"]
    return str(calendar["method"]), calendar.walk("VEVENT")[0]


# --- what can't be turned off ---


def test_mails_that_keep_an_account_safe_have_no_preference(world):
    mine = JsonClient(HTTP_AUTHORIZATION=bearer(world.customer))
    off = [{"type": kind, "email": False, "inApp": False} for kind in TYPES]
    assert mine.put("/api/v1/notifications/preferences", {"items": off}).status_code == 200
    for kind in ("password_reset", "email_verify"):
        answer = mine.put("/api/v1/notifications/preferences", {"items": [{"type": kind, "email": False}]})
        assert answer.status_code == 422
    mine.post("/api/v1/auth/email/resend")
    mine.post("/api/v1/auth/password/forgot", {"email": world.customer.email})
    run_jobs()

    mails = world.mails()
    assert [message["Subject"] for message in mails] == [
        "Confirm your e-mail address for marketplace",
        "Set a new password for marketplace",
    ]
    for message in mails:
        text, html = forms(message)
        [link] = [line for line in text.splitlines() if "?token=" in line]
        assert f'href="{link}"' in html
        assert (message["Auto-Submitted"], message["List-Unsubscribe"]) == ("auto-generated", None)


def test_a_mail_ends_those_like_it_in_one_click(world):
    happen(world, "booked")
    [message] = world.mails()
    url = message["List-Unsubscribe"].strip("<>")
    assert url.startswith(f"{project.PUBLIC_URL}/api/v1/notifications/unsubscribe?token=")

    answer = JsonClient().generic(
        "POST", url.removeprefix(project.PUBLIC_URL), "List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"
    )

    assert answer.status_code == 204
    world.service.refresh_from_db()
    bookings.create_booking(world.customer, world.service, a_start(timedelta(days=4)))
    run_jobs()
    assert len(world.mails()) == 1
    assert Notification.objects.inbox_of(world.provider.pk).count() == 2
