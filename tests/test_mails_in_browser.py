"""How mails look: in a real browser, on a small screen, light and dark, with what users wrote as long as it may be."""

import pytest
from tests.test_mails import TOLD, forms, happen, world  # noqa: F401  (a fixture)

from marketplace_kit.testing import JsonClient, run_jobs

pytestmark = [pytest.mark.external, pytest.mark.django_db]


@pytest.fixture
def looks(chromium, tmp_path):
    """Asserts that a mail can be read."""

    def look(message):
        html = tmp_path / "mail.html"
        html.write_text(list(forms(message))[1])
        for dark in (False, True):
            chromium.resize(360)
            chromium.dim(dark)
            chromium.open(html.as_uri())
            assert (chromium.overhang, chromium.faint) == (0, []), message["Subject"]
        assert chromium.complaints == []

    return look


@pytest.mark.parametrize("name", TOLD)
def test_every_mail_fits(world, looks, name):  # noqa: F811
    for person in world.people.values():
        type(person.profile).objects.filter(pk=person.pk).update(first_name="N" * 100, last_name="n" * 100)
    type(world.service).objects.filter(pk=world.service.pk).update(title="W" * 200)
    happen(world, name)

    assert world.mails()
    for message in world.mails():
        looks(message)


def test_mails_of_accounts_fit(world, looks):  # noqa: F811
    address = f"{'a' * 64}@{'b' * 60}.example.com"
    profile = {"firstName": "Ada", "lastName": "Lovelace"}
    body = {"email": address, "password": "correct-horse-battery", "role": "customer", "profile": profile}
    assert JsonClient().post("/api/v1/auth/register", body).status_code == 201
    assert JsonClient().post("/api/v1/auth/password/forgot", {"email": address}).status_code == 202
    run_jobs()

    assert len(world.mails()) == 2
    for message in world.mails():
        looks(message)


def test_what_is_too_wide_or_faint_is_found(chromium):
    """Without this the tests above would prove nothing."""
    chromium.resize(360)
    chromium.open("data:text/html,<body style='background: white'><p style='width: 400px; color: silver'>Some text</p>")
    assert chromium.overhang > 0
    assert chromium.faint == ["Some text"]
