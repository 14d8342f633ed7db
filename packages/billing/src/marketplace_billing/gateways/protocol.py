"""What a payment gateway must be able to do; a real one (Stripe's kind) fits it unchanged."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Protocol, cast

from django.utils.module_loading import import_string

from ..conf import conf


class Outcome(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """What the gateway says of a charge or a refund, and the name that it gave it."""

    outcome: Outcome
    reference: str
    failure_code: str | None = None


class GatewayError(Exception):
    """The gateway did not answer, or not with a result: nothing is known, and asking again is safe."""


class Gateway(Protocol):
    """Every call carries our own key, so that the same call twice is one charge. Raises GatewayError."""

    def charge(self, *, key: str, amount: Decimal, currency: str, method: str) -> Result: ...

    def refund(self, *, key: str, charge: str, amount: Decimal, currency: str) -> Result: ...


@cache
def _gateway(path: str) -> Gateway:
    return cast(Gateway, import_string(path)())


def gateway() -> Gateway:
    """The gateway that the settings name."""
    return _gateway(conf.GATEWAY)
