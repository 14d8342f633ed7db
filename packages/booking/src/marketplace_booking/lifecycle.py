"""The life of a booking: its statuses, and the table of allowed moves. Nothing else changes a status."""

from dataclasses import dataclass

from django.db.models import TextChoices


class Status(TextChoices):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Party(TextChoices):
    """Whose move it is."""

    CUSTOMER = "customer"
    PROVIDER = "provider"
    STAFF = "staff"
    SYSTEM = "system"


class Event(TextChoices):
    """What the history tells."""

    CREATED = "created"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    RESCHEDULED = "rescheduled"


@dataclass(frozen=True, slots=True)
class Move:
    """From which statuses to which, by whom."""

    event: Event
    sources: frozenset[Status]
    target: Status
    parties: frozenset[Party]


def _move(event: Event, sources: set[Status], target: Status, parties: set[Party]) -> Move:
    return Move(event, frozenset(sources), target, frozenset(parties))


CONFIRM = _move(Event.CONFIRMED, {Status.PENDING}, Status.CONFIRMED, {Party.PROVIDER})
COMPLETE = _move(Event.COMPLETED, {Status.CONFIRMED}, Status.COMPLETED, {Party.PROVIDER})
CANCEL = _move(Event.CANCELLED, {Status.PENDING, Status.CONFIRMED}, Status.CANCELLED, set(Party))

MOVES = (CONFIRM, COMPLETE, CANCEL)
OPEN = frozenset({Status.PENDING, Status.CONFIRMED})
