"""What there is in the world that `test_agreements.py` holds the system against: services, bookings, money."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

type Refusal = tuple[int, str] | None  # the status and the code, or None: nothing speaks against it

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PATIENCE = timedelta(seconds=20)  # after which a charge without an answer is looked up
CHARGE_WITHIN = DAY  # after which one that was never asked for is given up
EXPONENTS = {"USD": 2, "JPY": 0, "KWD": 3}
FEE = 10  # per cent
# What a customer gets back: so many per cent until so long before the start.
POLICIES = {
    "flexible": [(24 * HOUR, 100), (timedelta(0), 50)],
    "moderate": [(72 * HOUR, 100), (24 * HOUR, 50)],
    "strict": [(168 * HOUR, 50)],
}
# What the mock plays: what it says at once (None: nothing), what it has done, what becomes of it, and why it fails.
PLAYS = {
    "mock_success": ("succeeded", "succeeded", "succeeded", None),
    "mock_declined": ("failed", "failed", "failed", "card_declined"),
    "mock_insufficient_funds": ("failed", "failed", "failed", "insufficient_funds"),
    "mock_pending": ("pending", "pending", "succeeded", None),
    "mock_pending_failure": ("pending", "pending", "failed", "card_declined"),
    "mock_timeout": (None, "succeeded", "succeeded", None),
    "mock_failure": ("failed", "failed", "failed", "refund_failed"),
}


def per_cent(amount: Decimal, percent: Decimal | int, currency: str) -> Decimal:
    """Rounded to the currency, halves up."""
    return half_up(amount * percent / 100, currency)


def half_up(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-EXPONENTS[currency]), ROUND_HALF_UP)


@dataclass
class Service:
    provider: str
    price: Decimal
    currency: str
    policy: str
    auto: bool = False
    minutes: int = 60
    before: int = 0
    after: int = 0
    interval: int = 30
    notice: int = 0  # minutes
    window: int = 60  # days
    opens: int = 0  # minutes since midnight, UTC, on each day
    closes: int = 1440
    id: str = ""

    def unreachable(self, start: datetime, now: datetime) -> Refusal:
        if start <= now:
            return 422, "in_the_past"
        if start < now + timedelta(minutes=self.notice):
            return 422, "too_soon"
        return (422, "too_far") if start > now + self.window * DAY else None

    def is_open(self, start: datetime, minutes: int) -> bool:
        """Round the clock one day joins the next; else a slot ends before the closing."""
        of_day = (start - start.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(minutes=1)
        last = 1440 if self.closes - self.opens == 1440 else self.closes - minutes + 1
        return self.opens <= of_day < last and (of_day - self.opens) % self.interval == 0


@dataclass(eq=False)
class Gateway:
    """What the other side of the wire knows of one charge or refund: nothing, until it is asked."""

    method: str
    outcome: str | None = None
    in_the_end: str | None = None
    failure: str | None = None

    def ask(self) -> str | None:
        """What it answers; the same again where it was asked before. None: it does not answer."""
        if self.outcome is not None:
            return self.outcome
        answer, self.outcome, self.in_the_end, self.failure = PLAYS.get(self.method, PLAYS["mock_success"])
        return answer

    def settle(self, outcome: str | None = None) -> None:
        """What is pending comes to its end; to this one, if somebody says so who has the secret."""
        if self.outcome == "pending":
            self.outcome = outcome or self.in_the_end
            self.failure = (self.failure or "card_declined") if self.outcome == "failed" else None


@dataclass(eq=False)
class Refund:
    payment: "Payment"
    amount: Decimal
    reason: str | None
    asked_at: datetime
    gateway: Gateway
    id: str | None = None  # of one that came by itself it is not known yet
    status: str = "pending"


@dataclass(eq=False)
class Payment:
    id: str
    booking: "Booking"
    method: str
    asked_at: datetime
    gateway: Gateway
    status: str = "pending"
    failure: str | None = None
    refunds: list[Refund] = field(default_factory=list)
    released: Decimal = Decimal(0)  # the most of the share that was ever the provider's to have

    @property
    def amount(self) -> Decimal:
        return self.booking.amount

    @property
    def is_paid(self) -> bool:
        return self.status in ("succeeded", "partially_refunded", "refunded")

    @property
    def is_awaited(self) -> bool:
        """Whether it is not known what becomes of it, or of one of its refunds."""
        return "pending" in (self.status, *(refund.status for refund in self.refunds))

    def sum(self, *statuses: str) -> Decimal:
        return sum((r.amount for r in self.refunds if r.status in statuses), Decimal(0))

    @property
    def refunded(self) -> Decimal:
        return self.sum("succeeded")

    @property
    def claimed(self) -> Decimal:
        return self.sum("succeeded", "pending")

    @property
    def left(self) -> Decimal:
        return self.amount - self.claimed

    @property
    def fee(self) -> Decimal:
        return per_cent(self.amount, FEE, self.booking.currency)

    def fee_given_back(self, refunded: Decimal) -> Decimal:
        return half_up(self.fee * refunded / self.amount, self.booking.currency)

    def share(self, refunded: Decimal) -> Decimal:
        """The provider's, once so much is refunded."""
        return self.amount - refunded - (self.fee - self.fee_given_back(refunded))

    @property
    def available(self) -> Decimal:
        return min(self.released, self.share(self.refunded)) if self.is_paid else Decimal(0)

    @property
    def pending(self) -> Decimal:
        return self.share(self.refunded) - self.available if self.is_paid else Decimal(0)

    def release(self) -> None:
        self.released = max(self.released, self.share(self.claimed))


type Money = Payment | Refund


@dataclass(eq=False)
class Booking:
    id: str
    customer: str
    service: Service
    start: datetime
    agreed_at: datetime
    status: str
    # As they were when it was booked.
    amount: Decimal
    currency: str
    policy: str
    minutes: int
    before: int
    after: int
    best: int = 100  # per cent: no later refund is better than at each of its customer's moves
    cancelled_by: str | None = None
    reminded: bool = False
    history: list[tuple[str, str | None, str, str | None]] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)

    @property
    def provider(self) -> str:
        return self.service.provider

    @property
    def is_open(self) -> bool:
        return self.status in ("pending", "confirmed")

    @property
    def active(self) -> Payment | None:
        return next((p for p in self.payments if p.status != "failed"), None)

    def blocks(self, now: datetime) -> bool:
        return self.status in ("confirmed", "completed") or (self.status == "pending" and self.start > now)

    def blocked(self) -> tuple[datetime, datetime]:
        return block(self.start, self)

    def percent(self, now: datetime) -> int:
        """What its customer's cancelling now would give back, by the policy alone."""
        return next((percent for until, percent in POLICIES[self.policy] if self.start - now >= until), 0)

    def party(self, who: str) -> str | None:
        sides = {self.customer: "customer", self.provider: "provider"}
        return sides.get(who, "staff" if who == "staff" else None)


def block(start: datetime, terms: Service | Booking) -> tuple[datetime, datetime]:
    minutes = timedelta(minutes=1)
    return start - terms.before * minutes, start + (terms.minutes + terms.after) * minutes
