"""Every page of the admin: shown to whoever may, quick however many rows there are, and without secrets.

`backoffice.World` has rows of every model; a model without one fails here.
"""

import re
from collections import Counter
from contextlib import contextmanager

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tests import backoffice

from marketplace_accounts.models import Profile, User
from marketplace_accounts.testing import make_user
from marketplace_billing.models import Payment, Posting
from marketplace_catalog.models import Category, Service
from marketplace_kit.models import IdempotencyKey
from marketplace_notifications.models import StreamTicket, WebhookSecret
from marketplace_reviews.models import Review

pytestmark = pytest.mark.django_db
MOST = 12  # queries of a page
BY_HAND = {
    User: {"add", "change"},
    Group: {"add", "change", "delete"},
    Category: {"add", "change", "delete"},
    Review: {"change"},  # hidden, and shown again
}
NEVER_OPENED = {StreamTicket}  # their key is a secret's digest
MANY_SIDED = {Posting: {"kind": "release"}}  # instead of the first row, one that points to more than others
WITHOUT_A_PAGE = {Profile, WebhookSecret}  # shown with its user; and shown to nobody


@pytest.fixture
def world(db):
    return backoffice.World()


@pytest.fixture
def boss(db):
    client = Client()
    client.force_login(backoffice.make_boss())
    return client


def registered():
    return list(admin.site._registry)


def address(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def page_of(row):
    return address(type(row), "change", quote(row.pk))


def a_row_of(model):
    return model._default_manager.filter(**MANY_SIDED.get(model, {})).first()


def name_of(model):
    return model._meta.label


@contextmanager
def few_queries(page, most=MOST):
    """No more than so many, and none of them again and again for each row."""
    with CaptureQueriesContext(connection) as made:
        yield
    asked = [query["sql"] for query in made if "SAVEPOINT" not in query["sql"]]
    assert len(asked) <= most, "\n".join([page, *asked])
    # Behind the session and whose it is. And Django's own lists count twice.
    kinds = Counter(re.sub(r"'[^']*'(::uuid)?|\b\d+\b", "?", sql) for sql in asked[2:] if "COUNT(*)" not in sql)
    assert max(kinds.values(), default=0) <= 1, (page, kinds.most_common(1))


def seen(client, page):
    """What the client is answered, with few queries."""
    with few_queries(page):
        return client.get(page)


def test_every_model_of_ours_has_a_page(world):
    ours = {model for model in apps.get_models() if model.__module__.startswith("marketplace")}

    assert {name_of(model) for model in ours - WITHOUT_A_PAGE} <= {name_of(model) for model in registered()}
    # Else what follows would prove little: make the missing ones in backoffice.py.
    assert not {name_of(model) for model in registered() if not model._default_manager.exists()}


def test_lists_and_rows_are_shown_without_secrets(world, boss):
    shown = {}
    for model in registered():
        list_page, row_page = address(model, "changelist"), page_of(a_row_of(model))
        for page, status in ((list_page, 200), (row_page, 403 if model in NEVER_OPENED else 200)):
            answer = seen(boss, page)
            assert answer.status_code == status, page
            shown[page] = answer.content.decode()

    secrets = secrets_of(world)
    assert all(len(secret) > 10 for secret in secrets)
    assert not {(page, secret) for page, html in shown.items() for secret in secrets if secret in html}


def secrets_of(world):
    """What no page may show: of what is in the database, and of the settings."""
    key = IdempotencyKey.objects.get()
    # A hash would be told in parts, too.
    hashes = [hashed for hashed in User.objects.values_list("password", flat=True) if hashed.startswith("argon2")]
    return {
        *(part for hashed in hashes for part in (hashed, hashed[-20:])),
        *(world.session.refresh_hash, world.ticket),
        *StreamTicket.objects.values_list("digest", flat=True),
        *WebhookSecret.objects.values_list("secret", flat=True),
        *(backoffice.KEY, key.body_hash, bytes(key.body).decode()[:40]),
        *(settings.SECRET_KEY, settings.MOCK_GATEWAY_WEBHOOK_SECRET, settings.MEDIA["SECRET_ACCESS_KEY"]),
    }


def test_lists_are_searched(world, boss):
    for model in registered():
        if admin.site.get_model_admin(model).search_fields:
            for term in (a_row_of(model).pk, "carla@example.com"):
                page = f"{address(model, 'changelist')}?q={term}"
                assert seen(boss, page).status_code == 200, page


def test_a_list_takes_whatever_is_asked_of_it(world, boss):
    for query in ("?q=nothing+like+it", "?q=%00", "?q=%22", "?p=2", "?o=1"):
        assert seen(boss, address(Payment, "changelist") + query).status_code == 200, query
    # Of what can't be filtered by, Django's lists say so by an address of their own.
    assert boss.get(address(Payment, "changelist") + "?nothing=1")["Location"].endswith("?e=1")


def test_lists_are_filtered(world, boss):
    for model in registered():
        path = address(model, "changelist")
        shown = boss.get(path).context["cl"]
        for spec in shown.filter_specs:
            choice = list(spec.choices(shown))[-1]["query_string"]
            assert seen(boss, path + choice).status_code == 200, path + choice


def test_what_is_no_form_takes_no_form(world, boss):
    for model in registered():
        key = quote(a_row_of(model).pk)
        forms = {"add": (), "change": (key,), "delete": (key,)}
        refused = {
            name for name, args in forms.items() if boss.post(address(model, name, *args), {}).status_code == 403
        }
        allowed = BY_HAND.get(model, set())
        assert refused == forms.keys() - allowed, name_of(model)
        if "add" in allowed:
            assert seen(boss, address(model, "add")).status_code == 200


def test_a_form_that_nobody_changed_is_saved(world, boss):
    for model in BY_HAND:
        for row in model.objects.all()[:3]:
            form = address(model, "change", row.pk)
            answer = boss.post(form, as_posted(boss.get(form)))
            assert answer.status_code == 302, (model, errors_of(answer))


def test_rows_are_added_by_hand(boss):
    password = "a passphrase that nobody guesses"
    user = {"email": "new@example.com", "role": "provider", "usable_password": "true"}
    forms = {
        User: user | {"password1": password, "password2": password},
        Category: {"slug": "new", "name": "New", "parent": "", "position": "0"},
        Group: {"name": "New"},
    }
    for model, form in forms.items():
        answer = boss.post(address(model, "add"), form)
        assert answer.status_code == 302, errors_of(answer)
    assert {model for model, pages in BY_HAND.items() if "add" in pages} == forms.keys()


def test_whom_staff_shuts_out_offers_nothing(world, boss):
    provider = world.payments["succeeded"].booking.provider
    form = address(User, "change", provider.pk)
    asked = as_posted(boss.get(form))
    del asked["is_active"]

    assert boss.post(form, asked).status_code == 302
    assert not User.objects.get(pk=provider.pk).is_active
    assert not Service.objects.listed().offered_by(provider.pk).exists()


def as_posted(page):
    """What a browser sends of a page's form, with nothing changed."""
    inlines = page.context["inline_admin_formsets"]
    forms = [page.context["adminform"].form, *(form for inline in inlines for form in inline.formset.forms)]
    fields = [field for form in [*forms, *(inline.formset.management_form for inline in inlines)] for field in form]
    values = {field.html_name: field.value() for field in fields}
    return {name: value for name, value in values.items() if value is not None and value is not False}


def errors_of(page):
    return page.context and page.context["errors"]


@pytest.mark.parametrize("model", [IdempotencyKey, Payment], ids=lambda model: model.__name__)
def test_an_address_that_means_nothing_is_no_failure(boss, model):
    for path in (
        address(model, "change", "%00"),
        address(model, "change", "x" * 300),
        address(model, "history", "%00"),
    ):
        assert boss.get(path).status_code in (302, 400, 404), path


def test_a_filter_for_what_there_is_not_is_no_failure(boss):
    jobs = reverse("admin:procrastinate_procrastinatejob_changelist")

    assert boss.get(jobs, {"status__exact": "foo"}).status_code == 400


def test_no_page_needs_what_its_policy_forbids(world, boss):
    paths = [page_of(world.payments["succeeded"].booking), reverse("admin:marketplace_figures"), "/admin/"]
    for path in [*paths, page_of(world.payments["succeeded"]), address(Payment, "changelist")]:
        page = boss.get(path).content.decode()
        for attributes, script in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL):
            assert "src=" in attributes or 'type="application/json"' in attributes, script
        assert not re.search(r"\son\w+=|javascript:|\sstyle=", page)
        assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)


