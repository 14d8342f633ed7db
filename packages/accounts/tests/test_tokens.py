"""Tokens that we did not make, or not for this."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from ninja_jwt.settings import NinjaJWTSettings

from marketplace_accounts import actions
from marketplace_accounts.exceptions import TokenNotValid
from marketplace_accounts.jwt import jwt_settings
from marketplace_accounts.lifecycle import EndReason
from marketplace_accounts.models import IN_SESSION, Session, User
from marketplace_accounts.tasks import in_words
from marketplace_accounts.testing import make_session, make_user
from marketplace_kit.clock import shifted

pytestmark = pytest.mark.django_db
KEY = settings.NINJA_JWT["SIGNING_KEY"]


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def forged(token: str, key: str = KEY, algorithm: str = "HS256", **changes: Any) -> str:
    """The token, signed anew with some claims changed; None removes one."""
    payload = {k: v for k, v in (claims(token) | changes).items() if v is not None}
    return jwt.encode(payload, key, algorithm)


def test_what_an_access_token_says(user: User) -> None:
    session, pair = make_session(user)
    said = claims(pair.access)
    assert set(said) == {"token_type", "exp", "iat", "jti", "sid", "sub", "aud", "iss"}
    assert (said["sid"], said["sub"], said["token_type"]) == (str(session.pk), str(user.pk), "access")
    assert said["exp"] - said["iat"] == 900
    assert jwt.get_unverified_header(pair.access)["alg"] == "HS256"
    assert actions.authenticate(forged(pair.access)).session_id == session.pk  # the control: forging as such works


@pytest.mark.parametrize(
    "forge",
    [
        lambda t: forged(t, key="", algorithm="none"),
        lambda t: forged(t, key="another key that is longer than 32 bytes"),
        lambda t: forged(t, key=settings.SECRET_KEY),
        lambda t: forged(t, algorithm="HS512", key=KEY * 2),
        lambda t: forged(t, algorithm="HS384", key=KEY * 2),
        lambda t: forged(t, aud="somebody-else"),
        lambda t: forged(t, aud=None),
        lambda t: forged(t, iss="somebody-else"),
        lambda t: forged(t, iss=None),
        lambda t: forged(t, exp=1),
        lambda t: forged(t, exp=None),
        lambda t: forged(t, jti=None),
        lambda t: forged(t, sid=None),
        lambda t: forged(t, sid="nonsense"),
        lambda t: forged(t, sid=str(uuid4())),
        lambda t: forged(t, sub=str(uuid4())),
        lambda t: forged(t, token_type="refresh"),
        lambda t: forged(t, token_type=None),
        lambda t: t[:-2],
        lambda t: t + "." + t,
        lambda t: t.rpartition(".")[0] + ".",
        lambda t: "",
        lambda t: "é.é.é",
        lambda t: "W1tbW1tb" * 240 + ".e30.x",
        lambda t: "x" * 1_000_000,
    ],
)
def test_a_forged_token_is_refused(user: User, forge: Callable[[str], str]) -> None:
    with pytest.raises(TokenNotValid):
        actions.authenticate(forge(make_session(user)[1].access))


def test_one_kind_is_not_taken_for_the_other(user: User) -> None:
    pair = make_session(user)[1]
    with pytest.raises(TokenNotValid):
        actions.authenticate(pair.refresh)
    with pytest.raises(TokenNotValid):
        actions.refresh(pair.access)


def test_an_access_token_lives_15_minutes_by_our_clock(user: User) -> None:
    pair = make_session(user)[1]
    with shifted(timedelta(minutes=14, seconds=58)):
        actions.authenticate(pair.access)
    with shifted(timedelta(minutes=15, seconds=1)), pytest.raises(TokenNotValid):
        actions.authenticate(pair.access)
    with shifted(timedelta(days=2)):
        actions.authenticate(make_session(user)[1].access)


def test_tokens_are_stored_nowhere(user: User) -> None:
    session, pair = make_session(user)
    stored = str(Session.objects.filter(pk=session.pk).values().get())
    for token in (pair.access, pair.refresh):
        assert token not in stored
        assert claims(token)["jti"] not in stored


def test_the_user_of_a_token_is_whole_and_found_by_one_statement(user: User, django_assert_num_queries: Any) -> None:
    token = make_session(user)[1].access
    stored = User.objects.get(pk=user.pk)

    for _ in range(2):  # compiled, and bound anew
        with django_assert_num_queries(1):
            found = actions.authenticate(token).user
            assert all(getattr(found, f.attname) == getattr(stored, f.attname) for f in User._meta.concrete_fields)
        assert not found._state.adding
    assert [plan is None for plan in IN_SESSION.plans.values()] == [False]


@pytest.mark.parametrize(
    "end",
    [
        lambda session: Session.objects.filter(pk=session.pk).end(EndReason.LOGGED_OUT),
        lambda session: Session.objects.filter(pk=session.pk).update(expires_at=session.created_at),
        lambda session: User.objects.filter(pk=session.user_id).update(is_active=False),
        lambda session: session.delete(),
    ],
    ids=["ended", "expired", "deactivated", "deleted"],
)
def test_a_token_is_over_with_its_session(user: User, end: Callable[[Session], object]) -> None:
    session, pair = make_session(user)
    assert actions.authenticate(pair.access).user == user

    end(session)
    with pytest.raises(TokenNotValid):
        actions.authenticate(pair.access)


def test_what_a_stream_needs_to_know(user: User) -> None:
    session, pair = make_session(user)
    bearer = actions.authenticate(pair.access)
    assert (bearer.user.pk, bearer.session_id) == (user.pk, session.pk)
    assert bearer.expires_at.timestamp() == claims(pair.access)["exp"]

    ended = make_session(user)[0]
    actions.end_session(user.pk, ended.pk)
    inactive, unknown = make_session(make_user(is_active=False))[0], uuid4()
    late = make_session(user, expires_at=session.created_at)[0]
    asked = [session.pk, ended.pk, inactive.pk, late.pk, unknown]
    assert Session.objects.ended_among(asked) == {ended.pk, inactive.pk, late.pk, unknown}


def test_every_setting_of_the_library_is_set() -> None:
    assert set(jwt_settings("x")) == set(NinjaJWTSettings.model_fields)


def test_plain_environment_variables_change_nothing(user: User) -> None:
    """Another process, whose environment has what the library would read."""
    code = (
        "import django; django.setup()\n"
        "from marketplace_accounts import tokens; from uuid import UUID\n"
        "print(tokens.issue(UUID(int=1), UUID(int=2), 'x').access)"
    )
    hostile = {
        "SIGNING_KEY": "attackers", "ALGORITHM": "none", "AUDIENCE": "a", "ISSUER": "b", "LEEWAY": "999999",
        "ACCESS_TOKEN_LIFETIME": "999999", "TOKEN_TYPE_CLAIM": "t", "JTI_CLAIM": "j", "USER_ID_CLAIM": "u",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | hostile | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": "."},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    said = jwt.decode(done.stdout.strip(), KEY, ["HS256"], audience="marketplace-api", issuer="marketplace")
    assert said["exp"] - said["iat"] == 900


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(1, "1 minute"), (30, "30 minutes"), (60, "1 hour"), (90, "90 minutes"), (120, "2 hours"), (4320, "72 hours")],
)
def test_a_mail_tells_how_long_its_link_lives(minutes, words):
    assert in_words(timedelta(minutes=minutes)) == words
    assert in_words(timedelta(minutes=minutes, seconds=59)) == in_words(timedelta(minutes=minutes))
