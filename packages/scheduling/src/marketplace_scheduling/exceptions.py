"""Every refusal of this package."""

from typing import NamedTuple

from marketplace_kit.exceptions import DomainError, InvalidField


class SlotUnavailable(DomainError):
    """This time is not free. Choose another slot."""

    status = 409
    code = "slot_unavailable"


class ReservationLapsed(DomainError):
    """Its time has come, and it was not confirmed before."""

    status = 409
    code = "too_late"


class TooManyExceptions(DomainError):
    """There are exceptions for too many dates. Delete those that are over."""

    status = 409
    code = "too_many_exceptions"


class StartOutOfReach(InvalidField):
    """A value is not acceptable."""

    SENTENCES = {
        "in_the_past": "This time has passed.",
        "too_soon": "This time is too soon: the notice that is asked for is longer.",
        "too_far": "This time is too far ahead to be taken yet.",
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
