"""Something of everything, for the admin to show: a row of each model at least, several of those that matter."""

from datetime import timedelta
from decimal import Decimal
from functools import cache

from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from marketplace_accounts.models import OneTimeToken, User
from marketplace_accounts.testing import PASSWORD, bearer, make_provider, make_session, make_user
from marketplace_billing import actions as billing
from marketplace_billing import events, payouts
from marketplace_billing.gateways.protocol import gateway
from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.models import ServiceFile
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.clock import now
from marketplace_kit.testing import JsonClient
from marketplace_media.models import Upload
from marketplace_media.testing import make_file
from marketplace_notifications import actions as notifications
from marketplace_notifications import webhooks
from marketplace_notifications.actions import Choice
from marketplace_reviews import actions as reviews
from marketplace_scheduling.models import ScheduleException

KEY = "an-idempotency-key-that-nobody-needs-to-see"
NOTES = "Notes that only an answer kept under a key has twice."


class World:
    """Two people and what happened between them: a payment in every state, each of a booking of its own."""

    def __init__(self) -> None:
        self.customer = make_user("carla@example.com")
        User.objects.filter(pk=self.customer.pk).update(password=hashed())
        self.provider = make_provider(email="paul@example.com")
        self.session = make_session(self.customer)[0]
        self.service = make_service(self.provider)
        self.payments = {
            "pending": self.paid(2, "mock_pending"),
            "failed": self.paid(3, "mock_declined"),
            "succeeded": self.paid(4),
            "partially_refunded": self.refunded(5, Decimal("20.00")),
            "refunded": self.refunded(6, None),
            "cancelled": self.called_off(7),
            "completed": self.completed(8),
        }
        self.unpaid = make_booking(self.customer, self.service, a_start(timedelta(days=9)))
        self.refund_refused = billing.refund(self.provider, self.payments["succeeded"], Decimal(1), "mock_failure")
        self.payout = payouts.pay_out(self.provider, "USD")
        self.review = reviews.create_review(self.customer, self.payments["completed"].booking, 4, "On time.")
        self.tell_by_webhook()
        self.the_rest()

    def paid(self, days, method="mock_success"):
        booking = make_booking(self.customer, self.service, a_start(timedelta(days=days)))
        return billing.settle_payment(billing.start_payment(self.customer, booking, method).pk)

    def refunded(self, days, amount):
        payment = self.paid(days)
        billing.refund(self.provider, payment, amount, "It was too cold.")
        payment.refresh_from_db()
        return payment

    def called_off(self, days):
        payment = self.paid(days)
        bookings.cancel_booking(self.customer, payment.booking, "My back aches.")
        payment.refresh_from_db()
        return payment

    def completed(self, days):
        payment = self.paid(days)
        bookings.confirm_booking(self.provider, payment.booking)
        with clock.frozen(payment.booking.scheduled_at):
            bookings.complete_booking(self.provider, payment.booking)
        payment.refresh_from_db()
        return payment

    def tell_by_webhook(self):
        for number, payment in enumerate(self.payments.values()):
            event = gateway().event({"type": "payment.succeeded", "data": {"reference": str(payment.pk)}})
            if payment.status != "pending":
                events.receive_event(f"msg_{number}", event)

    def the_rest(self):
        file = make_file(self.provider.pk)
        ServiceFile.objects.create(service=self.service, file=file, position=0)
        values = {"target": str(self.service.pk), "key": "staged/1", "filename": "a.png", "content_type": "image/png"}
        Upload.objects.create(owner=self.provider, kind="image", size=1000, file=file, **values)
        ScheduleException.objects.create(schedule=self.service.schedule, date=now().date(), windows=[])
        OneTimeToken.objects.create(user=self.customer, purpose="email_verify", expires_at=now())
        webhooks.create_webhook(self.customer.pk, "https://hooks.example.com/carla", None)
        notifications.notify(self.customer.pk, "payout.paid", {}, {"amount": "1 USD"})
        notifications.publish(self.provider.pk)
        notifications.set_preferences(self.customer.pk, [Choice("booking.created", email=False)])
        self.ticket = notifications.issue_ticket(self.customer.pk, str(self.session.pk))
        Group.objects.create(name="Support")
        LogEntry.objects.log_actions(self.provider.pk, [self.service], 2, "Looked at.", single_object=True)
        self.ask_under_a_key()

    def ask_under_a_key(self):
        body = {"serviceId": str(self.service.pk), "scheduledAt": a_start(timedelta(days=20)), "notes": NOTES}
        client = JsonClient(HTTP_AUTHORIZATION=bearer(self.customer), HTTP_IDEMPOTENCY_KEY=KEY)
        answer = client.post("/api/v1/bookings", body)
        assert answer.status_code == 201, answer.content


def make_boss() -> User:
    return User.objects.create_superuser("boss@example.com", profile={"first_name": "Boss"})


@cache
def hashed() -> str:
    """A password's hash, made once: it takes a while."""
    return make_password(PASSWORD)
