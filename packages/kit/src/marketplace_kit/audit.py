"""What somebody may ask about later: who signed in, who was refused, who was given which right."""

from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.utils.crypto import salted_hmac

# A logger of its own: `logging_config` keeps it at INFO, whatever LOG_LEVEL says.
log = structlog.get_logger("marketplace.audit")


def fingerprint(text: str) -> str:
    """By which something personal is known again, and not read: an HMAC under SECRET_KEY, 32 characters."""
    return salted_hmac("marketplace_kit.fingerprint", text, algorithm="sha256").hexdigest()[:32]


def record(action: str, **facts: Any) -> None:
    """Write one line of log, `audit`, once what was done is committed. `facts`: ids and names, nothing secret."""
    transaction.on_commit(partial(log.info, "audit", action=action, **facts))


def record_refusal(action: str, **facts: Any) -> None:
    """Write the line at once: a refusal rolls back, and is a fact even so."""
    log.warning("audit", action=action, **facts)
