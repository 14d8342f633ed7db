"""`/auth` as a client sees it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail

from marketplace_accounts import tasks
from marketplace_accounts.models import Profile, Session, User
from marketplace_accounts.testing import PASSWORD, bearer, make_session, make_user
from marketplace_kit.clock import shifted
from marketplace_kit.testing import JsonClient, run_jobs

pytestmark = pytest.mark.django_db

NEW = "a wholly new passphrase"
BODY: dict[str, Any] = {
    "email": "Ada@Example.com",
    "password": PASSWORD,
    "role": "customer",
    "profile": {"firstName": "Ada", "lastName": "Lovelace", "phone": "+49 30 901820", "address": "Berlin"},
}


def pointers(response: Any) -> set[str]:
    assert response.status_code == 422, response.content
    return {error["pointer"] for error in response.json()["errors"]}


def auth(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


def link_token() -> str:
    """The token of the last mail's link."""
    run_jobs()
    text = str(mail.outbox[-1].body)
    (line,) = [line for line in text.splitlines() if "?token=" in line]
    assert line.startswith("https://house.example/")
    return line.partition("?token=")[2]


# --- registering ---


def test_registering_signs_in(client: JsonClient) -> None:
    response = client.post("/api/auth/register", BODY)
    assert response.status_code == 201, response.content
    body = response.json()
    assert set(body) == {"access", "refresh", "tokenType", "expiresIn", "user"}
    assert (body["tokenType"], body["expiresIn"]) == ("Bearer", 900)
    user = body["user"]
    assert set(user) == {"id", "email", "emailVerified", "role", "profile", "createdAt", "updatedAt"}
    assert (user["email"], user["emailVerified"], user["role"]) == ("Ada@Example.com", False, "customer")
    assert user["profile"] == {
        "firstName": "Ada",
        "lastName": "Lovelace",
        "phone": "+4930901820",
        "address": "Berlin",
        "bio": None,
        "avatarUrl": None,
    }
    assert user["createdAt"].endswith("Z")
    assert client.get("/api/users/me", **auth(body["access"])).json() == user


@pytest.mark.parametrize("spelled", ["ada@example.com", "ADA@EXAMPLE.COM", "ada@\uff25xample.com"])
def test_a_taken_address_however_it_is_spelled(client: JsonClient, user: User, spelled: str) -> None:
    response = client.post("/api/auth/register", BODY | {"email": spelled})
    assert (response.status_code, response.json()["code"]) == (409, "email_taken")


def test_all_that_is_wrong_is_told_at_once(client: JsonClient) -> None:
    body = {"email": "nobody", "password": "12345678", "role": "staff", "profile": {"firstName": "", "phone": "123"}}
    response = client.post("/api/auth/register", body)
    assert pointers(response) == {
        "/email", "/password", "/role", "/profile/firstName", "/profile/lastName", "/profile/phone",
    }  # fmt: skip
    codes = {e["code"] for e in response.json()["errors"] if e["pointer"] == "/password"}
    assert codes == {"password_too_short", "password_too_common", "password_entirely_numeric"}


def test_a_password_like_ones_name_or_address_is_weak(client: JsonClient) -> None:
    response = client.post("/api/auth/register", BODY | {"password": "ada@example.com"})
    assert pointers(response) == {"/password"}
    profile = {"firstName": "Wolfeschlegelstein", "lastName": "X"}
    assert pointers(
        client.post("/api/auth/register", BODY | {"password": "wolfeschlegelstein", "profile": profile})
    ) == {"/password"}
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"isStaff": True}, "/isStaff"),
        ({"email": "a@b\0.c"}, "/email"),
        ({"email": "a@b.c\r\nBcc: x@y.z"}, "/email"),
        ({"email": "x" * 250 + "@example.com"}, "/email"),
        ({"email": f"a@{chr(0xFDFA) * 60}.com"}, "/email"),
        ({"email": "\ud800@example.com"}, "/email"),
        ({"email": "new@example.com\ud800"}, "/email"),
        ({"password": "x y" * 500}, "/password"),
        ({"password": "\ud800" * 20}, "/password"),
        ({"password": 123456789012}, "/password"),
        ({"profile": None}, "/profile"),
        ({"profile": BODY["profile"] | {"phone": "+999 123456"}}, "/profile/phone"),
        ({"profile": BODY["profile"] | {"phone": "030 901820"}}, "/profile/phone"),
        ({"profile": BODY["profile"] | {"phone": "+49 30 901820 ext. 5"}}, "/profile/phone"),
        ({"profile": BODY["profile"] | {"phone": "+1" + "2" * 30}}, "/profile/phone"),
        ({"profile": BODY["profile"] | {"address": "x" * 501}}, "/profile/address"),
        ({"profile": BODY["profile"] | {"bio": "x"}}, "/profile/bio"),
    ],
)
def test_wrong_values(client: JsonClient, change: dict[str, Any], pointer: str) -> None:
    body = json.dumps(BODY | change)
    response = client.generic("POST", "/api/auth/register", body, content_type="application/json")
    assert pointers(response) == {pointer}


