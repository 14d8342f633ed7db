"""The rows of bookings: the time that they hold, themselves, and their history."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from marketplace_booking.lifecycle import BookingStatus, Event, Party
from marketplace_booking.models import Booking, HistoryEntry
from marketplace_kit.clock import instant
from marketplace_scheduling.models import Reservation

from .agreements import Agreement
from .loading import Batch, Row
from .offers import Offers
from .plan import Plan
from .words import words_of


class Records:
    """Writes agreements down, as the actions do."""

    def __init__(self, plan: Plan, offers: Offers) -> None:
        self.plan = plan
        self.offers = offers
        self.people = offers.people

    def batch(self, agreements: list[Agreement]) -> Batch:
        return {
            Reservation: [self._reservation(it) for it in agreements if it.status is not BookingStatus.CANCELLED],
            Booking: [self._booking(it) for it in agreements],
            HistoryEntry: [entry for it in agreements for entry in self._history(it)],
        }

    def _reservation(self, it: Agreement) -> Row:
        before, after = timedelta(minutes=it.terms.buffer_before), timedelta(minutes=it.terms.buffer_after)
        return {
            "id": self.plan.row_id("reservation", it.number),
            "provider_id": self.people.provider_id(it.terms.provider),
            "during": _range(it.start, it.end),
            "blocked": _range(it.start - before, it.end + after),
            "expires_at": it.start if it.status is BookingStatus.PENDING else None,
        }

    def _booking(self, it: Agreement) -> Row:
        held = it.status is not BookingStatus.CANCELLED
        return {
            "id": self.plan.row_id("booking", it.number),
            "customer_id": self.people.customer_id(it.customer),
            "provider_id": self.people.provider_id(it.terms.provider),
            "service_id": self.offers.service_id(it.terms.number),
            "reservation_id": self.plan.row_id("reservation", it.number) if held else None,
            "status": it.status,
            "scheduled_at": it.start,
            "ends_at": it.end,
            "cancelled_by": it.cancelled_by,
            "cancellation_reason": it.reason,
            "agreed_at": it.moved_at or it.created_at,
            "reminded_at": it.reminded_at(self.plan.end),
            "created_at": it.created_at,
            "updated_at": it.changed_at,
            **self._agreed(it),
        }

    def _agreed(self, it: Agreement) -> Row:
        """The terms, as the service has them."""
        chance, terms = self.plan.chance("note", it.number), it.terms
        return {
            "timezone": terms.place.timezone,
            "duration": terms.duration,
            "buffer_before": terms.buffer_before,
            "buffer_after": terms.buffer_after,
            "total_amount": terms.price,
            "currency": terms.place.currency,
            "cancellation_policy": terms.policy,
            "notes": chance.pick(words_of(terms.place.languages[0]).notes) if chance.happens(0.3) else "",
        }

    def _history(self, it: Agreement) -> Iterator[Row]:
        before = None
        for place, (event, status, actor, at) in enumerate(self._happened(it)):
            if at is not None:
                yield {
                    "id": self.plan.row_id("history", len(Event) * it.number + place),
                    "booking_id": self.plan.row_id("booking", it.number),
                    "action": event,
                    "from_status": before,
                    "to_status": status,
                    "actor_id": actor,
                    "reason": it.reason if event is Event.CANCELLED else None,
                    "data": _moved(it) if event is Event.RESCHEDULED else "{}",
                    "created_at": at,
                }
                before = status

    def _happened(self, it: Agreement) -> Iterable[tuple[Event, BookingStatus, str | None, datetime | None]]:
        """What there is to tell, by whom and when, oldest first; without a moment it did not happen."""
        provider, customer = self.people.provider_id(it.terms.provider), self.people.customer_id(it.customer)
        actors: dict[Party | None, str] = {Party.PROVIDER: provider, Party.CUSTOMER: customer}
        first = BookingStatus.CONFIRMED if it.terms.auto_confirm else BookingStatus.PENDING
        return (
            (Event.CREATED, first, customer, it.created_at),
            (Event.CONFIRMED, BookingStatus.CONFIRMED, provider, it.confirmed_at),
            (Event.RESCHEDULED, BookingStatus.CONFIRMED, provider, it.moved_at),
            (Event.COMPLETED, BookingStatus.COMPLETED, provider, it.completed_at),
            (Event.CANCELLED, BookingStatus.CANCELLED, actors.get(it.cancelled_by), it.cancelled_at),
        )


def _moved(it: Agreement) -> str:
    return json.dumps({"from": instant(it.moved_from), "to": instant(it.start)}) if it.moved_from else "{}"


def _range(start: datetime, end: datetime) -> str:
    return f"[{start.isoformat()},{end.isoformat()})"
