"""Every refusal of a review."""

from marketplace_kit.exceptions import DomainError


class NotYoursToReview(DomainError):
    """Only the customer reviews a booking."""

    status = 403
    code = "forbidden"


class NotYoursToAnswer(DomainError):
    """Only the provider of the booking replies to its review."""

    status = 403
    code = "forbidden"


class NotCompleted(DomainError):
    """The booking is not completed: there is nothing to review yet."""

    code = "not_completed"


class AlreadyReviewed(DomainError):
    """This booking was reviewed already."""

    code = "already_reviewed"