# --- signing in ---


def test_signing_in(client: JsonClient, user: User) -> None:
    response = client.post("/api/auth/login", {"email": "ADA@example.com", "password": PASSWORD})
    assert response.status_code == 200
    assert response.json()["user"]["id"] == str(user.pk)
    user.refresh_from_db()
    assert user.last_login is not None


@pytest.mark.parametrize(
    "email", [" Ada@Example.com", "Ada@Example.com\r\n", "\u2028Ada@Example.com\t", "A\x07da@Example.com"]
)
def test_what_registers_signs_in(client: JsonClient, email: str) -> None:
    assert client.post("/api/auth/register", BODY | {"email": email}).json()["user"]["email"] == "Ada@Example.com"
    assert client.post("/api/auth/login", {"email": email, "password": PASSWORD}).status_code == 200
    assert client.post("/api/auth/password/forgot", {"email": email}).status_code == 202
    assert link_token()
    assert mail.outbox[-1].to == ["Ada@Example.com"]


def test_a_user_who_was_stored_without_a_profile_signs_in(client: JsonClient, user: User) -> None:
    Profile.objects.all().delete()
    response = client.post("/api/auth/login", {"email": user.email, "password": PASSWORD})
    assert response.status_code == 200, response.content
    assert response.json()["user"]["profile"]["firstName"] == ""
    assert client.get("/api/users/me", **auth(response.json()["access"])).status_code == 200


@pytest.mark.parametrize("email", ["", " ", "nobody", "@", "a b@example.com", "x" * 1000])
def test_what_can_be_nobodys_address_is_just_unknown(client: JsonClient, email: str) -> None:
    assert client.post("/api/auth/login", {"email": email, "password": PASSWORD}).status_code == 401
    assert client.post("/api/auth/password/forgot", {"email": email}).status_code == 202


def test_a_wrong_password_and_an_unknown_address_are_one(client: JsonClient, user: User, work: list[str]) -> None:
    def attempt(email: str, password: str) -> tuple[int, Any, int]:
        work.clear()
        response = client.post("/api/auth/login", {"email": email, "password": password})
        return response.status_code, response.json() | {"requestId": ""}, len(work)

    make_user("nopassword@example.com")
    make_user("gone@example.com", PASSWORD, is_active=False)
    wrong = attempt("ada@example.com", "wrong")
    assert wrong[0] == 401
    assert wrong[1]["code"] == "invalid_credentials"
    assert wrong[2] == 1
    assert attempt("nobody@example.com", "wrong") == wrong
    assert attempt("nopassword@example.com", "wrong") == wrong
    assert attempt("gone@example.com", PASSWORD) == wrong
    assert attempt("", "wrong") == wrong


def test_a_bad_token_is_no_hindrance_to_signing_in(client: JsonClient, user: User) -> None:
    body = {"email": "ada@example.com", "password": PASSWORD}
    assert client.post("/api/auth/login", body, **auth("nonsense")).status_code == 200


# --- renewing ---


def test_a_refresh_token_works_once_and_then_ends_its_session(client: JsonClient, user: User) -> None:
    first = client.post("/api/auth/login", {"email": user.email, "password": PASSWORD}).json()
    second = client.post("/api/auth/refresh", {"refresh": first["refresh"]}).json()
    assert set(second) == {"access", "refresh", "tokenType", "expiresIn"}
    third = client.post("/api/auth/refresh", {"refresh": second["refresh"]}).json()
    assert client.get("/api/users/me", **auth(third["access"])).status_code == 200

    for _ in range(2):
        again = client.post("/api/auth/refresh", {"refresh": first["refresh"]})
        assert (again.status_code, again.json()["code"]) == (401, "token_reused")
        assert again["WWW-Authenticate"] == "Bearer"
    refused = client.post("/api/auth/refresh", {"refresh": third["refresh"]})
    assert (refused.status_code, refused.json()["code"]) == (401, "token_not_valid")
    assert client.get("/api/users/me", **auth(third["access"])).json()["code"] == "token_not_valid"


