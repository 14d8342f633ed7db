"""AWS's signature, version 4, for a request without a body."""

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import urlsplit

EMPTY = hashlib.sha256(b"").hexdigest()


def headers(method: str, url: str, access_key: str, secret_key: str, region: str) -> dict[str, str]:
    """The headers that sign `method` on `url`, whose path needs no quoting and which has no query."""
    target = urlsplit(url)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    signed = {"host": target.netloc, "x-amz-content-sha256": EMPTY, "x-amz-date": moment}
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = f"{method}\n{target.path or '/'}\n\n{lines}\n{names}\n{EMPTY}"
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"Credential={access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**signed, "authorization": f"AWS4-HMAC-SHA256 {credential}"}
