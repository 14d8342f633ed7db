"""Who a request is from, on the API's paths and elsewhere."""

from typing import Any

import pytest
from django.test import RequestFactory

from marketplace_accounts.exceptions import TokenNotValid
from marketplace_accounts.middleware import bearer as middleware
from marketplace_accounts.models import User
from marketplace_accounts.testing import bearer, make_session
from marketplace_kit.exceptions import Unauthenticated
from marketplace_kit.testing import JsonClient

pytestmark = pytest.mark.django_db


def seen(path: str = "/api/x", **headers: str) -> Any:
    found: list[Any] = []
    request = RequestFactory().get(path, headers=headers)
    middleware(lambda r: found.append(r))(request)  # type: ignore[arg-type, func-returns-value, return-value]
    return found[0]


def test_the_session_cookie_signs_in_outside_of_the_api_only(client: JsonClient, user: User) -> None:
    client.force_login(user)
    assert client.get("/page").content.decode() == user.email
    assert client.get("/api/users/me").status_code == 401


def test_a_bearer_signs_in_on_the_api_only(client: JsonClient, user: User) -> None:
    headers = {"Authorization": bearer(user)}
    assert client.get("/page", headers=headers).content == b"AnonymousUser"
    assert client.get("/api/users/me", headers=headers).status_code == 200


def test_nothing_is_looked_up_until_somebody_asks(user: User, django_assert_num_queries: Any) -> None:
    session, pair = make_session(user)
    with django_assert_num_queries(0):
        request = seen(Authorization=f"bearer {pair.access}")
    assert not hasattr(request, "_signed_in_user")
    with django_assert_num_queries(1):
        assert request.user == user
        assert request.user.email == user.email
    assert request._signed_in_user == user
    assert request.session_id == session.pk


@pytest.mark.parametrize(
    ("value", "error"),
    [("Bearer x", TokenNotValid), ("Bearer", TokenNotValid), ("", Unauthenticated), ("Basic eA==", Unauthenticated)],
)
def test_what_is_no_good_token(value: str, error: type[Exception]) -> None:
    request = seen(Authorization=value)
    with pytest.raises(error):
        bool(request.user)


def test_nobody() -> None:
    assert not seen().user.is_authenticated
    assert not hasattr(seen("/elsewhere", Authorization="Bearer x"), "user")
