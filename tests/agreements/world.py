"""What the contract says of bookings and their money, once more, in plain Python: no database, no jobs, no Django.

`test_agreements.py` does to this what it does to the real system, and holds every answer and every row against it. It
is told what time it is. Its people are names; money is Decimal. Where a thing may be refused there are two methods:
`..._refusal` answers the status and the code of the refusal, or None, and the other one lets it happen.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from tests.agreements.terms import (
    CHARGE_WITHIN,
    DAY,
    PATIENCE,
    Booking,
    Gateway,
    Money,
    Payment,
    Refund,
    Refusal,
    Service,
    block,
    half_up,
    per_cent,
)


@dataclass
class World:
    now: datetime
    services: list[Service]
    bookings: dict[str, Booking] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    paid_out: defaultdict[tuple[str, str], Decimal] = field(
        default_factory=lambda: defaultdict(Decimal)
    )  # (provider, currency)
    told: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (who, type, the id of what it is about)
    events: set[str] = field(default_factory=set)  # ids of webhooks that have counted

    # --- bookings ---

    def is_free(self, service: Service, start: datetime, terms: Service | Booking) -> bool:
        begins, ends = block(start, terms)
        others = (b for b in self.bookings.values() if b is not terms and b.provider == service.provider)
        taken = [b.blocked() for b in others if b.blocks(self.now)]
        return service.is_open(start, terms.minutes) and not any(a < ends and begins < z for a, z in taken)

    def book_refusal(self, who: str, service: Service, start: datetime) -> Refusal:
        if refusal := service.unreachable(start, self.now):
            return refusal
        if service.provider == who:
            return 409, "own_service"
        return None if self.is_free(service, start, service) else (409, "slot_unavailable")

    def book(self, key: str, who: str, s: Service, start: datetime) -> Booking:
        terms = (s.price, s.currency, s.policy, s.minutes, s.before, s.after)
        booking = Booking(key, who, s, start, self.now, "confirmed" if s.auto else "pending", *terms)
        booking.history.append(("created", None, booking.status, who))
        self.bookings[key] = booking
        self._tell(key, "booking.created", booking.provider)
        return booking

    def move_refusal(self, who: str, booking: Booking, verb: str) -> Refusal:
        party = booking.party(who)
        if party is None:
            return 404, "not_found"
        if verb != "cancel" and party != "provider":
            return 403, "forbidden"
        sources = {"confirm": ("pending",), "complete": ("confirmed",), "cancel": ("pending", "confirmed")}
        if booking.status not in sources[verb]:
            return 409, "invalid_transition"
        started = booking.start <= self.now
        if verb == "complete":
            return None if started else (409, "too_early")
        return (409, "too_late") if started and party != "staff" else None

    def confirm(self, who: str, booking: Booking) -> None:
        self._move(booking, "confirmed", "confirmed", who)
        self._tell(booking.id, "booking.confirmed", booking.customer)

    def complete(self, who: str, booking: Booking) -> None:
        self._move(booking, "completed", "completed", who)
        self._tell(booking.id, "booking.completed", booking.customer)
        if (payment := booking.active) and payment.is_paid:
            payment.release()

    def quote(self, who: str, booking: Booking) -> Decimal:
        """What his cancelling would give back."""
        payment = booking.active
        if self.move_refusal(who, booking, "cancel") or payment is None or not payment.is_paid:
            return Decimal(0)
        return self._owed(payment, booking.party(who) or "")

    def _owed(self, payment: Payment, party: str) -> Decimal:
        booking = payment.booking
        if party != "customer":
            return payment.left
        percent = min(booking.best, booking.percent(self.now))
        return min(per_cent(payment.amount, percent, booking.currency), payment.left)

    def cancel(self, party: str, booking: Booking, who: str | None, reason: str | None) -> None:
        self._move(booking, "cancelled", "cancelled", who)
        booking.cancelled_by = party
        others = {"customer": [booking.provider], "provider": [booking.customer]}
        for side in others.get(party, [booking.customer, booking.provider]):
            self._tell(booking.id, "booking.cancelled", side)
        if (payment := booking.active) and payment.is_paid:
            if owed := self._owed(payment, party):
                self.claim(payment, owed, reason)
            payment.release()

    def reschedule_refusal(self, who: str, booking: Booking, start: datetime) -> Refusal:
        party = booking.party(who)
        if party not in ("customer", "provider"):
            return (403, "forbidden") if party else (404, "not_found")
        if refusal := booking.service.unreachable(start, self.now):
            return refusal
        if not booking.is_open:
            return 409, "invalid_transition"
        if booking.start <= self.now:
            return 409, "too_late"
        free = start == booking.start or self.is_free(booking.service, start, booking)
        return None if free else (409, "slot_unavailable")

    def reschedule(self, who: str, booking: Booking, start: datetime) -> None:
        if start == booking.start:
            return
        if booking.party(who) == "customer":
            booking.best = min(booking.best, booking.percent(self.now))
        asks_anew = booking.party(who) == "customer" and not booking.service.auto
        self._move(booking, "rescheduled", "pending" if asks_anew else booking.status, who)
        booking.start, booking.agreed_at, booking.reminded = start, self.now, False
        other = booking.provider if booking.party(who) == "customer" else booking.customer
        self._tell(booking.id, "booking.rescheduled", other)

    def lapse(self) -> None:
        for booking in self.bookings.values():
            if booking.status == "pending" and booking.start <= self.now:
                self.cancel("system", booking, None, "It was not confirmed before its start.")

    def remind(self) -> None:
        for b in self.bookings.values():
            is_due = self.now < b.start <= self.now + DAY and b.agreed_at <= b.start - DAY
            if b.status == "confirmed" and is_due and not b.reminded:
                b.reminded = True
                self._tell(b.id, "booking.reminder", b.customer)

    def _move(self, booking: Booking, event: str, status: str, who: str | None) -> None:
        booking.history.append((event, booking.status, status, who))
        booking.status = status

    def _tell(self, about: str, kind: str, *people: str) -> None:
        self.told.update((who, kind, about) for who in people)

    # --- payments ---

    def pay_refusal(self, who: str, booking: Booking) -> Refusal:
        if booking.party(who) != "customer":
            return (403, "forbidden") if booking.party(who) else (404, "not_found")
        if booking.active:
            return 409, "already_paid"
        lapsed = booking.status == "pending" and booking.start <= self.now
        if not booking.amount or booking.status == "cancelled" or lapsed:
            return 409, "booking_not_payable"
        return None

    def pay(self, key: str, booking: Booking, method: str, *, reached: bool) -> Payment:
        payment = Payment(key, booking, method, self.now, Gateway(method))
        booking.payments.append(payment)
        self.payments[key] = payment
        self.charged(payment, payment.gateway.ask() if reached else None)
        return payment

    def look_up_charge(self, payment: Payment, *, reached: bool = True) -> None:
        """What a job does, and the reconciliation: ask again, but nobody is charged a day later."""
        if payment.status != "pending" or not reached:
            return
        too_late = payment.gateway.outcome is None and self.now - payment.asked_at > CHARGE_WITHIN
        self.charged(payment, "failed" if too_late else payment.gateway.ask())

    def charged(self, payment: Payment, outcome: str | None) -> None:
        """What becomes of it is known, once."""
        if payment.status != "pending" or outcome in (None, "pending"):
            return
        booking, payment.status = payment.booking, outcome or ""
        payment.failure = payment.gateway.failure if outcome == "failed" else None
        if outcome == "failed":
            self._tell(payment.id, "payment.failed", booking.customer)
            return
        self._tell(payment.id, "payment.succeeded", booking.customer, booking.provider)
        if booking.status == "cancelled":
            self.claim(payment, payment.left, "The booking was cancelled before its payment settled.")
        elif booking.status == "completed":
            payment.release()

    def reconcile(self, *, reached: bool) -> None:
        for payment in self.payments.values():
            if payment.asked_at <= self.now - PATIENCE:
                self.look_up_charge(payment, reached=reached)
        for refund in self.refunds:
            if refund.asked_at <= self.now - PATIENCE:
                self.send(refund, reached=reached)

    def settled(self, about: Money, outcome: str | None) -> None:
        if isinstance(about, Payment):
            self.charged(about, outcome)
        else:
            self.given_back(about, outcome)

    # --- refunds ---

    def refund_refusal(self, who: str, payment: Payment, amount: Decimal | None) -> Refusal:
        party = payment.booking.party(who)
        if party in (None, "customer"):
            return (403, "forbidden") if party else (404, "not_found")
        if amount is not None and amount != half_up(amount, payment.booking.currency):
            return 422, "too_many_decimals"
        if not payment.is_paid:
            return 409, "payment_not_refundable"
        too_much = not payment.left or (amount or payment.left) > payment.left
        return (409, "refund_exceeds_payment") if too_much else None

    def claim(self, payment: Payment, amount: Decimal, reason: str | None) -> Refund:
        """Set money aside for a refund."""
        refund = Refund(payment, amount, reason, self.now, Gateway(reason or ""))
        payment.refunds.append(refund)
        return refund

    def send(self, refund: Refund, *, reached: bool = True) -> None:
        if refund.status == "pending" and reached:
            self.given_back(refund, refund.gateway.ask())

    def given_back(self, refund: Refund, outcome: str | None) -> None:
        """What becomes of it is known, once."""
        if refund.status != "pending" or outcome in (None, "pending"):
            return
        payment, refund.status = refund.payment, outcome or ""
        if outcome == "succeeded":
            payment.status = "refunded" if payment.refunded == payment.amount else "partially_refunded"
            self._tell(refund.id or "", "refund.succeeded", payment.booking.customer)
        elif payment.booking.status == "completed":
            payment.release()

    @property
    def refunds(self) -> Iterator[Refund]:
        for payment in self.payments.values():
            yield from payment.refunds

    @property
    def moneys(self) -> list[Money]:
        return [*self.payments.values(), *self.refunds]

    # --- what is the provider's ---

    def balance(self, provider: str) -> dict[str, tuple[Decimal, Decimal]]:
        """By currency: what is available, and what is pending."""
        paid = [p for p in self.payments.values() if p.is_paid and p.booking.provider == provider]
        found = {}
        for currency in {p.booking.currency for p in paid if p.share(Decimal(0))}:
            of = [p for p in paid if p.booking.currency == currency]
            available = sum((p.available for p in of), Decimal(0)) - self.paid_out.get((provider, currency), Decimal(0))
            found[currency] = available, sum((p.pending for p in of), Decimal(0))
        return found

    def payout_refusal(self, who: str, currency: str) -> Refusal:
        if who not in {s.provider for s in self.services}:
            return 403, "forbidden"
        available, _ = self.balance(who).get(currency, (Decimal(0), Decimal(0)))
        return None if available > 0 else (409, "nothing_to_pay_out")

    def pay_out(self, key: str, who: str, currency: str) -> Decimal:
        available, _ = self.balance(who)[currency]
        self.paid_out[who, currency] += available
        self._tell(key, "payout.paid", who)
        return available