def test_a_session_that_is_not_used_expires(client: JsonClient, user: User) -> None:
    pair = make_session(user)[1]
    with shifted(timedelta(days=29)):
        pair = client.post("/api/auth/refresh", {"refresh": pair.refresh}).json()
    with shifted(timedelta(days=58)):
        pair = client.post("/api/auth/refresh", {"refresh": pair["refresh"]}).json()
    with shifted(timedelta(days=89)):
        response = client.post("/api/auth/refresh", {"refresh": pair["refresh"]})
    assert (response.status_code, response.json()["code"]) == (401, "token_not_valid")


def test_a_deactivated_user_cannot_renew(client: JsonClient, user: User) -> None:
    pair = make_session(user)[1]
    User.objects.update(is_active=False)
    assert client.post("/api/auth/refresh", {"refresh": pair.refresh}).json()["code"] == "token_not_valid"
    assert client.get("/api/users/me", **auth(pair.access)).json()["code"] == "token_not_valid"


# --- going ---


def test_logging_out_ends_the_session_at_once(client: JsonClient, user: User) -> None:
    pair = make_session(user)[1]
    assert client.post("/api/auth/logout", {"refresh": pair.refresh}).status_code == 204
    assert client.get("/api/users/me", **auth(pair.access)).status_code == 401
    assert client.post("/api/auth/refresh", {"refresh": pair.refresh}).json()["code"] == "token_not_valid"


def test_logging_out_with_a_token_that_means_nothing(client: JsonClient, user: User) -> None:
    pair = make_session(user)[1]
    for token in ("nonsense", pair.access, "[" * 5000, "é.é.é"):
        assert client.post("/api/auth/logout", {"refresh": token}, **auth("nonsense")).status_code == 204
    assert client.get("/api/users/me", **auth(pair.access)).status_code == 200


def test_sessions_are_listed_and_ended(client: JsonClient, user: User) -> None:
    login = {"email": user.email, "password": PASSWORD}
    here = client.post("/api/auth/login", login, headers={"User-Agent": "here"}, REMOTE_ADDR="203.0.113.7").json()
    there = client.post("/api/auth/login", login, headers={"User-Agent": "th\u00e9re"}).json()
    make_session(make_user())
    make_session(user)[0].__class__.objects.filter(user_agent="", user=user).delete()

    items = client.get("/api/auth/sessions", **auth(here["access"])).json()["items"]
    assert [set(i) for i in items] == [{"id", "createdAt", "lastUsedAt", "ip", "userAgent", "current"}] * 2
    assert [(i["userAgent"], i["ip"], i["current"]) for i in items] == [
        ("th\ufffdre", "127.0.0.1", False),
        ("here", "203.0.113.7", True),
    ]
    path = f"/api/auth/sessions/{items[0]['id']}"
    assert client.delete(path, **auth(here["access"])).status_code == 204
    assert client.get("/api/users/me", **auth(there["access"])).status_code == 401
    assert client.delete(path, **auth(here["access"])).status_code == 404
    assert len(client.get("/api/auth/sessions", **auth(here["access"])).json()["items"]) == 1


def test_a_strangers_session_is_not_there(client: JsonClient, user: User) -> None:
    theirs = make_session(make_user())[0]
    token = {"headers": {"Authorization": bearer(user)}}
    assert client.delete(f"/api/auth/sessions/{theirs.pk}", **token).status_code == 404
    assert Session.objects.open().filter(pk=theirs.pk).exists()


# --- passwords ---


def test_a_forgotten_password(client: JsonClient, user: User) -> None:
    pair = make_session(user)[1]
    assert client.post("/api/auth/password/forgot", {"email": "ADA@example.com"}).status_code == 202
    token = link_token()
    assert mail.outbox[-1].to == ["Ada@Example.com"]
    weak = client.post("/api/auth/password/reset", {"token": token, "password": "short"})
    assert pointers(weak) == {"/password"}
    similar = client.post("/api/auth/password/reset", {"token": token, "password": "ada@example.com"})
    assert pointers(similar) == {"/password"}

    assert client.post("/api/auth/password/reset", {"token": token, "password": NEW}).status_code == 204
    assert client.get("/api/users/me", **auth(pair.access)).status_code == 401
    assert client.post("/api/auth/login", {"email": user.email, "password": PASSWORD}).status_code == 401
    assert client.post("/api/auth/login", {"email": user.email, "password": NEW}).status_code == 200
    used = client.post("/api/auth/password/reset", {"token": token, "password": NEW})
    assert (used.status_code, used.json()["code"]) == (400, "invalid_token")


