"""Who booked what, when, and what became of it."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

from marketplace_booking.lifecycle import BookingStatus, Party
from marketplace_booking.models import REMINDER

from .kinds import Window
from .offers import Offers, Terms
from .people import first_service
from .plan import Chance, Plan
from .words import words_of

AHEAD = 30  # days from now on in which there are bookings
PATIENCE = 4  # so many dates are tried; who finds none free is turned down
POPULARITY = (1, 1, 1, 1, 2, 2, 3, 6)
PART = 5_000  # bookings, about, that are made together
LAPSED = "It was not confirmed before its start."
LATEST_REPORT = timedelta(hours=6)  # after its end, that a booking is marked as completed


@dataclass(slots=True)
class Agreement:
    """A booking and its life. What did not happen is None."""

    number: int
    customer: int
    terms: Terms
    start: datetime
    end: datetime
    created_at: datetime
    status: BookingStatus
    confirmed_at: datetime | None = None
    moved_at: datetime | None = None
    moved_from: datetime | None = None
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancelled_by: Party | None = None
    reason: str | None = None

    @property
    def changed_at(self) -> datetime:
        return self.cancelled_at or self.completed_at or self.moved_at or self.confirmed_at or self.created_at

    def reminded_at(self, now: datetime) -> datetime | None:
        """A day ahead, where it was agreed on by then, and still is."""
        due = self.start - REMINDER
        firm = self.status in (BookingStatus.CONFIRMED, BookingStatus.COMPLETED)
        agreed = max(self.created_at, self.confirmed_at or self.created_at, self.moved_at or self.created_at)
        return due if firm and agreed <= due <= now else None


class Diary:
    """The time that one provider has given away."""

    def __init__(self) -> None:
        self._blocks: list[tuple[datetime, datetime]] = []

    def takes(self, start: datetime, end: datetime) -> bool:
        """Keep the span if it is free."""
        place = bisect_right(self._blocks, (start, end))
        before, after = self._blocks[place - 1 : place], self._blocks[place : place + 1]
        if any(other_end > start for _, other_end in before) or any(other_start < end for other_start, _ in after):
            return False
        self._blocks.insert(place, (start, end))
        return True


class Agreements:
    """The bookings of a plan, provider by provider."""

    def __init__(self, plan: Plan, offers: Offers) -> None:
        self.plan = plan
        self.offers = offers
        self.first = _first_bookings(plan)

    def booking_id(self, number: int) -> str:
        return self.plan.row_id("booking", number)

    def parts(self) -> list[range]:
        """Of whole providers each: two of them never meet."""
        ends = [0]
        for end in self.first[1:]:
            if end - ends[-1] >= PART or (end == self.plan.bookings and end > ends[-1]):
                ends.append(end)
        return [range(a, b) for a, b in pairwise(ends)]

    def within(self, numbers: range) -> Iterator[Agreement]:
        """The bookings of a part, in the order of their numbers."""
        provider = bisect_right(self.first, numbers.start) - 1
        while provider < self.plan.sellers and self.first[provider] < numbers.stop:
            services, diary = self.offers.owners.booked(provider), Diary()
            for number in range(self.first[provider], self.first[provider + 1]):
                yield self._agree(number, services, diary)
            provider += 1

    def _agree(self, number: int, services: list[int], diary: Diary) -> Agreement:
        chance = self.plan.chance("booking", number)
        terms = self.offers.terms(services[chance.few(len(services))])
        length, after = timedelta(minutes=terms.duration), timedelta(minutes=terms.buffer_after)
        before = timedelta(minutes=terms.buffer_before)
        for _ in range(PATIENCE):
            start = self._start(terms, chance)
            has_room = diary.takes(start - before, start + length + after)
            if has_room:
                break
        created = self._created(terms, start, chance)
        customer = chance.few(self.plan.there_by(created, self.plan.customers))
        status = BookingStatus.CONFIRMED if terms.auto_confirm else BookingStatus.PENDING
        agreement = Agreement(number, customer, terms, start, start + length, created, status)
        _live(agreement, chance, self.plan.end, has_room)
        return agreement

    def _start(self, terms: Terms, chance: Chance) -> datetime:
        """A start in the hours and on the grid of the service, in the past or in the month to come."""
        opened = terms.created_at.date() + timedelta(days=2) + timedelta(minutes=terms.notice)
        latest = self.plan.today + timedelta(days=min(AHEAD, terms.window - 8))
        first = max(opened, self.plan.today) if chance.happens(0.15) else opened
        day = first + timedelta(days=int(chance.random() * ((latest - first).days + 1)))
        while not terms.hours.week[day.weekday()]:
            day += timedelta(days=1)
        fitting = [w for w in terms.hours.week[day.weekday()] if w.closes - w.opens >= terms.duration]
        if not fitting:  # the day's windows are all short: the week has another
            return self._start(terms, chance)
        return _on_grid(terms, day, chance.pick(fitting), chance)

    def _created(self, terms: Terms, start: datetime, chance: Chance) -> datetime:
        """When it was booked: mostly late, never inside the notice, beyond the window or before there was a service."""
        latest = min(start - timedelta(minutes=terms.notice + 5), self.plan.end)
        earliest = max(terms.created_at, start - timedelta(days=terms.window) + timedelta(hours=1))
        share = chance.random() * chance.random()
        return latest - timedelta(seconds=int(share * (latest - earliest).total_seconds()))


def _on_grid(terms: Terms, day: date, window: Window, chance: Chance) -> datetime:
    steps = int(chance.random() * ((window.closes - window.opens - terms.duration) // terms.interval + 1))
    opening = datetime.combine(day, time(window.opens // 60, window.opens % 60), _zone(terms.place.timezone))
    return opening.astimezone(UTC) + timedelta(minutes=steps * terms.interval)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _first_bookings(plan: Plan) -> "array[int]":
    """For each provider the number of his first booking, and at last how many there are: shared by time and fame."""
    shares = (_share(plan, provider) for provider in range(plan.sellers))
    sums = array("Q", accumulate(shares, initial=0))
    return array("I", (plan.bookings * part // sums[-1] if sums[-1] else 0 for part in sums))


def _share(plan: Plan, provider: int) -> int:
    opened = plan.joined("service", first_service(plan, provider), plan.services)
    return ((plan.end - opened).days + AHEAD) * POPULARITY[plan.roll("fame", provider) % len(POPULARITY)]


# --- what becomes of a booking ---


def _live(it: Agreement, chance: Chance, now: datetime, has_room: bool) -> None:
    """Let the booking have happened, as far as it has until now."""
    over, fate = it.end + LATEST_REPORT <= now, chance.random()
    if not has_room or fate < 0.16:
        _cancel(it, chance, now)
    elif over and fate < 0.96:
        _confirm(it, chance, it.start)
        _move(it, chance, it.start)
        it.completed_at, it.status = chance.between(it.end, it.end + LATEST_REPORT), BookingStatus.COMPLETED
    elif it.start < now + timedelta(days=1) or fate < 0.65:
        _confirm(it, chance, min(it.start, now))
        _move(it, chance, min(it.start, now))


def _confirm(it: Agreement, chance: Chance, before: datetime) -> None:
    if it.status is BookingStatus.PENDING:
        it.confirmed_at = chance.between(it.created_at, min(before, it.created_at + timedelta(days=1)))
        it.status = BookingStatus.CONFIRMED


def _move(it: Agreement, chance: Chance, before: datetime) -> None:
    """Now and then the provider asks for another day: the status stays, and so does what a refund would be."""
    if chance.happens(0.04):
        it.moved_at = chance.between(it.changed_at, before)
        it.moved_from = it.start + timedelta(days=1 + int(chance.random() * 6))


def _cancel(it: Agreement, chance: Chance, now: datetime) -> None:
    """By either side, or by the system where nobody confirmed it in time."""
    limit = min(it.start, now)
    if chance.happens(0.6):
        _confirm(it, chance, limit)
    elif it.status is BookingStatus.PENDING and it.start + timedelta(minutes=1) < now and chance.happens(0.3):
        it.cancelled_at, it.cancelled_by = it.start + timedelta(seconds=int(chance.random() * 60)), Party.SYSTEM
        it.status, it.reason = BookingStatus.CANCELLED, LAPSED
        return
    it.cancelled_at = chance.between(it.changed_at, limit)
    it.cancelled_by = Party.CUSTOMER if chance.happens(0.7) else Party.PROVIDER
    it.reason = _reason(it.terms, chance) if chance.happens(0.6) else None
    it.status = BookingStatus.CANCELLED


def _reason(terms: Terms, chance: Chance) -> str:
    return chance.pick(words_of(chance.pick(terms.place.languages)).reasons)
