"""Every refusal of a review."""

from marketplace_kit.exceptions import DomainError


class NotYoursToReview(DomainError):
    """Only the customer can review a booking."""

    status = 403
    code = "forbidden"


class NotYoursToAnswer(DomainError):
    """Only the booking's provider can reply to its review."""

    status = 403
    code = "forbidden"


class NotCompleted(DomainError):
    """The booking isn't completed yet, so it can't be reviewed."""

    code = "not_completed"


class AlreadyReviewed(DomainError):
    """This booking has already been reviewed."""

    code = "already_reviewed"
