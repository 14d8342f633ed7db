"""Webhooks by the Standard Webhooks specification 1.0: symmetric signatures (`v1`), of ours and of others.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Mapping
from hashlib import sha256

from .clock import now

TOLERANCE = 300  # seconds that a webhook's time may be off
PREFIX = "whsec_"
SECRET_BYTES = 32  # the specification wants 24 to 64
_SECONDS = re.compile(r"[0-9]{1,12}")


class BadSignature(Exception):
    """A webhook that was not signed with the secret, or that is too old."""


def new_secret() -> str:
    """A new random secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(event_id: str, body: bytes, *secrets: str) -> dict[str, str]:
    """The headers that a webhook is sent with now: signed with each of the secrets, the current one first.

    There is more than one while a secret is exchanged. The id is the event's, and the same however often it is sent.
    """
    timestamp = str(int(now().timestamp()))
    signatures = (f"v1,{_signature(secret, event_id, timestamp, body)}" for secret in secrets)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def verified(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """The id of a webhook that was signed with the secret in the last five minutes. BadSignature."""
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not secret or not event_id or not _SECONDS.fullmatch(timestamp):
        raise BadSignature
    if abs(int(timestamp) - now().timestamp()) > TOLERANCE:
        raise BadSignature
    expected = f"v1,{_signature(secret, event_id, timestamp, body)}".encode()
    given = headers.get("webhook-signature", "").split(" ")
    # While a secret is being rotated there is more than one.
    if not any(hmac.compare_digest(expected, one.encode()) for one in given):
        raise BadSignature
    return event_id


def _signature(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    message = b".".join((event_id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.digest(_key(secret), message, sha256)).decode()


def _key(secret: str) -> bytes:
    """The bytes behind `whsec_`; a secret that is not base64 is used as it is."""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()
