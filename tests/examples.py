"""What the OpenAPI document shows as examples: requests that were sent to a system with data, and its answers.

`recorded(operation)` sends one request and returns what was sent and answered, with names for what is random: the same
each time. `project/marketplace/examples.json` holds all of them; `python -m pytest tests/test_examples.py` compares,
and, with UPDATE_EXAMPLES=1, writes it anew.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from tests.test_permissions import CALLERS, ELSEWHERE, EXPECTED, OPERATIONS, UPLOADS, World, a_pdf

from marketplace_accounts.actions import make_secret
from marketplace_accounts.lifecycle import Purpose
from marketplace_accounts.models import Profile
from marketplace_accounts.testing import PASSWORD, make_session
from marketplace_billing.actions import pay
from marketplace_billing.models import Payment
from marketplace_booking.actions import confirm_booking
from marketplace_booking.testing import make_booking
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_kit.ids import uuid7
from marketplace_kit.testing import run_jobs
from marketplace_kit.webhooks import signed
from marketplace_media import storage
from marketplace_media.models import Upload
from marketplace_media.testing import make_image_bytes, make_upload
from marketplace_notifications.actions import unsubscribe_token
from marketplace_notifications.models import WebhookDelivery
from marketplace_notifications.testing import make_notification
from marketplace_reviews.testing import make_completed_booking

FILE = Path("project/marketplace/examples.json")
NOW = datetime(2027, 1, 4, 8, tzinfo=UTC)  # a Monday
# Its answer never ends, and another process gives it: the example stands with the operation.
WITHOUT = {"streamNotifications"}
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday")
SERVICE = {
    "title": "Deep cleaning",
    "description": "Every room, windows included.",
    "category": "cleaning",
    "price": 80,
    "currency": "EUR",
    "duration": 120,
    "timezone": "Europe/Berlin",
    "availability": {day: ["09:00", "17:00"] for day in WEEK},
    "bufferAfter": 30,
}
SPAN = {"from": "2027-01-08T00:00:00Z", "to": "2027-01-09T00:00:00Z"}


class Scene(World):
    """A Monday morning: Ada has booked Grace's cleaning."""

    def __init__(self) -> None:
        super().__init__()
        Service.objects.all().delete()
        names = {re.sub(r"[A-Z]", lambda m: f"_{m[0].lower()}", name): value for name, value in SERVICE.items()}
        self.service = make_service(self.provider, **names | {"price": Decimal(80)})
        self.service_id = self.service.pk
        Profile.objects.filter(user=self.provider).update(first_name="Grace", last_name="Hopper")

    @cached_property
    def booking_id(self) -> Any:
        return make_booking(self.customer, self.service, NOW + timedelta(days=2, hours=1)).pk

    @cached_property
    def begun_id(self) -> Any:
        """A confirmed booking that has begun by now."""
        with clock.frozen(NOW - timedelta(days=3)):
            booking = make_booking(self.customer, self.service, NOW)
            return confirm_booking(self.provider, booking).pk

    @cached_property
    def earned(self) -> Any:
        """A completed booking that was paid."""
        return pay(self.customer, make_completed_booking(self.customer, self.service), "mock_success")

    @cached_property
    def available(self) -> Any:
        """The same, and the provider may have it."""
        assert self.earned
        run_jobs()

    @cached_property
    def paid_out(self) -> Any:
        assert self.available is None
        return self.made(self.client("provider").post("/api/v1/payments/payouts", {"currency": "EUR"}))

    @cached_property
    def paid_id(self) -> Any:
        """A booking that is paid, and may be cancelled yet."""
        return Payment.objects.get(pk=self.payment_id).booking_id

    @cached_property
    def refunded(self) -> Any:
        body = {"amount": 20, "reason": "The windows were left out."}
        return self.made(self.client("provider").post(f"/api/v1/payments/{self.payment_id}/refunds", body))

    @cached_property
    def notification_id(self) -> Any:
        data = {"bookingId": str(self.booking_id)}
        told = {"type": "booking.confirmed", "title": "Your booking is confirmed", "body": "See you there."}
        return make_notification(self.customer.pk, data=data, **told).pk

    @cached_property
    def delivery_id(self) -> Any:
        return WebhookDelivery.objects.create(endpoint=self.webhook, notification_id=self.notification_id).pk

    @cached_property
    def session(self) -> Any:
        at = NOW - timedelta(days=1)
        where = {"user_agent": "Mozilla/5.0", "ip": "203.0.113.7"}
        return make_session(self.customer, created_at=at, last_used_at=at, **where)

    @cached_property
    def session_id(self) -> Any:
        return self.session[0].pk

    @cached_property
    def arrived_id(self) -> Any:
        """An upload whose file has arrived."""
        content = make_image_bytes("JPEG")
        announced = {"kind": "image", "filename": "kitchen.jpg", "contentType": "image/jpeg", "size": len(content)}
        pk = self.made(self.client("provider").post(f"{self.services}/uploads", announced))["uploadId"]
        storage.put(Upload.objects.get(pk=pk).key, content, "image/jpeg", "kitchen.jpg")
        return pk


