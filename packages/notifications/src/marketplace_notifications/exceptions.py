"""Every refusal of the notifications."""

from marketplace_kit.exceptions import DomainError, ServiceUnavailable, Unauthenticated


class InvalidTicket(Unauthenticated):
    """The ticket is unknown, used or older than a minute. Ask for a new one."""

    code = "invalid_ticket"


class InvalidToken(DomainError):
    """The token is not one of ours."""

    status = 400
    code = "invalid_token"


class TooManyStreams(ServiceUnavailable):
    """This process holds as many streams as it can. Connect again shortly."""

    code = "too_many_streams"


class StreamElsewhere(ServiceUnavailable):
    """The stream is served by the stream process."""


class TooManyWebhooks(DomainError):
    """You have as many webhooks as one may have. Delete one first."""

    code = "too_many_webhooks"


class WebhookInactive(DomainError):
    """This webhook is sent nothing. Set `isActive` to true first."""

    code = "webhook_inactive"
