"""Who may do what: one row per operation of the OpenAPI document, one column per kind of caller.

The customer has booked a service of the provider's: one booking is open, one is paid. The other two have nothing to do
with them. An operation may have more rows, for more cases: `getService/inactive`. A status of 409 is that of somebody
who may, but not now; a 503 at the stream that it has a process of its own.
"""

import re
from datetime import timedelta
from functools import cache, cached_property
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from marketplace.api import api
from marketplace_accounts.models import User
from marketplace_accounts.testing import PASSWORD, bearer, make_provider, make_session, make_user
from marketplace_billing.testing import make_payment
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service
from marketplace_kit.testing import JsonClient
from marketplace_media.testing import make_pdf_bytes, make_upload
from marketplace_notifications.testing import make_notification, make_webhook, make_webhook_delivery
from marketplace_reviews.testing import make_completed_booking, make_review

CALLERS = ("anonymous", "customer", "other_customer", "provider", "other_provider", "staff")
TABLE = """
#                           anonymous  customer  other_customer  provider  other_provider  staff
register                       201       201          201          201          201         201
logIn                          200       200          200          200          200         200
refreshSession                 401       401          401          401          401         401
logOut                         204       204          204          204          204         204
listSessions                   401       200          200          200          200         200
endSession                     401       204          404          404          404         404
forgotPassword                 202       202          202          202          202         202
resetPassword                  400       400          400          400          400         400
changePassword                 401       204          204          204          204         204
verifyEmail                    400       400          400          400          400         400
resendVerification             401       202          202          202          202         202
getMe                          401       200          200          200          200         200
changeMe                       401       200          200          200          200         200
eraseMe                        401       204          204          204          204         204
setAvatar                      401       200          200          200          200         200
removeAvatar                   401       204          204          204          204         204
exportMe                       401       200          200          200          200         200
getUser                        404       200          404          200          404         404
getUser/provider               200       200          200          200          200         200
listServices                   200       200          200          200          200         200
createService                  401       403          403          201          201         403
listCategories                 200       200          200          200          200         200
getService                     200       200          200          200          200         200
getService/inactive            404       404          404          200          404         200
changeService                  401       403          403          200          403         403
deleteService                  401       403          403          204          403         403
listSlots                      200       200          200          200          200         200
listSlots/inactive             404       404          404          200          404         200
explainSlot                    200       200          200          200          200         200
listAvailabilityExceptions     200       200          200          200          200         200
setAvailabilityException       401       403          403          200          403         403
clearAvailabilityException     401       403          403          204          403         403
addImage                       401       403          403          201          403         403
listImages                     200       200          200          200          200         200
orderImages                    401       403          403          200          403         403
deleteImage                    401       403          403          204          403         403
addDocument                    401       403          403          201          403         403
listDocuments                  200       200          200          200          200         200
deleteDocument                 401       403          403          204          403         403
startUpload                    401       403          403          201          403         403
completeUpload                 401       404          404          409          404         404
createBooking                  401       201          201          409          201         201
listBookings                   401       200          200          200          200         200
getBooking                     401       200          404          200          404         200
listBookingHistory             401       200          404          200          404         200
confirmBooking                 401       403          404          200          404         403
completeBooking                401       403          404          409          404         403
rescheduleBooking              401       200          404          200          404         403
getBookingCalendar             401       200          404          200          404         200
cancelBooking                  401       200          404          200          404         200
createReview                   401       409          404          403          404         403
createReview/completed         401       201          404          403          404         403
getReview                      401       200          404          200          404         200
listReviews                    200       200          200          200          200         200
listReviews/inactive           404       404          404          200          404         200
replyToReview                  401       403          403          200          403         403
createPayment                  401       201          404          403          404         403
listPayments                   401       200          200          200          200         200
getPayment                     401       200          404          200          404         200
createRefund                   401       403          404          201          404         201
listRefunds                    401       200          404          200          404         200
getRefundQuote                 401       200          404          200          404         200
getBalance                     401       403          403          200          200         403
createPayout                   401       403          403          409          409         403
listPayouts                    401       403          403          200          200         403
receiveMockWebhook             401       401          401          401          401         401
listNotifications              401       200          200          200          200         200
countUnreadNotifications       401       200          200          200          200         200
markAllNotificationsRead       401       204          204          204          204         204
streamNotifications            401       503          503          503          503         503
issueStreamTicket              401       201          201          201          201         201
getNotificationPreferences     401       200          200          200          200         200
setNotificationPreferences     401       200          200          200          200         200
unsubscribe                    400       400          400          400          400         400
markNotificationRead           401       200          404          404          404         404
listWebhooks                   401       200          200          200          200         200
createWebhook                  401       201          201          201          201         201
getWebhook                     401       200          404          404          404         404
changeWebhook                  401       200          404          404          404         404
deleteWebhook                  401       204          404          404          404         404
rotateWebhookSecret            401       200          404          404          404         404
listWebhookDeliveries          401       200          404          404          404         404
retryWebhookDelivery           401       202          404          404          404         404
getLiveness                    200       200          200          200          200         200
getReadiness                   200       200          200          200          200         200
"""
ROWS = [row.split() for row in TABLE.splitlines() if row and not row.startswith("#")]
EXPECTED = {case: tuple(map(int, statuses)) for case, *statuses in ROWS}
OPERATIONS = {
    operation["operationId"]: (method.upper(), path)
    for path, item in api.get_openapi_schema()["paths"].items()
    for method, operation in item.items()
}


@cache
def hashed(hasher: str) -> str:
    """PASSWORD, hashed once: it takes a while."""
    return make_password(PASSWORD)


