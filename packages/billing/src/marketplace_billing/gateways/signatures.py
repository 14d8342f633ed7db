"""Signatures of webhooks, by the Standard Webhooks specification 1.0 (symmetric, `v1`)."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256

from marketplace_kit.clock import now

from .protocol import BadSignature

TOLERANCE = 300  # seconds that a webhook's time may be off


def signed(secret: str, event_id: str, body: bytes) -> dict[str, str]:
    """The headers that a webhook is sent with."""
    timestamp = str(int(now().timestamp()))
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{_signature(secret, event_id, timestamp, body)}",
    }


def verified(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """The id of a webhook that was signed with the secret in the last five minutes. BadSignature."""
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not secret or not event_id or not (timestamp.isascii() and timestamp.isdigit()):
        raise BadSignature
    if abs(int(timestamp) - now().timestamp()) > TOLERANCE:
        raise BadSignature
    expected = f"v1,{_signature(secret, event_id, timestamp, body)}".encode()
    given = headers.get("webhook-signature", "").split(" ")
    # While a secret is exchanged there is more than one.
    if not any(hmac.compare_digest(expected, one.encode()) for one in given):
        raise BadSignature
    return event_id


def _signature(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    message = b".".join((event_id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.digest(_key(secret), message, sha256)).decode()


def _key(secret: str) -> bytes:
    """The bytes behind `whsec_`; a secret that is no base64 is taken as it is."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return secret.encode()
