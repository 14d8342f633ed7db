"""Our few lines of SigV4 against botocore's."""

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from botocore.auth import S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from marketplace_media.signing import VALID_SECONDS, signed_form, signed_url

AT = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
START_OF_DAY = datetime(2026, 3, 14, tzinfo=UTC)


def botocores_url(endpoint: str, bucket: str, key: str, region: str) -> str:
    request = AWSRequest("GET", f"{endpoint}/{bucket}/{key}")
    auth = S3SigV4QueryAuth(Credentials("AKIA/X+=", "se/cr+et"), "s3", region, expires=VALID_SECONDS)
    with mock.patch("botocore.auth.get_current_datetime", return_value=START_OF_DAY):
        auth.add_auth(request)
    return request.prepare().url


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8333", "https://s3.eu-central-1.amazonaws.com", "https://h/s3"])
@pytest.mark.parametrize("key", ["images/0199.jpg", "a~b_c-d.e"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_the_url_is_botocores(endpoint: str, key: str, region: str) -> None:
    ours = signed_url(endpoint, "buck-et", key, region=region, access_key="AKIA/X+=", secret="se/cr+et", at=AT)
    assert ours == botocores_url(endpoint, "buck-et", key, region)


def test_it_is_the_same_all_day_and_another_the_next() -> None:
    def at(*moment: int) -> str:
        return signed_url(
            "http://h", "b", "k", region="r", access_key="a", secret="s", at=datetime(*moment, tzinfo=UTC)
        )

    assert at(2026, 3, 14, 0, 0) == at(2026, 3, 14, 23, 59) != at(2026, 3, 15, 0, 0)


def botocores_form(key: str, content_type: str, size: int) -> dict[str, str]:
    fields = {"key": key, "Content-Type": content_type}
    conditions = [{"bucket": "b"}, ["content-length-range", size, size], {"key": key}, {"Content-Type": content_type}]
    request = AWSRequest("POST", "http://h/b")
    request.context["s3-presign-post-fields"] = fields
    request.context["s3-presign-post-policy"] = {"expiration": "2026-03-14T16:09:00Z", "conditions": conditions}
    with mock.patch("botocore.auth.get_current_datetime", return_value=AT):
        S3SigV4PostAuth(Credentials("AKIA/X+=", "se/cr+et"), "s3", "eu-central-1").add_auth(request)
    return fields


def test_the_form_is_botocores() -> None:
    ours = signed_form(
        "b",
        "uploads/0199",
        content_type="image/png",
        size=123,
        region="eu-central-1",
        access_key="AKIA/X+=",
        secret="se/cr+et",
        at=AT,
        until=AT + timedelta(hours=1),
    )
    assert ours == botocores_form("uploads/0199", "image/png", 123)
