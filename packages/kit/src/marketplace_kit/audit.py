"""The audit log: who signed in, who was refused, who was granted which right."""

from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.utils.crypto import salted_hmac

# A logger of its own: `logging_config` keeps it at INFO, whatever LOG_LEVEL says.
log = structlog.get_logger("marketplace.audit")


def fingerprint(text: str) -> str:
    """A pseudonym for personal data, recognizable but not readable: 32 characters of an HMAC under SECRET_KEY."""
    return salted_hmac("marketplace_kit.fingerprint", text, algorithm="sha256").hexdigest()[:32]


def record(action: str, **facts: Any) -> None:
    """Write one line of log, `audit`, once what was done is committed. `facts`: ids and names, nothing secret."""
    transaction.on_commit(partial(log.info, "audit", action=action, **facts))


def record_refusal(action: str, **facts: Any) -> None:
    """Write the line at once: a refusal rolls its transaction back, and must be logged all the same."""
    log.warning("audit", action=action, **facts)
