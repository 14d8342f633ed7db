"""Who may do what: one row per operation of the OpenAPI document, one column per kind of caller.

The customer has booked a service of the provider's: one booking is open, one is paid. The other two have nothing to do
with them. An operation may have more rows, for more cases: `getService/inactive`. A status of 409 is that of somebody
who may, but not now.
"""

import re
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from marketplace.api import api
from marketplace_accounts.testing import PASSWORD, bearer, make_provider, make_session, make_user
from marketplace_billing.testing import make_payment
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit.testing import JsonClient
from marketplace_media.testing import make_pdf_bytes, make_upload
from marketplace_notifications.testing import make_notification

CALLERS = ("anonymous", "customer", "other_customer", "provider", "other_provider", "staff")
TABLE = """
"""
EXPECTED = {row.split()[0]: tuple(map(int, row.split()[1:])) for row in TABLE.strip().splitlines()}
OPERATIONS = {
    operation["operationId"]: (method.upper(), path)
    for path, item in api.get_openapi_schema()["paths"].items()
    for method, operation in item.items()
}


class World:
    """What there is, and who is in it. Whatever takes a while is made when a path asks for it."""

    def __init__(self) -> None:
        self.users = {
            "customer": make_user(password=PASSWORD),
            "other_customer": make_user(password=PASSWORD),
            "provider": make_provider(password=PASSWORD),
            "other_provider": make_provider(password=PASSWORD),
            "staff": make_user(password=PASSWORD, is_staff=True),
        }
        self.customer, self.provider = self.users["customer"], self.users["provider"]
        self.service = make_service(self.provider)
        self.service_id = self.service.pk

    def client(self, caller: str) -> JsonClient:
        user = self.users.get(caller)
        return JsonClient() if user is None else JsonClient(HTTP_AUTHORIZATION=bearer(user))

    @cached_property
    def inactive_id(self) -> Any:
        return make_service(self.provider, is_active=False).pk

    @cached_property
    def booking_id(self) -> Any:
        return make_booking(self.customer, self.service).pk

    @cached_property
    def payment_id(self) -> Any:
        return make_payment(self.customer, self.service, a_start(timedelta(days=4))).pk

    @cached_property
    def user_id(self) -> Any:
        assert self.booking_id
        return self.customer.pk

    @cached_property
    def provider_id(self) -> Any:
        return self.provider.pk

    @cached_property
    def session_id(self) -> Any:
        return make_session(self.customer)[0].pk

    @cached_property
    def notification_id(self) -> Any:
        return make_notification(self.customer.pk).pk

    @cached_property
    def file_id(self) -> Any:
        return self.made(self.client("provider").upload(f"{self.services}/images", make_upload()))["id"]

    @cached_property
    def document_id(self) -> Any:
        return self.made(self.client("provider").upload(f"{self.services}/documents", a_pdf()))["id"]

    @cached_property
    def upload_id(self) -> Any:
        return self.made(self.client("provider").post(f"{self.services}/uploads", UPLOAD))["uploadId"]

    @property
    def services(self) -> str:
        return f"/api/v1/services/{self.service_id}"

    @staticmethod
    def made(answer: Any) -> Any:
        assert answer.status_code == 201, answer.content
        return answer.json()


UPLOAD = {"kind": "image", "filename": "a.png", "contentType": "image/png", "size": 1000}
SERVICE = {
    "title": "Yoga",
    "description": "On the mat.",
    "category": "yoga",
    "price": 10,
    "currency": "USD",
    "duration": 60,
    "timezone": "UTC",
    "availability": {"monday": ["09:00", "17:00"]},
}
PROFILE = {"firstName": "Ada", "lastName": "Lovelace"}
ADDRESS = {"date": "2030-01-01"}
# Where a case is about something else than the first of its kind.
ELSEWHERE = {
    "getService/inactive": {"service_id": "inactive_id"},
    "listSlots/inactive": {"service_id": "inactive_id"},
    "getUser/provider": {"user_id": "provider_id"},
    "deleteDocument": {"file_id": "document_id"},
}
QUERIES = {"listSlots": "?from=2030-01-01T00:00:00Z&to=2030-01-02T00:00:00Z", "unsubscribe": "?token=unknown"}
QUERIES["explainSlot"] = "?start=2030-01-01T00:00:00Z"
UPLOADS = {"setAvatar", "addImage", "addDocument"}


def a_pdf() -> Any:
    return make_upload(make_pdf_bytes(), "paper.pdf")


def body_of(operation: str, caller: str, world: World) -> Any:
    """What the caller sends: good enough to be done, if he may."""
    user = world.users.get(caller)
    start = (a_start() + timedelta(days=1)).isoformat()
    bodies: dict[str, Any] = {
        "register": {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "role": "customer", "profile": PROFILE},
        "logIn": {"email": world.customer.email, "password": PASSWORD},
        "refreshSession": {"refresh": "unknown"},
        "logOut": {"refresh": "unknown"},
        "forgotPassword": {"email": world.customer.email},
        "resetPassword": {"token": "unknown", "password": PASSWORD},
        "changePassword": {"currentPassword": PASSWORD, "newPassword": "staple correct horse"},
        "verifyEmail": {"token": "unknown"},
        "changeMe": {"profile": {"bio": "Somebody."}},
        "eraseMe": {"password": PASSWORD},
        "createService": SERVICE,
        "changeService": {"title": "Another"},
        "setAvailabilityException": {"windows": []},
        "orderImages": {"ids": [world.file_id] if operation == "orderImages" else []},
        "startUpload": UPLOAD,
        "createBooking": {"serviceId": str(world.service_id), "scheduledAt": start},
        "cancelBooking": {},
        "rescheduleBooking": {"scheduledAt": start},
        "createRefund": {},
        "setNotificationPreferences": {"items": []},
    }
    if operation == "createPayment":
        return {"bookingId": str(world.booking_id), "paymentMethod": "mock_success"}
    return bodies.get(operation, {} if user is None else None)


def status(case: str, caller: str, world: World) -> int:
    """What the caller is answered."""
    operation = case.partition("/")[0]
    method, path = OPERATIONS[operation]
    elsewhere = ELSEWHERE.get(case, {})

    def value(match: re.Match[str]) -> str:
        name = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", match[1])
        return ADDRESS.get(name) or str(getattr(world, elsewhere.get(name, name)))

    address = re.sub(r"{(\w+)}", value, path) + QUERIES.get(operation, "")
    client = world.client(caller)
    if operation in UPLOADS:
        file = a_pdf() if operation == "addDocument" else make_upload()
        return client.upload(address, file, method=method).status_code
    return getattr(client, method.lower())(address, *([] if method == "GET" else [body_of(operation, caller, world)])).status_code


def test_every_operation_has_a_row():
    """A new operation is nobody's until somebody has said whose."""
    assert sorted({case.partition("/")[0] for case in EXPECTED}) == sorted(OPERATIONS)


@pytest.mark.django_db
@pytest.mark.parametrize("case", EXPECTED)
def test_who_may(case):
    found = {}
    for caller in CALLERS:
        # Each starts from the same world, which what the one before did is not in.
        with transaction.atomic():
            found[caller] = status(case, caller, World())
            transaction.set_rollback(True)

    assert found == dict(zip(CALLERS, EXPECTED[case], strict=True))
