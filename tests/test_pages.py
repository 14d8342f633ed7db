"""The pages that links in mails lead to."""

import re
from pathlib import Path

import pytest
from django.test import Client

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
