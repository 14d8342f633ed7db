"""What can happen to time. Each verb is one transaction, or a part of the action that calls it.

Locks are taken in one order: the provider (`lock_provider`), then rows. `release` and `make_firm` touch one row and
leave the provider's lock alone, so that a caller may hold a booking's row when it calls them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.db import DatabaseError
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Model

from marketplace_kit import clock
from marketplace_kit.exceptions import InvalidField
from marketplace_kit.inserting import insert_if_free
from marketplace_kit.prepared import run_prepared
from marketplace_kit.transactions import action, lock_row, sqlstate

from . import slots
from .exceptions import InvalidWindows, ReservationLapsed, SlotUnavailable, StartOutOfReach, TooManyExceptions
from .lifecycle import MAX_EXCEPTIONS
from .models import Reservation, Schedule, ScheduleException, UserId
from .slots import Rules, Span

LOCK = "SELECT pg_advisory_xact_lock(%s)"
OVERLAP = "23P01"  # exclusion_violation


def lock_provider(provider_id: UserId) -> None:
    """Wait until no other transaction takes time of this provider; held until the transaction ends."""
    digest = blake2b(f"marketplace_scheduling:{provider_id}".encode(), digest_size=8).digest()
    run_prepared(LOCK, [int.from_bytes(digest, signed=True)])


@action
def reserve(
    schedule: Schedule, provider_id: UserId, start: datetime, *, expires_at: datetime | None = None
) -> Reservation:
    """Take the slot that starts at `start` (aware). With `expires_at` it blocks only until then, unless made firm.

    Raises StartOutOfReach (422 `in_the_past`, `too_soon`, `too_far`) and SlotUnavailable (409).
    """
    lock_provider(provider_id)
    reservation = free(schedule, provider_id, start, expires_at=expires_at)
    take(reservation)
    return reservation


def free(
    schedule: Schedule, provider_id: UserId, start: datetime, *, expires_at: datetime | None = None
) -> Reservation:
    """What `reserve` would store, for whoever holds the provider's lock, and goes on to `take` it. Raises the same."""
    now, rules = clock.now(), schedule.rules()
    start = _check_reach(rules, start, now)
    hindrances = schedule.hindrances(provider_id, rules.dates(rules.slot(start)), rules.block(start), now)
    _check_free(rules, start, *hindrances)
    return Reservation(provider_id=provider_id, expires_at=expires_at, **_ranges(rules, start))


@action
def take(reservation: Reservation, *others: Model) -> None:
    """Store what was `free`, and new rows about it, in one statement. SlotUnavailable."""
    with _overlap_refused():
        if insert_if_free(reservation, *others):
            return
        if not (_lapse(reservation, clock.now()) and insert_if_free(reservation, *others)):
            raise SlotUnavailable


@action
def move(
    reservation: Reservation, schedule: Schedule, start: datetime, *, expires_at: datetime | None = None
) -> Reservation:
    """Give its time up for the slot at `start` (aware), in one step; its own time counts as free.

    Hours, grid, notice and window are the schedule's of now; duration and buffers are those it was taken with.
    Answers the stored row. Raises as `reserve` does, and ReservationLapsed (409).
    """
    lock_provider(reservation.provider_id)
    now = clock.now()
    moved = _lock_standing(reservation.pk, now)
    rules = moved.as_booked(schedule.rules())
    start = _check_reach(rules, start, now)
    others = Reservation.objects.blocking(moved.provider_id, *rules.block(start), now).exclude(pk=moved.pk)
    _check_free(rules, start, schedule.exceptions_within(rules.dates(rules.slot(start))), others.blocked_spans())
    moved.expires_at = expires_at
    for field, value in _ranges(rules, start).items():
        setattr(moved, field, value)
    _lapse(moved, now)
    with _overlap_refused():
        moved.save(update_fields=["during", "blocked", "expires_at"])
    return moved


@action
def make_firm(reservation_id: UUID) -> None:
    """Let it block for good: it was confirmed in time. Raises ReservationLapsed (409)."""
    standing = Reservation.objects.filter(pk=reservation_id).standing(clock.now())
    if not standing.update(expires_at=None):
        raise ReservationLapsed


@action
def release(reservation_id: UUID) -> None:
    """Give its time back. Nothing happens where that was done before."""
    Reservation.objects.filter(pk=reservation_id).delete()


