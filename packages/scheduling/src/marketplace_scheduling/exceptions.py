"""Every refusal of this package."""

from typing import NamedTuple

from marketplace_kit.exceptions import DomainError, InvalidField


class SlotUnavailable(DomainError):
    """This time is not free. Choose another slot."""

    status = 409
    code = "slot_unavailable"


class ReservationLapsed(DomainError):
    """The booking wasn't confirmed before its start."""

    status = 409
    code = "too_late"


class TooManyExceptions(DomainError):
    """There are too many date exceptions. Delete past ones first."""

    status = 409
    code = "too_many_exceptions"


class StartOutOfReach(InvalidField):
    """A value is invalid."""

    SENTENCES = {
        "in_the_past": "This time is in the past.",
        "too_soon": "This time is too soon: the service requires more notice.",
        "too_far": "This time is too far ahead to be booked yet.",
    }

    def __init__(self, code: str) -> None:
        """`code` is one of `SENTENCES`."""
        super().__init__("/scheduledAt", code, self.SENTENCES[code])


class Fault(NamedTuple):
    """What is wrong with weekly hours, and where: `("monday", 1)`, or `(1,)` within the hours of one date."""

    place: tuple[str | int, ...]
    sentence: str


class InvalidWindows(ValueError):
    """Hours that make no sense. `faults` holds each wrong place."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{'/'.join(map(str, place)) or 'all'}: {sentence}" for place, sentence in faults))
