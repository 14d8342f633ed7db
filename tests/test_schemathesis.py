"""Every operation against its own declaration: schemathesis makes up requests, good and bad, and checks each answer.

All of its checks are on, the same requests each time. What is not looked at stands here with its reason.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks
from tests.test_permissions import CALLERS, ELSEWHERE, EXPECTED, World

from marketplace.api import api
from marketplace.wsgi import application
from marketplace_accounts.testing import bearer
from marketplace_notifications.models import WebhookDelivery
from marketplace_notifications.testing import make_notification

# By operation: what its rules know and no JSON Schema can say, so that a well-formed value may be a 4xx after all.
KNOWS_MORE = {
    "addDocument": "looks into the file",
    "addImage": "looks into the file",
    "changePassword": "weighs the new password, and compares the present one",
    "changeService": "knows times, zones, currencies and categories",
    "changeWebhook": "looks up the host",
    "createBooking": "refuses what lies in the past, or beyond the service's window",
    "createPayout": "knows the currencies",
    "createService": "knows times, zones, currencies and categories",
    "createWebhook": "looks up the host",
    "changeMe": "knows phone numbers",
    "eraseMe": "compares the password",
    "explainSlot": "takes years from 1900 to 9000",
    "listBookings": "wants `from` before `to`",
    "listServices": "wants spans in order and known currencies",
    "listSlots": "wants `from` before `to`, and 31 days at the most",
    "orderImages": "wants each image once",
    "receiveMockWebhook": "takes years from 1900 to 9000",
    "register": "weighs the password, knows phone numbers",
    "replyToReview": "wants more than control characters",
    "createRefund": "wants no more decimals than the currency has",
    "rescheduleBooking": "refuses what lies in the past, or beyond the service's window",
    "resetPassword": "knows its tokens",
    "setAvailabilityException": "knows times",
    "setAvatar": "looks into the file",
    "setNotificationPreferences": "wants each type once",
    "startUpload": "knows media types and sizes",
    "unsubscribe": "knows its tokens",
    "verifyEmail": "knows its tokens",
}
# The WSGI application says of the stream that another process has it.
ELSEWHERE_SERVED = {"streamNotifications"}

CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        # The one header of ours, `Authorization`, is set by the caller below, not made up.
        "generation": {"deterministic": True, "with-security-parameters": False},
        # Two methods that hardly any path has: all others take as long and say the same.
        "phases": {"coverage": {"unexpected-methods": ["TRACE", "PUT"]}},
    }
)
# Good requests only, for those who may not.
GOOD = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {"deterministic": True, "with-security-parameters": False, "mode": "positive"},
        "phases": {"coverage": {"enabled": False}, "examples": {"enabled": False}},
    }
)
DOCUMENT = json.loads(json.dumps(api.get_openapi_schema(), default=str))
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)
good = schemathesis.openapi.from_dict(DOCUMENT, config=GOOD)
schema.app = good.app = application
load_all_checks()
REPRODUCIBLE = {"deadline": None, "derandomize": True, "database": None}
PATIENT = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


class Crowd(World):
    """A world whose notifications have types of ours."""

    @cached_property
    def notification_id(self) -> Any:
        return make_notification(self.customer.pk, type="booking.created").pk

    @cached_property
    def delivery_id(self) -> Any:
        notification = make_notification(self.customer.pk, type="booking.created")
        return WebhookDelivery.objects.create(endpoint=self.webhook, notification=notification).pk

    @cached_property
    def tokens(self) -> dict[str, dict[str, str]]:
        signed_in = {name: {"Authorization": bearer(user)} for name, user in self.users.items()}
        return {"anonymous": {}} | signed_in

    def ids(self, operation: str, names: Any) -> dict[str, str]:
        other = ELSEWHERE.get(operation, {})
        snake = {name: re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name) for name in names}
        return {name: str(getattr(self, other.get(own, own))) for name, own in snake.items()}


@pytest.fixture
def world(db, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # only quicker
    return Crowd()


def may(operation: str) -> str:
    """Somebody who is let through."""
    return next((name for name in CALLERS[1:] if EXPECTED[operation][CALLERS.index(name)] < 300), "provider")


def is_good(case: Any, location: ParameterLocation) -> bool:
    component = case.meta.components.get(location)
    return component is None or component.mode.is_positive


@contextmanager
def undone() -> Iterator[None]:
    """One request, of which nothing stays. The handler would close the connection, and the transaction with it."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    before = transaction.savepoint_create()
    try:
        yield
    finally:
        transaction.savepoint_rollback(before)
        for signal in signals:
            signal.connect(close_old_connections)


def ignored(case: Any, operation: str) -> list[Any]:
    found = []
    # Text with a NUL is refused, which no pattern says: each would have to.
    if operation in KNOWS_MORE or "\\x00" in repr((case.query, case.body)):
        found.append(checks.positive_data_acceptance)
    if operation in ELSEWHERE_SERVED:
        found.append(schemathesis.checks.not_a_server_error)
    return found


def aimed(case: Any, world: Crowd) -> str:
    """The operation of the case, now with the ids of what there is."""
    operation: str = case.operation.definition.raw["operationId"]
    if is_good(case, ParameterLocation.PATH):
        case.path_parameters.update(world.ids(operation, case.path_parameters))
    if is_good(case, ParameterLocation.QUERY):
        case.query.pop("cursor", None)  # is opaque: only ours are good
    if is_good(case, ParameterLocation.HEADER):
        case.headers.pop("If-Match", None)
    return operation


@schema.parametrize()
@settings(max_examples=3, phases=[Phase.explicit, Phase.generate], suppress_health_check=PATIENT, **REPRODUCIBLE)
def test_it_does_as_it_declares(case, world):
    operation = aimed(case, world)
    headers = world.tokens[may(operation)]
    with undone():
        case.call_and_validate(headers=headers, excluded_checks=ignored(case, operation))


@good.parametrize()
@settings(max_examples=1, phases=[Phase.generate], suppress_health_check=PATIENT, **REPRODUCIBLE)
def test_it_declares_what_others_are_answered(case, world):
    operation = aimed(case, world)
    for headers in world.tokens.values():
        with undone():
            # Whose token it is and whether it is looked at is said above, and by the table of permissions.
            case.call_and_validate(headers=headers, excluded_checks=[*ignored(case, operation), checks.ignored_auth])


def test_who_knows_more_is_there():
    assert KNOWS_MORE.keys() | ELSEWHERE_SERVED <= EXPECTED.keys()