def test_a_reset_uses_up_all_links(client: JsonClient, user: User) -> None:
    tokens = []
    for _ in range(2):
        client.post("/api/auth/password/forgot", {"email": user.email})
        tokens.append(link_token())
    assert tokens[0] != tokens[1]
    assert client.post("/api/auth/password/reset", {"token": tokens[1], "password": NEW}).status_code == 204
    assert client.post("/api/auth/password/reset", {"token": tokens[0], "password": NEW}).status_code == 400


def test_a_password_that_is_changed_uses_up_all_links(client: JsonClient, user: User) -> None:
    client.post("/api/auth/password/forgot", {"email": user.email})
    token = link_token()
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    assert client.post("/api/auth/password/change", body, **auth(make_session(user)[1].access)).status_code == 204
    assert client.post("/api/auth/password/reset", {"token": token, "password": NEW}).status_code == 400


def test_a_link_expires(client: JsonClient, user: User) -> None:
    client.post("/api/auth/password/forgot", {"email": user.email})
    token = link_token()
    with shifted(timedelta(minutes=61)):
        response = client.post("/api/auth/password/reset", {"token": token, "password": NEW})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_token")


def test_a_link_of_another_kind_or_that_nobody_made(client: JsonClient, user: User) -> None:
    client.post("/api/auth/email/resend", headers={"Authorization": bearer(user)})
    token = link_token()
    for bad in (token, token[:-1] + "x", "x", token.partition(".")[0], "." * 50, f"{'0' * 32}.é"):
        response = client.post("/api/auth/password/reset", {"token": bad, "password": NEW})
        assert (response.status_code, response.json()["code"]) == (400, "invalid_token")


def test_an_unknown_address_gets_the_same_answer_and_the_same_work(
    client: JsonClient, user: User, django_assert_num_queries: Callable[..., Any]
) -> None:
    for email in (user.email, "nobody@example.com", "", "x" * 1000):
        with django_assert_num_queries(4):  # the look-up, and one job, in a savepoint
            assert client.post("/api/auth/password/forgot", {"email": email}).status_code == 202
    run_jobs()
    assert [message.to for message in mail.outbox] == [[user.email]]


def test_a_mail_says_nothing_that_a_stranger_chose(client: JsonClient) -> None:
    profile = {"firstName": "Win at https://evil.example", "lastName": "<b>now</b>"}
    client.post("/api/auth/register", BODY | {"profile": profile})
    run_jobs()
    assert "evil" not in mail.outbox[-1].message().as_string()


def test_changing_the_password(client: JsonClient, user: User) -> None:
    here, there = make_session(user)[1], make_session(user)[1]

    def change(current: str, new: str) -> Any:
        body = {"currentPassword": current, "newPassword": new}
        return client.post("/api/auth/password/change", body, **auth(here.access))

    assert pointers(change("wrong", NEW)) == {"/currentPassword"}
    assert pointers(change(PASSWORD, "short")) == {"/newPassword"}
    assert pointers(change(PASSWORD, "ada@example.com")) == {"/newPassword"}
    assert change(PASSWORD, NEW).status_code == 204
    assert client.get("/api/users/me", **auth(here.access)).status_code == 200
    assert client.post("/api/auth/refresh", {"refresh": here.refresh}).status_code == 200
    assert client.get("/api/users/me", **auth(there.access)).status_code == 401
    assert client.post("/api/auth/login", {"email": user.email, "password": NEW}).status_code == 200


# --- the address ---


def test_verifying_the_address(client: JsonClient) -> None:
    access = client.post("/api/auth/register", BODY).json()["access"]
    token = link_token()
    assert client.post("/api/auth/email/verify", {"token": token}).status_code == 204
    assert client.get("/api/users/me", **auth(access)).json()["emailVerified"] is True
    again = client.post("/api/auth/email/verify", {"token": token})
    assert (again.status_code, again.json()["code"]) == (400, "invalid_token")
    sent = len(mail.outbox)
    assert client.post("/api/auth/email/resend", **auth(access)).status_code == 202
    run_jobs()
    assert len(mail.outbox) == sent


def test_a_job_that_is_repeated_sends_the_same_mail(user: User) -> None:

    ids = {"token_id": str(uuid4()), "user_id": str(user.pk)}
    for _ in range(2):
        tasks.send_password_reset(**ids)
    first, second = mail.outbox
    assert first.body == second.body
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]