def query_of(operation: str, scene: Scene) -> dict[str, Any]:
    queries: dict[str, dict[str, Any]] = {
        "listServices": {"q": "cleaning", "category": "home_services", "maxPrice": 100, "currency": "EUR"},
        "listSlots": SPAN,
        "explainSlot": {"start": "2027-01-10T10:00:00Z"},
    }
    if operation == "unsubscribe":
        return {"token": unsubscribe_token(scene.customer.pk, "booking.confirmed")}
    return {"bookingId": str(scene.paid_id)} if operation == "getRefundQuote" else queries.get(operation, {})


def body_of(operation: str, scene: Scene) -> Any:
    """What is sent, where something is."""
    friday = "2027-01-08T12:00:00Z"
    bodies: dict[str, Any] = {
        "register": {
            "email": "alan@example.com",
            "password": PASSWORD,
            "role": "provider",
            "profile": {"firstName": "Alan", "lastName": "Turing", "phone": "+4930901820"},
        },
        "logIn": {"email": scene.customer.email, "password": PASSWORD},
        "refreshSession": {"refresh": scene.session[1].refresh},
        "logOut": {"refresh": scene.session[1].refresh},
        "forgotPassword": {"email": scene.customer.email},
        "resetPassword": {"token": mailed(scene, Purpose.PASSWORD_RESET), "password": "staple correct horse"},
        "changePassword": {"currentPassword": PASSWORD, "newPassword": "staple correct horse"},
        "verifyEmail": {"token": mailed(scene, Purpose.EMAIL_VERIFY)},
        "changeMe": {"profile": {"bio": "Always on time.", "phone": None}},
        "eraseMe": {"password": PASSWORD},
        "createService": SERVICE,
        "changeService": {"price": 85, "autoConfirm": True},
        "setAvailabilityException": {"windows": ["10:00", "14:00"]},
        "startUpload": {"kind": "image", "filename": "kitchen.jpg", "contentType": "image/jpeg", "size": 48_213},
        "createBooking": {"serviceId": str(scene.service_id), "scheduledAt": friday, "notes": "Ring twice."},
        "rescheduleBooking": {"scheduledAt": friday},
        "cancelBooking": {"reason": "I am ill."},
        "createReview": {"rating": 5, "comment": "On time, thorough and friendly."},
        "replyToReview": {"reply": "Thank you, come again."},
        "createRefund": {"amount": 20, "reason": "The windows were left out."},
        "createPayout": {"currency": "EUR"},
        "createWebhook": {"url": "https://hooks.example.com/", "types": ["booking.created", "payment.succeeded"]},
        "changeWebhook": {"isActive": False},
        "setNotificationPreferences": {"items": [{"type": "booking.created", "email": False}]},
    }
    if operation == "orderImages":
        return {"ids": [scene.file_id]}
    if operation == "createPayment":
        return {"bookingId": str(scene.booking_id), "paymentMethod": "mock_success"}
    if operation == "receiveMockWebhook":
        reference = {"reference": str(scene.paid_id)}
        return {"type": "payment.succeeded", "timestamp": clock.instant(clock.now()), "data": reference}
    return bodies.get(operation)


def mailed(scene: Scene, purpose: Purpose) -> str:
    return make_secret(uuid7(), scene.customer, purpose)


# Whose case it is, where it is not that of the first who may; and what it is about, where not the first of its kind.
CALLER = dict.fromkeys(("refreshSession", "getUser", "listServices", "receiveMockWebhook"), "anonymous")
CALLER |= dict.fromkeys(("completeUpload", "completeBooking", "createPayout", "createRefund"), "provider")
ABOUT = ELSEWHERE | {
    "completeBooking": {"booking_id": "begun_id"},
    "createReview": {"booking_id": "completed_id"},
    "completeUpload": {"upload_id": "arrived_id"},
    "getUser": {"user_id": "provider_id"},
}
# What has to be there for there to be anything to show.
NEEDS = {
    "listBookings": "booking_id",
    "listBookingHistory": "booking_id",
    "listPayments": "payment_id",
    "listRefunds": "refunded",
    "getBalance": "earned",
    "createPayout": "available",
    "listPayouts": "paid_out",
    "listNotifications": "notification_id",
    "countUnreadNotifications": "notification_id",
    "listWebhooks": "webhook",
    "listWebhookDeliveries": "delivery_id",
    "listReviews": "review",
    "listImages": "file_id",
    "listDocuments": "document_id",
    "listAvailabilityExceptions": "date",
    "exportMe": "booking_id",
}


