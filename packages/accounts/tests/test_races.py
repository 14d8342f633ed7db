"""Real threads on committed rows. Each has a control that fails without what makes it safe."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any
from unittest import mock

import pytest
from django.db import connection

from marketplace_accounts import actions, tokens
from marketplace_accounts.exceptions import EmailTaken, InvalidCredentials, InvalidToken, TokenNotValid, TokenReused
from marketplace_accounts.lifecycle import Purpose, Role
from marketplace_accounts.models import OneTimeToken, Session, SessionQuerySet, User
from marketplace_accounts.testing import PASSWORD, make_session, make_user
from marketplace_kit.exceptions import DomainError
from marketplace_kit.ids import uuid7

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 8
NEW = "a wholly new passphrase"


def all_at_once(act: Callable[[], Any], count: int = AT_ONCE) -> list[Any]:
    """What each of so many threads got: a result, or a refusal."""
    barrier = Barrier(count)

    def run(_: int) -> Any:
        barrier.wait()
        try:
            return act()
        except DomainError as error:
            return type(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def pairs(found: list[Any]) -> list[tokens.Pair]:
    return [f for f in found if isinstance(f, tokens.Pair)]


def test_one_of_many_renewals_wins_and_the_session_ends() -> None:
    user = make_user()
    session, pair = make_session(user)
    found = all_at_once(lambda: actions.refresh(pair.refresh))
    assert len(pairs(found)) == 1
    assert found.count(TokenReused) == AT_ONCE - 1
    assert Session.objects.ended_among([session.pk]) == {session.pk}
    with pytest.raises(TokenNotValid):
        actions.refresh(pairs(found)[0].refresh)


def test_control_looking_before_writing_lets_several_win() -> None:
    barrier = Barrier(AT_ONCE)

    def look_then_write(claims: tokens.Claims) -> tokens.Pair | None:
        current = Session.objects.unended().filter(refresh_hash=tokens.hashed(claims.jti)).exists()
        barrier.wait()
        jti = tokens.new_jti()
        Session.objects.filter(pk=claims.session_id).update(refresh_hash=tokens.hashed(jti))
        return tokens.issue(claims.session_id, claims.user_id, jti) if current else None

    pair = make_session(make_user())[1]
    with mock.patch.object(actions, "_rotate", look_then_write):
        found = all_at_once(lambda: actions.refresh(pair.refresh))
    assert len(pairs(found)) > 1


def test_one_of_many_registrations_gets_the_address() -> None:
    found = all_at_once(lambda: actions.register("Ada@example.com", PASSWORD, Role.CUSTOMER, {}))
    assert found.count(EmailTaken) == AT_ONCE - 1
    assert User.objects.count() == 1


def test_one_of_many_resets_uses_the_link() -> None:
    user = make_user("ada@example.com", PASSWORD)
    secret = actions.make_secret(uuid7(), user, Purpose.PASSWORD_RESET)
    found = all_at_once(lambda: actions.reset_password(secret, NEW))
    assert found.count(None) == 1
    assert found.count(InvalidToken) == AT_ONCE - 1


@contextmanager
def just_before_the_session(act: Callable[[], Any]) -> Iterator[None]:
    """Let somebody else act, in a connection of his own, once a sign-in has found the password to be right."""
    check = User.check_password

    def checked(self: User, password: str) -> bool:
        good = check(self, password)
        with mock.patch.object(User, "check_password", check), ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: (act(), connection.close())).result()
        return good

    with mock.patch.object(User, "check_password", checked):
        yield


def test_no_session_comes_of_a_password_that_is_reset_meanwhile() -> None:
    user = make_user("ada@example.com", PASSWORD)
    secret = actions.make_secret(uuid7(), user, Purpose.PASSWORD_RESET)
    with just_before_the_session(lambda: actions.reset_password(secret, NEW)), pytest.raises(InvalidCredentials):
        actions.log_in("ada@example.com", PASSWORD)
    assert not Session.objects.unended().exists()


def test_control_signing_in_without_looking_again() -> None:
    user = make_user("ada@example.com", PASSWORD)
    secret = actions.make_secret(uuid7(), user, Purpose.PASSWORD_RESET)
    blind = mock.patch("marketplace_accounts.models.UserQuerySet.update", return_value=1)
    with just_before_the_session(lambda: actions.reset_password(secret, NEW)), blind:
        actions.log_in("ada@example.com", PASSWORD)
    assert Session.objects.unended().exists()


def test_a_link_is_one_row_however_often_its_job_runs() -> None:
    user, token_id = make_user(), uuid7()
    assert len(set(all_at_once(lambda: actions.make_secret(token_id, user, Purpose.EMAIL_VERIFY)))) == 1
    assert OneTimeToken.objects.count() == 1


def test_an_ended_session_is_not_brought_back_by_a_renewal() -> None:
    session, pair = make_session(make_user())
    rotate = actions._rotate

    def ended_first(claims: tokens.Claims) -> tokens.Pair | None:
        SessionQuerySet.end(Session.objects.filter(pk=session.pk), actions.EndReason.LOGGED_OUT)
        return rotate(claims)

    with mock.patch.object(actions, "_rotate", ended_first), pytest.raises(TokenNotValid):
        actions.refresh(pair.refresh)
