"""What somebody may ask about later is written down, and says nothing secret."""

import json

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from structlog.testing import capture_logs

from marketplace_accounts import actions
from marketplace_accounts.models import OneTimeToken, User, email_key
from marketplace_accounts.testing import PASSWORD, make_session, make_user
from marketplace_kit.audit import fingerprint

# Lines come with the commit, so there has to be one.
pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = "/api/auth/login"
NEW = "staple correct horse"


@pytest.fixture
def audit():
    """The lines of the audit, without what every line has."""
    with capture_logs() as logs:
        yield lambda: [
            {name: value for name, value in line.items() if name not in ("event", "log_level")}
            for line in logs
            if line["event"] == "audit"
        ]


def test_registering_and_signing_in(client, user, audit):
    profile = {"firstName": "Bob", "lastName": "Builder"}
    body = {"email": "bob@example.com", "password": PASSWORD, "role": "customer", "profile": profile}
    client.post("/api/auth/register", body)
    client.post(LOGIN, {"email": "ADA@example.com", "password": PASSWORD})

    bob = User.objects.with_email("bob@example.com").get()
    assert audit() == [
        {"action": "registered", "user_id": str(bob.pk), "address": "127.0.0.1"},
        {"action": "signed_in", "user_id": str(user.pk), "address": "127.0.0.1"},
    ]


@pytest.mark.parametrize("email", ["ADA@example.com", "nobody@example.com"])
def test_a_refused_sign_in_names_the_address_by_its_fingerprint(client, user, audit, email):
    client.post(LOGIN, {"email": email, "password": "hunter2"})

    (line,) = audit()
    assert line == {
        "action": "sign_in_refused",
        "email_hash": fingerprint(email_key(email)),
        "address": "127.0.0.1",
    }
    assert "example.com" not in json.dumps(line)


def test_going_out(client, user, audit):
    session, pair = make_session(user)
    client.post("/api/auth/logout", {"refresh": pair.refresh})
    client.post("/api/auth/logout", {"refresh": pair.refresh})
    client.post("/api/auth/logout", {"refresh": "unknown"})
    other, _ = make_session(user)
    _, mine = make_session(user)
    client.delete(f"/api/auth/sessions/{other.pk}", headers={"Authorization": f"Bearer {mine.access}"})

    assert audit() == [
        {"action": "signed_out", "user_id": str(user.pk), "session_id": str(session.pk)},
        {"action": "session_ended", "user_id": str(user.pk), "session_id": str(other.pk)},
    ]


def test_a_refresh_token_used_again(client, user, audit):
    session, pair = make_session(user)
    for _ in range(2):
        client.post("/api/auth/refresh", {"refresh": pair.refresh})
    client.post("/api/auth/refresh", {"refresh": "unknown"})

    assert audit() == [{"action": "refresh_reused", "user_id": str(user.pk), "session_id": str(session.pk)}]


def test_passwords(client, user, audit):
    signed_in = {"Authorization": f"Bearer {make_session(user)[1].access}"}
    for current in ("hunter2", PASSWORD):
        body = {"currentPassword": current, "newPassword": NEW}
        client.post("/api/auth/password/change", body, headers=signed_in)
    actions.forgot_password(user.email)
    secret = actions.make_secret(OneTimeToken().pk, user, "password_reset")
    client.post("/api/auth/password/reset", {"token": secret, "password": PASSWORD})
    client.post("/api/auth/password/reset", {"token": secret, "password": PASSWORD})

    assert audit() == [
        {"action": "password_refused", "user_id": str(user.pk)},
        {"action": "password_changed", "user_id": str(user.pk)},
        {"action": "password_reset", "user_id": str(user.pk)},
    ]


@pytest.fixture
def admin() -> tuple[Client, User]:
    boss = User.objects.create_superuser("boss@example.com", PASSWORD, profile={"first_name": "B", "last_name": "O"})
    browser = Client()
    browser.force_login(boss)
    return browser, boss


def form_of(user: User, **changes: object) -> dict[str, object]:
    profile = {"first_name": "Ada", "last_name": "Lovelace", "phone": "", "address": "", "bio": "", "user": user.pk}
    inline = {f"profile-0-{name}": value for name, value in profile.items()}
    counts = {f"profile-{name}": value for name, value in (("TOTAL_FORMS", 1), ("INITIAL_FORMS", 1))}
    return {"role": user.role, "is_active": "on", **counts, **inline, **changes}


def test_rights_that_staff_gives(admin, user, audit):
    browser, boss = admin
    group = Group.objects.create(name="support")
    page = f"/admin/marketplace_accounts/user/{user.pk}/change/"

    assert browser.post(page, form_of(user, **{"profile-0-bio": "Only this."})).status_code == 302
    assert audit() == []
    assert browser.post(page, form_of(user, is_staff="on", groups=[group.pk])).status_code == 302

    (line,) = audit()
    assert line == {
        "action": "rights_changed",
        "user_id": str(user.pk),
        "by_user_id": str(boss.pk),
        "changed": ["groups", "is_staff"],
        "role": "customer",
        "is_active": True,
        "is_staff": True,
        "is_superuser": False,
    }


def test_a_password_that_staff_sets(admin, user, audit):
    body = {"usable_password": "true", "password1": NEW, "password2": NEW}
    admin[0].post(f"/admin/marketplace_accounts/user/{user.pk}/password/", body)

    assert {"action": "password_set_by_staff", "user_id": str(user.pk)} in audit()


def test_an_administrator_made_by_command(audit, monkeypatch, capsys):
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    call_command("createadmin", email="root@example.com")

    assert audit() == [{"action": "admin_created", "user_id": str(User.objects.get().pk)}]


def test_an_administrator_made_by_djangos_command(audit, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="root@example.com", interactive=False, verbosity=0)

    assert audit() == [{"action": "admin_created", "user_id": str(User.objects.get().pk)}]


def test_sessions_that_staff_ends(admin, user, audit):
    session = make_session(user)[0]
    admin[0].post("/admin/marketplace_accounts/session/", {"action": "end", "_selected_action": [str(session.pk)]})

    (line,) = audit()
    assert (line["action"], line["session_ids"]) == ("sessions_ended_by_staff", [str(session.pk)])


def test_what_is_undone_is_not_told(audit, monkeypatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("marketplace_accounts.signals.user_registered.send", fail)
    with pytest.raises(ZeroDivisionError):
        actions.register("bob@example.com", PASSWORD, "customer", {"first_name": "Bob", "last_name": "B"})

    assert audit() == []
    assert make_user("bob@example.com")