def caller_of(operation: str) -> str:
    may = (name for name in CALLERS[1:] if EXPECTED[operation][CALLERS.index(name)] < 300)
    return CALLER.get(operation) or next(may, "customer")


def recorded(operation: str) -> tuple[dict[str, Any], set[str]]:
    """What is sent in this example and what is answered, and the names of the answer's headers."""
    scene = Scene()
    method, path = OPERATIONS[operation]
    getattr(scene, NEEDS.get(operation, "service"))
    parts = {name: str(getattr(scene, own)) for name, own in parameters(operation, path).items()}
    query, body = query_of(operation, scene), body_of(operation, scene)
    address = path.format(**parts) + (f"?{urlencode(query)}" if query else "")
    client, headers = scene.client(caller_of(operation)), {}
    if operation in UPLOADS:
        answer = client.upload(address, a_pdf() if operation == "addDocument" else make_upload(), method=method)
    elif operation == "receiveMockWebhook":
        content = json.dumps(body).encode()
        headers = signed(str(uuid7()), content, settings.BILLING["MOCK_WEBHOOK_SECRET"])
        answer = client.generic(method, address, content, "application/json", headers=headers)
    else:
        send = getattr(client, method.lower())
        answer = send(address) if method == "GET" else send(address, body)
    assert answer.status_code < 300, (operation, answer.content)
    found = {"path": parts, "query": query, "headers": headers, "request": body}
    found |= {"status": answer.status_code, "response": shown(answer)}
    kept = {name: value for name, value in found.items() if value not in (None, {})}
    return json.loads(Names(scene).instead(json.dumps(masked(kept)))), {*answer.headers}


def parameters(operation: str, path: str) -> dict[str, str]:
    own = {name: re.sub(r"[A-Z]", lambda m: f"_{m[0].lower()}", name) for name in re.findall(r"{(\w+)}", path)}
    return {name: ABOUT.get(operation, {}).get(attribute, attribute) for name, attribute in own.items()}


def shown(answer: Any) -> Any:
    if not answer.content:
        return None
    return answer.json() if "json" in answer["Content-Type"] else answer.content.decode()


# --- names for what is random ---

TOKEN = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
MASKS: dict[str, Any] = {
    "access": TOKEN,
    "refresh": TOKEN,
    "token": "019b8d3c6a0070008000.c2lnbmF0dXJl",
    "ticket": "dGlja2V0",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    "size": 48_213,
    "fields": {"key": "uploads/kitchen.jpg", "Content-Type": "image/jpeg", "policy": "…", "x-amz-signature": "…"},
}
URL = re.compile(r"http://127\.0\.0\.1:\d+/\S*?\.(\w+)\?\S*")
BUCKET = re.compile(r"^http://127\.0\.0\.1:\d+.*")


def masked(value: Any, name: str = "") -> Any:
    """The same with what is signed or secret replaced."""
    if name in MASKS:
        return MASKS[name]
    if isinstance(value, dict):
        return {key: masked(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [masked(part, name) for part in value]
    if isinstance(value, str):
        return BUCKET.sub("https://files.example.com/", URL.sub(r"https://files.example.com/picture.\1", value))
    return value


class Names:
    """A number for each id and address that is random, the same in every example for the same thing."""

    KNOWN = ("customer", "provider", "service", "booking", "payment", "review", "notification", "webhook", "delivery")

    def __init__(self, scene: Scene) -> None:
        made = vars(scene)
        known = [made["users"][name].pk for name in ("customer", "provider")]
        known += [made.get(f"{name}_id") for name in self.KNOWN[2:]]
        self.numbers = {str(pk): number for number, pk in enumerate(known, start=1) if pk}

    def instead(self, text: str) -> str:
        text = re.sub(r"[0-9a-f]{32}@example\.com", "ada@example.com", text)
        return re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", self._named, text)

    def _named(self, match: re.Match[str]) -> str:
        number = self.numbers.setdefault(match[0], 100 + len(self.numbers))
        return f"019b8d3c-6a00-7000-8000-{number:012d}"
