"""Every refusal of a booking."""

from marketplace_kit.exceptions import DomainError


class OwnService(DomainError):
    """You can't book your own service."""

    code = "own_service"


class InvalidTransition(DomainError):
    """The booking's status does not allow this."""

    code = "invalid_transition"


class TooLate(DomainError):
    """This is only possible before the booking starts."""

    code = "too_late"


class TooEarly(DomainError):
    """The booking has not started yet."""

    code = "too_early"


class NotYourMove(DomainError):
    """You aren't allowed to do this to this booking."""

    status = 403
    code = "forbidden"


class OpenBookings(DomainError):
    """You still have open bookings. Complete or cancel them first."""

    code = "open_bookings"
