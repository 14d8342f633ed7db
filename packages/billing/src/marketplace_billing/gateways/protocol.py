"""What a payment gateway must be able to do; a real one (Stripe's kind) fits it unchanged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, Protocol, cast

from django.utils.module_loading import import_string

from ..conf import conf


class Outcome(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Kind(StrEnum):
    """What money does at a gateway: it comes in, or goes back."""

    CHARGE = "charge"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Result:
    """What the gateway says of a charge or a refund, and the name that it gave it."""

    outcome: Outcome
    reference: str
    failure_code: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What the gateway tells by itself: what became of the charge or refund that has our key."""

    kind: Kind
    key: str
    result: Result


@dataclass(frozen=True, slots=True)
class Line:
    """Money that moved, as the gateway's books have it."""

    kind: Kind
    key: str
    amount: Decimal
    currency: str


class GatewayError(Exception):
    """The gateway did not answer, or not with a result: nothing is known, and asking again is safe."""


class Gateway(Protocol):
    """Every call carries our own key, so that the same call twice is one charge; it is kept beside the gateway's own
    name (Stripe: `Idempotency-Key` and `metadata`). Called outside of transactions. Raises GatewayError.
    """

    name: str  # its webhooks come in at `/payments/webhooks/<name>`
    methods: Sequence[str]  # the payment methods that there are; none: any text

    def charge(self, *, key: str, amount: Decimal, currency: str, method: str) -> Result:
        """Take the money: create and confirm."""
        ...

    def refund(self, *, key: str, charge: str, amount: Decimal, currency: str, reason: str) -> Result:
        """Give back `amount` of the charge that the gateway named so."""
        ...

    def find_charge(self, key: str) -> Result | None:
        """What became of the charge with this key; None: it was never asked for."""
        ...

    def find_refund(self, key: str) -> Result | None:
        """What became of the refund with this key; None: it was never asked for."""
        ...

    def verify(self, headers: Mapping[str, str], body: bytes) -> str:
        """The id of a webhook's event. Raises kit's BadSignature."""
        ...

    def event(self, payload: Mapping[str, Any]) -> Event | None:
        """What a verified webhook's JSON says; None where it is nothing to us."""
        ...

    def statement(self) -> Iterator[Line]:
        """All the money that it took and gave back."""
        ...


@cache
def _gateway(path: str) -> Gateway:
    return cast(Gateway, import_string(path)())


def gateway() -> Gateway:
    """The gateway that the settings name."""
    return _gateway(conf.GATEWAY)
