"""The live page, and those that links in mails lead to. In a browser: `test_live_page`."""

import re
from pathlib import Path

import pytest
from django.db import OperationalError
from django.test import Client

from marketplace import pages
from marketplace.seeding import ADMIN, CUSTOMER, PASSWORD, PROVIDER
from marketplace_accounts.models import User

STATIC = Path(__file__).parent.parent / "project/marketplace/static"


@pytest.mark.parametrize(
    ("path", "operation"),
    [("/password/reset", "/api/v1/auth/password/reset"), ("/email/verify", "/api/v1/auth/email/verify")],
)
def test_a_page_hands_its_token_to_the_api(path, operation):
    answer = Client().get(f"{path}?token=secret")

    page = answer.content.decode()
    assert answer.status_code == 200
    assert f'data-operation="{operation}"' in page
    assert "secret" not in page  # it stays in the address
    assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("no-referrer", "no-store")


@pytest.mark.parametrize("path", ["/password/reset", "/email/verify"])
def test_it_needs_nobody_else_and_no_inline_script(path):
    page = Client().get(path).content.decode()

    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (STATIC / address.removeprefix("/static/")).is_file()
    assert not re.search(r"<script>|<style|\son\w+=", page)


def test_it_can_only_be_read():
    assert Client().post("/password/reset").status_code == 405


# --- the live page ---


@pytest.mark.django_db
def test_the_live_page_needs_nobody_else_and_no_inline_script():
    answer = Client().get("/")

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "script-src 'self';" in answer["Content-Security-Policy"] + ";"
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert (STATIC / address.removeprefix("/static/")).is_file()
    assert not re.search(r"<script(?! type=\"module\" src=)|<style|\son\w+=|https?://", page)


@pytest.mark.django_db
def test_demo_users_are_offered_where_they_are():
    User.objects.create_superuser(ADMIN)

    page = Client().get("/").content.decode()

    for words in (f'data-email="{CUSTOMER}"', f'data-email="{PROVIDER}"', PASSWORD, ADMIN, "Make something happen"):
        assert words in page


@pytest.mark.django_db
def test_demo_users_are_not_offered_where_somebody_only_took_their_addresses():
    for address in (CUSTOMER, PROVIDER, ADMIN):
        User.objects.create_user(address)

    page = Client().get("/").content.decode()

    assert "demo" not in page
    assert "Make something happen" not in page
    assert 'name="password"' in page


def test_the_live_page_is_there_without_a_database(monkeypatch):
    def away():
        raise OperationalError("away")

    monkeypatch.setattr(pages, "demo_sign_ins", away)

    answer = Client().get("/")

    assert answer.status_code == 200
    assert 'name="password"' in answer.content.decode()
