"""Every refusal of the notifications."""

from marketplace_kit.exceptions import DomainError, ServiceUnavailable, Unauthenticated


class InvalidTicket(Unauthenticated):
    """The ticket is unknown, already used or more than a minute old. Request a new one."""

    code = "invalid_ticket"


class InvalidToken(DomainError):
    """This token is invalid."""

    status = 400
    code = "invalid_token"


class TooManyStreams(ServiceUnavailable):
    """The server has reached its limit of open streams. Connect again shortly."""

    code = "too_many_streams"


class StreamElsewhere(ServiceUnavailable):
    """This process doesn't serve the stream."""


class TooManyWebhooks(DomainError):
    """You have reached the maximum number of webhooks. Delete one first."""

    code = "too_many_webhooks"


class WebhookInactive(DomainError):
    """This webhook is inactive. Set `isActive` to true first."""

    code = "webhook_inactive"
