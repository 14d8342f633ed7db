"""The life of a booking: its statuses, and the table of allowed moves. Nothing else changes a status."""

from dataclasses import dataclass

from django.db.models import TextChoices


class BookingStatus(TextChoices):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Party(TextChoices):
    """Who acted on a booking."""

    CUSTOMER = "customer"
    PROVIDER = "provider"
    STAFF = "staff"
    SYSTEM = "system"


class Event(TextChoices):
    """What happened to a booking."""

    CREATED = "created"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    RESCHEDULED = "rescheduled"


@dataclass(frozen=True, slots=True)
class Move:
    """From which statuses to which, by whom."""

    event: Event
    sources: frozenset[BookingStatus]
    target: BookingStatus
    parties: frozenset[Party]


def _move(event: Event, sources: set[BookingStatus], target: BookingStatus, parties: set[Party]) -> Move:
    return Move(event, frozenset(sources), target, frozenset(parties))


CONFIRM = _move(Event.CONFIRMED, {BookingStatus.PENDING}, BookingStatus.CONFIRMED, {Party.PROVIDER})
COMPLETE = _move(Event.COMPLETED, {BookingStatus.CONFIRMED}, BookingStatus.COMPLETED, {Party.PROVIDER})
CANCEL = _move(Event.CANCELLED, {BookingStatus.PENDING, BookingStatus.CONFIRMED}, BookingStatus.CANCELLED, set(Party))

# A customer who moves a confirmed booking asks anew; a provider's move leaves the status as it is.
ASK_ANEW = _move(
    Event.RESCHEDULED, {BookingStatus.PENDING, BookingStatus.CONFIRMED}, BookingStatus.PENDING, {Party.CUSTOMER}
)
STAY_PENDING = _move(
    Event.RESCHEDULED, {BookingStatus.PENDING}, BookingStatus.PENDING, {Party.CUSTOMER, Party.PROVIDER}
)
STAY_CONFIRMED = _move(
    Event.RESCHEDULED, {BookingStatus.CONFIRMED}, BookingStatus.CONFIRMED, {Party.CUSTOMER, Party.PROVIDER}
)

MOVES = (CONFIRM, COMPLETE, CANCEL, ASK_ANEW, STAY_PENDING, STAY_CONFIRMED)
OPEN = frozenset({BookingStatus.PENDING, BookingStatus.CONFIRMED})


def rescheduling(status: BookingStatus, party: Party, *, auto_confirm: bool) -> Move:
    """Which of the three ways to reschedule it is."""
    if status is BookingStatus.CONFIRMED and (party is not Party.CUSTOMER or auto_confirm):
        return STAY_CONFIRMED
    return ASK_ANEW if status is BookingStatus.CONFIRMED else STAY_PENDING


def diagram() -> str:
    """The table as a Mermaid state diagram, for the README."""
    lines = ["stateDiagram-v2", "    [*] --> pending: create", "    [*] --> confirmed: create, with autoConfirm"]
    for move in MOVES:
        who = ", ".join(sorted(move.parties))
        lines += [f"    {source} --> {move.target}: {move.event} ({who})" for source in sorted(move.sources)]
    return "\n".join(dict.fromkeys(lines))
