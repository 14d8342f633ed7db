"""Every refusal of a booking."""

from marketplace_kit.exceptions import DomainError


class OwnService(DomainError):
    """Nobody books a service of his own."""

    code = "own_service"


class InvalidTransition(DomainError):
    """The booking's status does not allow this."""

    code = "invalid_transition"


class TooLate(DomainError):
    """The booking's time has come: this was possible before its start only."""

    code = "too_late"


class TooEarly(DomainError):
    """The booking has not started yet."""

    code = "too_early"


class NotYourMove(DomainError):
    """This is not yours to do."""

    status = 403
    code = "forbidden"


class OpenBookings(DomainError):
    """There are bookings still to come about: complete or cancel them first."""

    code = "open_bookings"
