"""Signed URLs: AWS Signature Version 4 in the query, for reading one object.

They are made for a step: from the start of the UTC day, valid for two, so that the same file has the same URL for a
day and answers with it can be cached. boto3 makes them too, in ten times the time.
"""

import hashlib
import hmac
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit

VALID_SECONDS = 48 * 3600
ALGORITHM = "AWS4-HMAC-SHA256"


def signed_url(endpoint: str, bucket: str, key: str, *, region: str, access_key: str, secret: str, at: datetime) -> str:
    """A URL that reads the object `key`, valid from the start of the UTC day of `at` for 48 hours."""
    day = f"{at:%Y%m%d}"
    scope = f"{day}/{region}/s3/aws4_request"
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


@lru_cache(maxsize=4)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
