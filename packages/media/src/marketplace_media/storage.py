"""The bucket. Everything here is network: never call it inside a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import structlog
from django.utils.http import content_disposition_header

from .conf import conf
from .exceptions import StorageUnavailable

if TYPE_CHECKING:
    from storages.backends.s3 import S3Storage

log = structlog.get_logger(__name__)

# Below these our objects are; what else is in the bucket is somebody else's.
PREFIXES = ("images/", "documents/", "thumbnails/", "uploads/")
MISSING = {"NoSuchKey", "404"}
PAGE_SIZE = 1000


def put(key: str, content: bytes, content_type: str, filename: str, *, as_attachment: bool = False) -> None:
    """Store an object, whole or not at all. StorageUnavailable where the storage does not take it."""
    disposition = content_disposition_header(as_attachment=as_attachment, filename=filename)
    with _refusing():
        _storage().bucket.Object(key).put(
            Body=content,
            ContentType=content_type,
            ContentDisposition=disposition or "inline",
            CacheControl="private, max-age=86400, immutable",
        )


def get(key: str, limit: int) -> bytes | None:
    """The bytes of an object, or its first `limit` + 1 of them; None where there is none. StorageUnavailable."""
    from botocore.exceptions import ClientError

    with _refusing():
        try:
            body = _storage().bucket.Object(key).get()["Body"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in MISSING:
                return None
            raise
        with body:
            content: bytes = body.read(limit + 1)
            return content


def pages() -> Iterator[list[tuple[str, datetime]]]:
    """The keys of our objects and when each was stored, so many at a time. StorageUnavailable."""
    with _refusing():
        for prefix in PREFIXES:
            for page in _storage().bucket.objects.filter(Prefix=prefix).page_size(PAGE_SIZE).pages():
                yield [(item.key, item.last_modified) for item in page]


def ping() -> None:
    """Ask for the bucket. StorageUnavailable where the storage does not answer, or has none of that name."""
    with _refusing():
        _storage().connection.meta.client.head_bucket(Bucket=conf.BUCKET)


def delete(key: str) -> None:
    """Delete an object; that it is gone already is no error. StorageUnavailable where the storage is away."""
    with _refusing():
        _storage().bucket.Object(key).delete()


@contextmanager
def _refusing() -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        log.error("storage_unavailable", error=str(error))
        raise StorageUnavailable from error


def _storage() -> "S3Storage":
    return _opened(conf.endpoint, conf.BUCKET, conf.REGION, conf.ACCESS_KEY_ID, conf.SECRET_ACCESS_KEY, conf.TIMEOUT)


@lru_cache(maxsize=4)
def _opened(endpoint: str, bucket: str, region: str, key: str, secret: str, timeout: float) -> "S3Storage":
    # boto3 takes half a second to import: most processes and commands never store a file.
    from botocore.config import Config
    from storages.backends.s3 import S3Storage

    config = Config(
        s3={"addressing_style": "path"},
        signature_version="s3v4",
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": 2},
        # Amazon's own newer checksums are not known to every S3.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return S3Storage(
        endpoint_url=endpoint,
        bucket_name=bucket,
        region_name=region,
        access_key=key,
        secret_key=secret,
        client_config=config,
    )
