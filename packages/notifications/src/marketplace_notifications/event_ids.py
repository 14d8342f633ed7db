"""The `id:` of the stream's events: a place in a user's stream and a time, signed, so that a made-up one is known."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.signing import BadSignature, Signer

from marketplace_kit.clock import now

KEPT = timedelta(hours=24)  # for which an id can be resumed from


def encode(user_id: Any, position: int, at: datetime) -> str:
    """The id of what stood at `position` at that time. The same for the same event, whoever serves it."""
    return _signer(user_id).sign_object([position, int(at.timestamp())])


def decode(user_id: Any, text: str) -> int | None:
    """The position, or None for an id that is not one of this user's or older than 24 h."""
    try:
        position, seconds = _signer(user_id).unsign_object(text)
    except (BadSignature, ValueError):
        return None
    return position if now() - datetime.fromtimestamp(seconds, UTC) <= KEPT else None


def _signer(user_id: Any) -> Signer:
    return Signer(sep=".", salt=f"marketplace_notifications.event.{user_id}")