class World:
    """What there is, and who is in it. Whatever takes a while is made when a path asks for it."""

    def __init__(self) -> None:
        self.users = {
            "customer": make_user(),
            "other_customer": make_user(),
            "provider": make_provider(),
            "other_provider": make_provider(),
            "staff": make_user(is_staff=True),
        }
        User.objects.update(password=hashed(settings.PASSWORD_HASHERS[0]))
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
    def completed_id(self) -> Any:
        return make_completed_booking(self.customer, self.service).pk

    @cached_property
    def review(self) -> Any:
        return make_review(self.customer, self.service)

    @cached_property
    def review_id(self) -> Any:
        return self.review.pk

    @cached_property
    def reviewed_id(self) -> Any:
        return self.review.booking_id

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
    def webhook(self) -> Any:
        return make_webhook(self.customer.pk)

    @cached_property
    def webhook_id(self) -> Any:
        return self.webhook.pk

    @cached_property
    def delivery_id(self) -> Any:
        return make_webhook_delivery(self.webhook).pk

    @cached_property
    def file_id(self) -> Any:
        return self.made(self.client("provider").upload(f"{self.services}/images", make_upload()))["id"]

    @cached_property
    def document_id(self) -> Any:
        return self.made(self.client("provider").upload(f"{self.services}/documents", a_pdf()))["id"]

    @cached_property
    def upload_id(self) -> Any:
        return self.made(self.client("provider").post(f"{self.services}/uploads", UPLOAD))["uploadId"]

    @cached_property
    def date(self) -> str:
        """A day that is closed."""
        answer = self.client("provider").put(f"{self.services}/availability/exceptions/2030-01-01", {"windows": []})
        assert answer.status_code == 200, answer.content
        return "2030-01-01"

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
# Where a case is about something else than the first of its kind.
ELSEWHERE = {
    "getService/inactive": {"service_id": "inactive_id"},
    "listSlots/inactive": {"service_id": "inactive_id"},
    "getUser/provider": {"user_id": "provider_id"},
    "deleteDocument": {"file_id": "document_id"},
    "createReview/completed": {"booking_id": "completed_id"},
    "getReview": {"booking_id": "reviewed_id"},
    "listReviews/inactive": {"service_id": "inactive_id"},
}
QUERIES = {"listSlots": "?from=2030-01-01T00:00:00Z&to=2030-01-02T00:00:00Z", "unsubscribe": "?token=unknown"}
QUERIES |= {"explainSlot": "?start=2030-01-01T00:00:00Z", "getRefundQuote": "?bookingId={bookingId}"}
UPLOADS = {"setAvatar", "addImage", "addDocument"}


def a_pdf() -> Any:
    return make_upload(make_pdf_bytes(), "paper.pdf")


def body_of(operation: str, world: World) -> Any:
    """What is sent: good enough to be done for who may."""
    start = (a_start() + timedelta(days=1)).isoformat()
    bodies: dict[str, Any] = {
        "register": {
            "email": f"{uuid4().hex}@example.com",
            "password": PASSWORD,
            "role": "customer",
            "profile": PROFILE,
        },
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
        "createReview": {"rating": 5},
        "replyToReview": {"reply": "Thank you."},
        "createRefund": {},
        "createPayout": {"currency": "USD"},
        "createWebhook": {"url": "https://hooks.example.com/"},
        "changeWebhook": {"isActive": False},
        "setNotificationPreferences": {"items": [{"type": "booking.created", "email": False}]},
    }
    if operation == "createPayment":
        return {"bookingId": str(world.booking_id), "paymentMethod": "mock_success"}
    return bodies.get(operation)


def status(case: str, caller: str, world: World) -> int:
    """What the caller is answered."""
    operation = case.partition("/")[0]
    method, path = OPERATIONS[operation]
    elsewhere = ELSEWHERE.get(case, {})

    def value(match: re.Match[str]) -> str:
        name = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", match[1])
        return str(getattr(world, elsewhere.get(name, name)))

    address = re.sub(r"{(\w+)}", value, path + QUERIES.get(operation, ""))
    client = world.client(caller)
    if operation in UPLOADS:
        file = a_pdf() if operation == "addDocument" else make_upload()
        return client.upload(address, file, method=method).status_code
    if method == "GET":
        return client.get(address).status_code
    return getattr(client, method.lower())(address, body_of(operation, world)).status_code


def test_every_operation_has_a_row():
    """A new operation is nobody's until somebody has said whose."""
    assert len(ROWS) == len(EXPECTED)
    assert sorted({case.partition("/")[0] for case in EXPECTED}) == sorted(OPERATIONS)


@pytest.mark.django_db
@pytest.mark.parametrize("case", EXPECTED)
def test_who_may(case):
    found = {}
    for caller in CALLERS:
        # Each has a world of its own, and leaves none. No `atomic`, in which nobody could be durable.
        before = transaction.savepoint_create()
        found[caller] = status(case, caller, World())
        transaction.savepoint_rollback(before)

    assert found == dict(zip(CALLERS, EXPECTED[case], strict=True))


@pytest.mark.django_db
def test_lists_are_ones_own():
    world = World()
    mine = (world.booking_id, world.payment_id, world.notification_id, world.session_id, world.webhook_id)
    ids = {str(one) for one in mine}
    lists = ("listBookings", "listPayments", "listNotifications", "listSessions", "listWebhooks")

    def shown(caller: str) -> set[str]:
        client = world.client(caller)
        return {item["id"] for name in lists for item in client.get(OPERATIONS[name][1]).json()["items"]}

    assert ids <= shown("customer")
    assert shown("provider") & ids == {str(world.booking_id), str(world.payment_id)}
    for stranger in ("other_customer", "other_provider", "staff"):
        assert not shown(stranger) & ids
