"""What staff can do, and what nobody can see."""

import io
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest
from django.conf import settings as project
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import DataError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from marketplace_accounts import actions, checks, signals
from marketplace_accounts.exceptions import InvalidToken
from marketplace_accounts.lifecycle import Purpose
from marketplace_accounts.models import Session, User
from marketplace_accounts.testing import PASSWORD, make_session, make_user
from marketplace_kit.ids import uuid7

pytestmark = pytest.mark.django_db
USERS = "/admin/marketplace_accounts/user/"
SESSIONS = "/admin/marketplace_accounts/session/"


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss@example.com", PASSWORD, profile={"first_name": "Boss"})


@pytest.fixture
def browser(boss: User) -> Client:
    client = Client()
    assert client.login(username="BOSS@example.com", password=PASSWORD)
    return client


def test_the_lists_stay_at_few_queries(browser: Client, django_assert_max_num_queries: Callable[..., Any]) -> None:
    for _ in range(5):
        make_session(make_user())
    for path in (USERS, SESSIONS, f"{USERS}?q=ada", f"{USERS}?role__exact=customer"):
        with django_assert_max_num_queries(12):
            assert browser.get(path).status_code == 200


def test_no_page_shows_a_secret(browser: Client, boss: User) -> None:
    user = make_user("ada@example.com", PASSWORD)
    session = make_session(user)[0]
    watcher = User.objects.create_user("watcher@example.com", PASSWORD, is_staff=True)
    watcher.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    other = Client()
    other.force_login(watcher)
    for client in (browser, other):
        for path in (USERS, f"{USERS}{user.pk}/change/", SESSIONS, f"{SESSIONS}{session.pk}/change/"):
            text = client.get(path).content.decode()
            assert user.email in text
            for secret in (user.password, user.password[-20:], session.refresh_hash):
                assert secret not in text


def test_a_new_user_has_a_profile(browser: Client, django_assert_max_num_queries: Callable[..., Any]) -> None:
    form = {"email": "New@Example.com", "role": "provider", "usable_password": "true"}
    form |= {"password1": PASSWORD, "password2": PASSWORD}
    response = browser.post(f"{USERS}add/", form)
    assert response.status_code == 302, response.content.decode()
    user = User.objects.get_by_natural_key("new@example.com")
    assert (user.email, user.role, user.profile.first_name) == ("New@Example.com", "provider", "")
    again = browser.post(f"{USERS}add/", form | {"email": "NEW@example.com"})
    assert "This address is already registered" in again.content.decode()
    with django_assert_max_num_queries(12):
        assert browser.get(f"{USERS}{user.pk}/change/").status_code == 200


def test_a_user_is_deactivated(browser: Client) -> None:
    user = make_user()
    session = make_session(user)[0]
    form = {
        "role": "customer",
        "profile-TOTAL_FORMS": "1",
        "profile-INITIAL_FORMS": "1",
        "profile-0-user": str(user.pk),
    }
    form |= {"profile-0-first_name": "Grace"}
    told = []

    def hear(user_id: Any, **_: Any) -> None:
        told.append(user_id)

    signals.user_deactivated.connect(hear)
    assert browser.post(f"{USERS}{user.pk}/change/", form | {"is_active": "on"}).status_code == 302
    assert told == []
    response = browser.post(f"{USERS}{user.pk}/change/", form)
    signals.user_deactivated.disconnect(hear)
    assert response.status_code == 302, response.content.decode()
    user = User.objects.get(pk=user.pk)
    assert (user.is_active, user.profile.first_name) == (False, "Grace")
    assert told == [user.pk]
    assert Session.objects.ended_among([session.pk]) == {session.pk}


def test_a_new_password_ends_the_sessions(browser: Client) -> None:
    user = make_user("ada@example.com", PASSWORD)
    session = make_session(user)[0]
    link = actions.make_secret(uuid7(), user, Purpose.PASSWORD_RESET)
    new = "another long passphrase"
    form = {"usable_password": "true", "password1": new, "password2": new, "set-password": "x"}
    assert browser.post(f"{USERS}{user.pk}/password/", form).status_code == 302
    user.refresh_from_db()
    assert user.check_password(new)
    assert Session.objects.ended_among([session.pk]) == {session.pk}
    with pytest.raises(InvalidToken):
        actions.reset_password(link, PASSWORD)


def test_sessions_are_ended(browser: Client) -> None:
    session = make_session(make_user())[0]
    browser.post(SESSIONS, {"action": "end", "_selected_action": [str(session.pk)]})
    session.refresh_from_db()
    assert session.end_reason == "by_staff"


@pytest.fixture
def helper() -> User:
    """Staff that may look at users and sessions, and change users."""
    helper = User.objects.create_user("helper@example.com", is_staff=True)
    rights = ["change_user", "view_user", "delete_user", "view_session"]
    helper.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return helper


def test_sessions_are_ended_by_whoever_may_change_them(helper: User) -> None:
    session = make_session(make_user())[0]
    client = Client()
    client.force_login(helper)
    form = {"action": "end", "_selected_action": [str(session.pk)]}
    client.post(SESSIONS, form)
    session.refresh_from_db()
    assert session.ended_at is None
    helper.user_permissions.add(
        Permission.objects.get(codename="change_session", content_type__app_label="marketplace_accounts")
    )
    client.post(SESSIONS, form)
    session.refresh_from_db()
    assert session.end_reason == "by_staff"