@action
def create_schedule(*, timezone: str, windows: Mapping[str, Sequence[str]], duration: int, **others: int) -> Schedule:
    """`others` are buffer_before, buffer_after, slot_interval, minimum_notice (minutes) and booking_window (days).

    Raises InvalidField (422 at `/timezone` or `/availability/…`).
    """
    _check_timezone(timezone)
    with _faults_below("/availability"):
        slots.parse_weekly(windows)
    return Schedule.objects.create(timezone=timezone, windows=windows, duration=duration, **others)


@action
def change_schedule(schedule: Schedule, **changes: Any) -> Schedule:
    """Set the fields that are named. What is reserved stays as it is. Raises as `create_schedule` does."""
    for field, value in changes.items():
        setattr(schedule, field, value)
    _check_timezone(schedule.timezone)
    with _faults_below("/availability"):
        slots.parse_weekly(schedule.windows)
    schedule.save(update_fields=list(changes))
    return schedule


@action
def set_exception(schedule: Schedule, day: date, windows: Sequence[str]) -> ScheduleException:
    """Let `windows` be the hours of this local date, none to close it.

    Raises InvalidField (422 at `/windows/…`) and TooManyExceptions (409).
    """
    with _faults_below("/windows"):
        slots.parse_hours(windows)
    lock_row(Schedule.objects.all(), schedule.pk)
    if schedule.exceptions.exclude(date=day).count() >= MAX_EXCEPTIONS:
        raise TooManyExceptions
    exception = ScheduleException(schedule=schedule, date=day, windows=list(windows))
    ScheduleException.objects.bulk_create(
        [exception], update_conflicts=True, unique_fields=["schedule", "date"], update_fields=["windows"]
    )
    return exception


@action
def clear_exception(schedule: Schedule, day: date) -> bool:
    """Let the weekday's hours hold again; False where there was no exception."""
    deleted, _ = ScheduleException.objects.filter(schedule=schedule, date=day).delete()
    return bool(deleted)


def _check_reach(rules: Rules, start: datetime, now: datetime) -> datetime:
    """`start` in UTC. Compared before it is converted: the calendar's first and last hours have no other zone."""
    earliest, latest = rules.reach(now)
    if start <= now:
        raise StartOutOfReach("in_the_past")
    if start < earliest:
        raise StartOutOfReach("too_soon")
    if start >= latest:
        raise StartOutOfReach("too_far")
    return start.astimezone(UTC)


def _check_free(rules: Rules, start: datetime, exceptions: slots.Exceptions, blocked: Sequence[Span]) -> None:
    """By the engine that lists the slots; `blocked` is what meets the slot with its buffers."""
    if not slots.is_free(rules, start, exceptions, blocked):
        raise SlotUnavailable


def _lapse(reservation: Reservation, now: datetime) -> int:
    """Take out of its way what was not made firm in time: readers pass it over, the constraint can't."""
    return Reservation.objects.lapse(reservation.provider_id, reservation.spans().blocked, now)


def _lock_standing(reservation_id: UUID, now: datetime) -> Reservation:
    found = Reservation.objects.select_for_update().filter(pk=reservation_id).first()
    if found is None or not found.is_standing(now):
        raise ReservationLapsed
    return found


def _ranges(rules: Rules, start: datetime) -> dict[str, Any]:
    return {
        "during": DateTimeTZRange(*rules.slot(start)),
        "blocked": DateTimeTZRange(*rules.block(start)),
    }


@contextmanager
def _overlap_refused() -> Iterator[None]:
    """For what is written past the provider's lock, by hand or by another program: the constraint has the last word."""
    try:
        yield
    except DatabaseError as error:
        if sqlstate(error) == OVERLAP:
            raise SlotUnavailable from error
        raise


@contextmanager
def _faults_below(pointer: str) -> Iterator[None]:
    try:
        yield
    except InvalidWindows as error:
        place, sentence = error.faults[0]
        raise InvalidField("/".join([pointer, *map(str, place)]), "invalid_windows", sentence) from error


def _check_timezone(name: str) -> None:
    if not slots.is_timezone(name):
        raise InvalidField("/timezone", "unknown_timezone", "This is not an IANA time zone.")
