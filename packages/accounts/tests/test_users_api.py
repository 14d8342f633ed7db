"""`/users` as a client sees it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.dispatch import Signal
from django.test import override_settings

from marketplace_accounts import actions, personal_data, signals
from marketplace_accounts.exceptions import TokenNotValid
from marketplace_accounts.models import OneTimeToken, Profile, Session, User
from marketplace_accounts.testing import PASSWORD, bearer, make_provider, make_session, make_user
from marketplace_kit.clock import now
from marketplace_kit.exceptions import DomainError
from marketplace_kit.testing import JsonClient, run_jobs
from marketplace_media.models import File
from marketplace_media.testing import make_image_bytes

pytestmark = pytest.mark.django_db


def as_(user: User) -> dict[str, Any]:
    return {"headers": {"Authorization": bearer(user)}}


def signed_in(user: User) -> JsonClient:
    return JsonClient(headers={"Authorization": bearer(user)})


@contextmanager
def heard(signal: Signal, answer: Callable[..., Any] = lambda **_: None) -> Iterator[list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []

    def receiver(**arguments: Any) -> Any:
        calls.append(arguments)
        return answer(**arguments)

    signal.connect(receiver)
    try:
        yield calls
    finally:
        signal.disconnect(receiver)


# --- oneself ---


def test_oneself_in_two_queries(user: User, django_assert_num_queries: Callable[..., Any]) -> None:
    client = signed_in(user)
    with django_assert_num_queries(2):  # the session with its user, the user with the profile
        assert client.get("/api/users/me").json()["id"] == str(user.pk)


def test_staff_is_shown_as_the_role(client: JsonClient) -> None:
    boss = make_provider(is_staff=True)
    assert client.get("/api/users/me", **as_(boss)).json()["role"] == "staff"


def test_without_a_token(client: JsonClient) -> None:
    response = client.get("/api/users/me")
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_patch_merges(user: User) -> None:
    Profile.objects.update(phone="+4930901820", address="Berlin", bio="Here.")
    client = signed_in(user)
    before = client.get("/api/users/me").json()
    with heard(signals.profile_changed) as calls:
        body = client.patch("/api/users/me", {"profile": {"firstName": "Grace", "bio": None, "phone": None}}).json()
    assert body["profile"] == before["profile"] | {"firstName": "Grace", "bio": None, "phone": None}
    assert body["updatedAt"] > before["updatedAt"]
    assert [call["user"].profile.first_name for call in calls] == ["Grace"]


@pytest.mark.parametrize("body", [{}, {"profile": {}}])
def test_an_empty_patch_changes_nothing(user: User, body: dict[str, Any]) -> None:
    client = signed_in(user)
    before = client.get("/api/users/me").json()
    with heard(signals.profile_changed) as calls:
        assert client.patch("/api/users/me", body).json() == before
    assert not calls


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"profile": None}, "/profile"),
        ({"profile": {"firstName": None}}, "/profile/firstName"),
        ({"profile": {"lastName": " "}}, "/profile/lastName"),
        ({"profile": {"phone": "12"}}, "/profile/phone"),
        ({"profile": {"bio": "x" * 2001}}, "/profile/bio"),
        ({"profile": {"firstName": "ab\ud800"}}, "/profile/firstName"),
        ({"profile": {"bio": "ab\ud800"}}, "/profile/bio"),
        ({"profile": {"address": "ab\ud800"}}, "/profile/address"),
        ({"profile": {"avatarUrl": "x"}}, "/profile/avatarUrl"),
        ({"role": "provider"}, "/role"),
        ({"email": "new@example.com"}, "/email"),
        ({"isStaff": True}, "/isStaff"),
    ],
)
def test_what_a_patch_refuses(user: User, body: dict[str, Any], pointer: str) -> None:
    raw = json.dumps(body)  # the client's own encoder refuses to write surrogates
    response = signed_in(user).generic("PATCH", "/api/users/me", raw, content_type="application/json")
    assert response.status_code == 422
    assert [e["pointer"] for e in response.json()["errors"]] == [pointer]


# --- the avatar ---


def upload(client: JsonClient, content: bytes) -> Any:
    return client.upload("/api/users/me/avatar", ContentFile(content, "me.png"), method="PUT")


def test_an_avatar_replaces_the_one_before(user: User) -> None:
    client = signed_in(user)
    first = upload(client, make_image_bytes())
    assert first.status_code == 200, first.content
    assert "X-Amz-Signature" in first.json()["profile"]["avatarUrl"]
    second = upload(client, make_image_bytes("JPEG")).json()
    assert ".jpg" in second["profile"]["avatarUrl"]
    assert File.objects.count() == 1
    assert client.delete("/api/users/me/avatar").status_code == 204
    assert client.delete("/api/users/me/avatar").status_code == 204
    assert client.get("/api/users/me").json()["profile"]["avatarUrl"] is None
    assert not File.objects.exists()
    assert run_jobs() == 2  # both objects


def test_a_bad_avatar_leaves_the_one_before(user: User) -> None:
    client = signed_in(user)
    kept = upload(client, make_image_bytes()).json()["profile"]["avatarUrl"]
    assert upload(client, b"<svg/>").status_code == 415
    assert client.get("/api/users/me").json()["profile"]["avatarUrl"] == kept


def test_an_avatar_that_nobody_wants_is_not_kept(user: User) -> None:
    def refuse(**_: Any) -> None:
        raise DomainError

    with heard(signals.profile_changed, refuse):
        assert upload(signed_in(user), make_image_bytes()).status_code == 409
    assert not File.objects.exists()


# --- others ---


def test_a_providers_profile_is_everybodys(client: JsonClient) -> None:
    provider = make_provider(profile={"first_name": "Grace", "last_name": "Hopper", "phone": "+4930901820"})
    body = client.get(f"/api/users/{provider.pk}").json()
    assert set(body) == {"id", "role", "profile", "createdAt"}
    assert body["profile"] == {"firstName": "Grace", "lastName": "Hopper", "bio": None, "avatarUrl": None}
    User.objects.update(is_active=False)
    assert client.get(f"/api/users/{provider.pk}").status_code == 404


def test_a_customers_profile_is_theirs_whom_the_host_lets_see_it(client: JsonClient, user: User) -> None:
    friend, stranger = make_user(), make_user()
    path = f"/api/users/{user.pk}"

    def may_see(caller: User, seen: User) -> bool:
        assert seen == user
        return caller.pk == friend.pk

    with override_settings(ACCOUNTS={"MAY_SEE": may_see}):
        assert client.get(path, **as_(friend)).status_code == 200
        assert client.get(path, **as_(stranger)).status_code == 404
        assert client.get(path).status_code == 404
    assert client.get(path, **as_(friend)).status_code == 404


def test_a_bad_token_is_refused_where_none_is_needed(client: JsonClient) -> None:
    path = f"/api/users/{make_provider().pk}"
    for value in ("Bearer nonsense", "Bearer ", "Basic YTpi", ""):
        assert client.get(path, headers={"Authorization": value}).status_code == 401


def test_malformed_and_unknown_ids(client: JsonClient) -> None:
    assert client.get(f"/api/users/{uuid4()}").status_code == 404
    response = client.get("/api/users/12")
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "path/userId")


# --- all that is held, and going ---


def test_an_export_has_everybodys_part(user: User) -> None:
    client = signed_in(user)
    with heard(signals.user_exporting, lambda user, **_: {"bookings": [{"of": str(user.pk)}]}):
        body = client.get("/api/users/me/export").json()
    assert set(body) == {"user", "sessions", "bookings"}
    assert body["user"]["email"] == user.email
    assert body["bookings"] == [{"of": str(user.pk)}]
    assert [set(s) for s in body["sessions"]] == [{"createdAt", "lastUsedAt", "endedAt", "ip", "userAgent"}]
    assert user.password not in str(body)


def test_two_parts_of_one_name_are_a_mistake(user: User) -> None:
    with heard(signals.user_exporting, lambda **_: {"user": {}}), pytest.raises(ValueError, match="is there already"):
        personal_data.export(user.pk)


def test_going_erases_what_is_personal(client: JsonClient, user: User) -> None:
    mine = signed_in(user)
    upload(mine, make_image_bytes())
    client.post("/api/auth/password/forgot", {"email": user.email})
    run_jobs()
    refresh = make_session(user)[1].refresh
    with heard(signals.user_erased) as calls:
        assert mine.delete("/api/users/me", {"password": PASSWORD}).status_code == 204
    assert [call["user_id"] for call in calls] == [user.pk]

    assert mine.get("/api/users/me").status_code == 401
    assert client.post("/api/auth/refresh", {"refresh": refresh}).status_code == 401
    login = {"email": "ada@example.com", "password": PASSWORD}
    assert client.post("/api/auth/login", login).status_code == 401
    rows = [row for model in (User, Profile, Session, OneTimeToken) for row in model.objects.values()]
    assert len(rows) == 2
    for secret in ("ada", "lovelace", "127.0.0.1"):
        assert secret not in str(rows).lower()
    assert not File.objects.exists()
    again = {"email": "ada@example.com", "password": PASSWORD, "role": "customer"}
    again["profile"] = {"firstName": "Ada", "lastName": "Lovelace"}  # type: ignore[assignment]
    assert client.post("/api/auth/register", again).status_code == 201


class OpenBookings(DomainError):
    """There are bookings."""

    code = "open_bookings"


def test_a_receiver_may_refuse(user: User) -> None:
    def refuse(**_: Any) -> None:
        raise OpenBookings

    client = signed_in(user)
    with heard(signals.user_erasing, refuse), heard(signals.user_erased) as calls:
        response = client.delete("/api/users/me", {"password": PASSWORD})
    assert (response.status_code, response.json()["code"]) == (409, "open_bookings")
    assert not calls
    assert client.get("/api/users/me").json()["profile"]["firstName"] == "Ada"


def test_going_needs_the_password(user: User) -> None:
    client = signed_in(user)
    response = client.delete("/api/users/me", {"password": "wrong"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/password"
    assert client.get("/api/users/me").status_code == 200


def test_an_erased_providers_profile_is_gone(client: JsonClient) -> None:
    provider = make_provider(password=PASSWORD)
    assert signed_in(provider).delete("/api/users/me", {"password": PASSWORD}).status_code == 204
    assert client.get(f"/api/users/{provider.pk}").status_code == 404


@pytest.mark.parametrize("shut_out", [{"is_active": False}, {"is_active": False, "erased_at": now()}])
def test_what_was_under_way_when_a_user_went_writes_nothing(user: User, shut_out: dict[str, Any]) -> None:
    """The token was looked at before; the row is looked at once more, by whoever writes."""
    User.objects.filter(pk=user.pk).update(**shut_out)

    for write in (
        lambda: actions.update_profile(user.pk, {"phone": "+49 30 901820"}),
        lambda: actions.remove_avatar(user.pk),
        lambda: actions.set_avatar(user.pk, SimpleUploadedFile("a.png", make_image_bytes())),
    ):
        with pytest.raises(TokenNotValid):
            write()
    assert Profile.objects.get(user=user).phone == ""
    assert not File.objects.exists()