def test_users_are_found_by_address_key_and_name(browser: Client) -> None:
    user = make_user("Grace@Example.com", profile={"first_name": "Grace", "last_name": "Hopper"})
    make_user("other@example.com")
    for term in ("GRACE@", "grace@example.com", str(user.pk), "hopp", "grace hopper"):
        assert [found.pk for found in browser.get(USERS, {"q": term}).context["cl"].result_list] == [user.pk], term
    session = make_session(user, ip="203.0.113.7")[0]
    for term in ("203.0.113.7", "grace@example.com", str(session.pk), str(user.pk)):
        found = browser.get(SESSIONS, {"q": term}).context["cl"].result_list
        assert [row.pk for row in found] == [session.pk], term


def test_staff_can_not_make_themselves_more(boss: User, helper: User) -> None:
    client = Client()
    client.force_login(helper)
    form = {"role": "customer", "is_active": "on", "is_superuser": "on"}
    form |= {"profile-TOTAL_FORMS": "0", "profile-INITIAL_FORMS": "0"}
    client.post(f"{USERS}{helper.pk}/change/", form)
    helper.refresh_from_db()
    assert not helper.is_superuser
    for above in (boss, make_user(is_staff=True)):
        assert client.get(f"{USERS}{above.pk}/password/").status_code == 403
        assert client.post(f"{USERS}{above.pk}/change/", form).status_code == 403
        assert client.post(f"{USERS}{above.pk}/delete/").status_code == 403


# --- the command ---


def test_an_administrator_is_made(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    call_command("createadmin", email="First@example.com", first_name="Ada")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD} too\n"))
    call_command("createadmin", email="second@example.com", password_stdin=True)
    first, second = User.objects.order_by("email_key")
    assert first.is_superuser
    assert (first.first_name, first.shown_role) == ("Ada", "staff")
    assert first.check_password(PASSWORD)
    assert second.check_password(f"{PASSWORD} too")
    assert PASSWORD not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("nobody", PASSWORD, "an e-mail address"),
        ("a@example.com", "", "ADMIN_PASSWORD"),
        ("a@example.com", "short", "too short"),
        ("TAKEN@example.com", PASSWORD, "already registered"),
    ],
)
def test_what_the_command_refuses(monkeypatch: pytest.MonkeyPatch, email: str, password: str, said: str) -> None:
    make_user("taken@example.com")
    monkeypatch.setenv("ADMIN_PASSWORD", password)
    with pytest.raises(CommandError, match=said):
        call_command("createadmin", email=email)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"first_name": "x" * 300}, "First name: .* at most 100 "),
        ({"last_name": "x" * 101}, "Last name: .* at most 100 "),
        ({"last_name": "a\0b"}, "Last name: .* NUL"),
        ({"first_name": "a\udcff"}, "First name: .* surrogates"),  # so Python reads an argument that is no UTF-8
        ({"email": "x" * 250 + "@example.com"}, "Email: "),
        ({"email": f"a@{chr(0xFDFA) * 60}.com"}, "Email: .* shorter"),
    ],
)
def test_what_the_command_refuses_as_the_api_does(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    with pytest.raises(CommandError, match=said):
        call_command("createadmin", **{"email": "a@example.com"} | given)
    assert not User.objects.exists()


def test_a_password_that_could_not_be_sent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("x y" * 500))
    with pytest.raises(CommandError, match=r"Password: .* at most ") as caught:
        call_command("createadmin", email="a@example.com", password_stdin=True)
    assert "x yx y" not in str(caught.value)


def test_an_administrators_names_and_address_are_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    call_command("createadmin", email=" boss@example.com\n", first_name=" Ada \n Augusta ")
    user = User.objects.get()
    assert (user.email, user.first_name) == ("boss@example.com", "Ada Augusta")


@pytest.mark.django_db(transaction=True)  # so that nothing of the test's own takes it back
def test_a_user_is_stored_with_a_profile_or_not_at_all() -> None:
    with pytest.raises(DataError):
        User.objects.create_user("a@example.com", PASSWORD, profile={"first_name": "x" * 300})
    assert not User.objects.exists()


def test_a_database_without_all_tables_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    MigrationRecorder(connection).record_unapplied("marketplace_accounts", "0002_profile_avatar")
    with pytest.raises(CommandError, match="Run `migrate` first"):
        call_command("createadmin", email="a@example.com")
    assert not User.objects.exists()


def test_djangos_own_command_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="boss@example.com", interactive=False, verbosity=0)
    assert User.objects.get().profile.first_name == ""


# --- settings that would be dangerous ---


def test_good_settings_have_no_problem() -> None:
    assert checks.check_settings() == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"AUTH_USER_MODEL": "auth.User"}, "E001"),
        ({"NINJA_JWT": {"SIGNING_KEY": "x" * 32}}, "E002"),
        ({"SIMPLE_JWT": {}}, "E002"),
        ({"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]}, "W001"),
        ({"AUTH_PASSWORD_VALIDATORS": []}, "W002"),
    ],
)
def test_dangerous_settings(changes: dict[str, Any], problem: str) -> None:
    # not override_settings: django-ninja-jwt would listen, and stumble
    with ExitStack() as stack:
        for name, value in changes.items():
            stack.enter_context(mock.patch.object(project, name, value, create=True))
        assert [found.id for found in checks.check_settings()] == [f"marketplace_accounts.{problem}"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"SIGNING_KEY": "short"}, "E003"),
        ({"SIGNING_KEY": "only for tests, and not what tokens are signed with"}, "E003"),
        ({"ALGORITHM": "HS512"}, "E004"),
        ({"AUDIENCE": None}, "E004"),
    ],
)
def test_dangerous_tokens(change: dict[str, Any], problem: str) -> None:
    with mock.patch.object(project, "NINJA_JWT", project.NINJA_JWT | change):
        assert [found.id for found in checks.check_settings()] == [f"marketplace_accounts.{problem}"]
