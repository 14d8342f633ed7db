"""Signed URLs and forms: AWS Signature Version 4, for reading one object and for uploading one.

URLs are made for a step: from the start of the UTC day, valid for two, so that the same file has the same URL for a
day and answers with it can be cached. boto3 makes both too, in ten times the time.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

VALID_SECONDS = 48 * 3600
ALGORITHM = "AWS4-HMAC-SHA256"


def signed_url(endpoint: str, bucket: str, key: str, *, region: str, access_key: str, secret: str, at: datetime) -> str:
    """A URL that reads the object `key`, valid from the start of the UTC day of `at` for 48 hours."""
    day = f"{at:%Y%m%d}"
    scope = _scope(day, region)
    host = urlsplit(endpoint).netloc
    path = quote(f"{urlsplit(endpoint).path}/{bucket}/{key}", safe="/~")
    query = urlencode(
        {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{access_key}/{scope}",
            "X-Amz-Date": f"{day}T000000Z",
            "X-Amz-Expires": VALID_SECONDS,
            "X-Amz-SignedHeaders": "host",
        },
        quote_via=quote,
        safe="~",
    )
    canonical = f"GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{day}T000000Z\n{scope}\n{digest}"
    signature = _mac(_signing_key(secret, day, region), text).hex()
    return f"{urlsplit(endpoint).scheme}://{host}{path}?{query}&X-Amz-Signature={signature}"


def signed_form(
    bucket: str,
    key: str,
    *,
    content_type: str,
    size: int,
    region: str,
    access_key: str,
    secret: str,
    at: datetime,
    until: datetime,
) -> dict[str, str]:
    """The fields of a form that uploads one object `key` of exactly `size` bytes, before `until`."""
    day = f"{at:%Y%m%d}"
    fields = {
        "key": key,
        "Content-Type": content_type,
        "x-amz-algorithm": ALGORITHM,
        "x-amz-credential": f"{access_key}/{_scope(day, region)}",
        "x-amz-date": f"{at:%Y%m%dT%H%M%SZ}",
    }
    conditions: list[Any] = [{"bucket": bucket}, ["content-length-range", size, size]]
    conditions += [{name: value} for name, value in fields.items()]
    rules = {"expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}", "conditions": conditions}
    policy = b64encode(json.dumps(rules).encode()).decode()
    return fields | {"policy": policy, "x-amz-signature": _mac(_signing_key(secret, day, region), policy).hex()}


def _scope(day: str, region: str) -> str:
    return f"{day}/{region}/s3/aws4_request"


@lru_cache(maxsize=4)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