# --- who may ---


@pytest.fixture
def staff(db):
    """Makes staff with these rights, signed in."""

    def make(*codenames):
        user = make_user(is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return make


def pages_to_look_at():
    lists = [address(model, "changelist") for model in registered()]
    rows = [page_of(a_row_of(model)) for model in registered() if model not in NEVER_OPENED]
    return [*lists, *rows, reverse("admin:marketplace_figures")]


def pages_to_act_on(world):
    payment = world.payments["succeeded"]
    return [
        reverse("admin:marketplace_booking_booking_cancel", args=[payment.booking_id]),
        reverse("admin:marketplace_billing_payment_refund", args=[payment.pk]),
    ]


def test_who_is_no_staff_is_sent_to_sign_in(world):
    customer = Client()
    customer.force_login(world.customer)

    for client in (customer, Client()):
        answers = [client.get(page) for page in (*pages_to_look_at(), *pages_to_act_on(world))]
        assert {answer.status_code for answer in answers} == {302}
        assert all(answer["Location"].startswith("/admin/login/") for answer in answers)


def test_staff_without_rights_sees_nothing(world, staff):
    client = staff()

    assert {client.get(page).status_code for page in (*pages_to_look_at(), *pages_to_act_on(world))} == {403}
    assert "Find a booking" not in client.get("/admin/").content.decode()


def test_staff_that_may_look_looks_and_does_nothing(world, staff):
    client = staff(*(f"view_{model._meta.model_name}" for model in registered()))

    for page in pages_to_look_at():
        answer = seen(client, page)
        # And nothing is offered that could be done to what is listed.
        assert (answer.status_code, answer.context.get("action_form")) == (200, None), page
    for page in pages_to_act_on(world):
        assert (client.get(page).status_code, client.post(page, {"reason": "Because."}).status_code) == (403, 403)
    for model in registered():
        page = page_of(a_row_of(model))
        assert client.post(page, {}).status_code == 403, page
