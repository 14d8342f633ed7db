"""Standard Webhooks: the specification's own example, more than one secret, and everything that is refused."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from marketplace_kit import clock
from marketplace_kit.webhooks import BadSignature, new_secret, signed, verified

# What the specification's libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_specifications_example():
    with clock.frozen(AT):
        headers = signed(ID, BODY, SECRET)
        assert verified(SECRET, headers, BODY) == ID
    assert headers == {"webhook-id": ID, "webhook-timestamp": "1614265330", "webhook-signature": SIGNATURE}


def test_while_a_secret_is_exchanged_both_sign():
    new, old = new_secret(), new_secret()
    headers = signed(ID, BODY, new, old)
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert {verified(secret, headers, BODY) for secret in (new, old)} == {ID}


def test_a_new_secret_is_of_the_specifications_form():
    secrets = {new_secret() for _ in range(20)}
    assert len(secrets) == 20
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_another"},
        {"webhook-id": ""},
        {"webhook-signature": ""},
        {"webhook-signature": SIGNATURE.removeprefix("v1,")},
        {"webhook-signature": SIGNATURE.replace("v1", "v2")},
        {"webhook-signature": "v1,é"},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "9" * 5000},
    ],
)
def test_what_is_not_signed_like_this_is_refused(changed):
    with clock.frozen(AT):
        headers = signed(ID, BODY, SECRET) | changed
        with pytest.raises(BadSignature):
            verified(SECRET, headers, BODY)


@pytest.mark.parametrize(("secret", "body"), [("", BODY), (new_secret(), BODY), (SECRET, BODY + b" ")])
def test_a_signature_is_of_its_secret_and_body(secret, body):
    with pytest.raises(BadSignature):
        verified(secret, signed(ID, BODY, SECRET), body)


@pytest.mark.parametrize(("seconds", "good"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_it_is_five_minutes_old_at_the_most(seconds, good):
    with clock.frozen(AT):
        headers = signed(ID, BODY, SECRET)
    with clock.frozen(AT + timedelta(seconds=seconds)):
        if good:
            assert verified(SECRET, headers, BODY) == ID
        else:
            with pytest.raises(BadSignature):
                verified(SECRET, headers, BODY)
