"""What is hidden is gone for everybody but staff, and what was written is never edited."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, transaction
from django.test import RequestFactory

from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_reviews import actions
from marketplace_reviews.models import Review
from marketplace_reviews.testing import make_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def service(provider):
    return make_service(provider)


def seen(client, service):
    body = client.get(f"/api/services/{service.pk}/reviews").json()
    shown = client.get(f"/api/services/{service.pk}").json()["rating"]
    assert shown == {name: body["rating"][name] for name in ("average", "count")}
    return [item["rating"] for item in body["items"]], shown["average"]


def test_what_is_hidden_vanishes_and_does_not_count_until_it_is_shown_again(service, customer, sign_in):
    make_review(customer, service, 5)
    bad = make_review(customer, service, 1)
    anybody = sign_in(None)
    before = seen(anybody, service)

    actions.hide_review(bad, "Insulting.")
    actions.hide_review(bad, "Insulting, and untrue.")
    hidden = seen(anybody, service)
    alone = sign_in(customer).get(f"/api/bookings/{bad.booking_id}/review").status_code
    bad.refresh_from_db()
    assert bad.hidden_reason == "Insulting, and untrue."
    actions.show_review(bad)
    actions.show_review(bad)

    assert (before, hidden, alone) == (([1, 5], 3.0), ([5], 5.0), 404)
    assert seen(anybody, service) == before
    assert actions.recount() == 0


def test_the_last_one_that_is_hidden_leaves_no_rating(service, customer, sign_in):
    actions.hide_review(make_review(customer, service, 4), "Spam.")

    assert seen(sign_in(None), service) == ([], None)


@pytest.mark.parametrize("broken", [{"rating": 0}, {"rating": 6}, {"hidden_reason": "Spam."}])
def test_the_database_refuses_what_can_not_be(service, customer, broken):
    review = make_review(customer, service)

    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.filter(pk=review.pk).update(**broken)


def test_rows_that_were_not_written_by_the_actions_are_counted(provider, customer):
    services = [make_service(provider) for _ in range(3)]
    for service in services[:2]:
        make_review(customer, service, 4)
        actions.hide_review(make_review(customer, service, 1), "Spam.")
    right = {service.pk: Service.objects.get(pk=service.pk).rating for service in services}
    Service.objects.filter(pk=services[0].pk).update(rating_sum=9, rating_count=3)

    assert actions.recount() == 1
    assert {service.pk: Service.objects.get(pk=service.pk).rating for service in services} == right
    assert actions.recount() == 0


# --- the admin's page ---


class Superuser:
    """Who may do everything: what remains impossible is the page's own doing."""

    is_active = is_staff = is_superuser = is_authenticated = True
    pk = 1

    def has_perm(self, *_):
        return True

    has_module_perms = has_perm

    def has_usable_password(self):
        return False

    def get_username(self):
        return "root"


@pytest.fixture
def page():
    return admin.site.get_model_admin(Review)


def asked(**query):
    request = RequestFactory().get("/", query)
    request.user = Superuser()
    return request


@pytest.fixture
def moderate(customer, monkeypatch):
    """Save the page of a review with this reason, as staff."""
    monkeypatch.setattr(Superuser, "pk", customer.pk)
    monkeypatch.setattr("django.contrib.messages.add_message", lambda *_, **__: None)

    def post(page, review, **fields):
        request = RequestFactory().post("/", fields)
        request.user, request._dont_enforce_csrf_checks = Superuser(), True
        return page.change_view(request, str(review.pk))

    return post


def test_pages_take_few_queries(service, customer, page, django_assert_max_num_queries):
    reviews = [make_review(customer, service) for _ in range(5)]
    with django_assert_max_num_queries(12):
        listed = page.changelist_view(asked()).render().content.decode()
    with django_assert_max_num_queries(12):
        one = page.change_view(asked(), str(reviews[0].pk)).render().content.decode()

    assert all(str(review.pk) in listed for review in reviews)
    assert "On time and thorough." in one
    assert one.count("<textarea") == 1


def test_reviews_are_found_by_what_they_are_about_and_by_whether_they_are_hidden(service, customer, page):
    first, second = make_review(customer, service), make_review(customer, service)
    actions.hide_review(second, "Spam.")

    def found(**query):
        return set(page.changelist_view(asked(**query)).context_data["cl"].result_list)

    assert found(q=str(first.pk)) == found(q=str(first.booking_id)) == found(hidden_at__isempty="1") == {first}
    assert found(hidden_at__isempty="0") == {second}
    assert found(q=str(service.pk)) == found(q=str(customer.pk)) == found(q="customer") == {first, second}
    assert found(rating="5") == {first, second}
    assert found(rating="4") == set()
    assert found(q="something else") == set()


def test_staff_hides_and_shows_for_a_reason_and_edits_nothing_else(service, customer, page, moderate):
    review = make_review(customer, service, 2)
    forged = {"rating": "5", "comment": "Great!", "reply": "Yes.", "author": "1"}

    hiding = moderate(page, review, hidden_reason=" Insulting. ", **forged)
    moderate(page, review, hidden_reason="Insulting.")
    hidden = Review.objects.get()
    showing = moderate(page, review, hidden_reason="")
    shown = Review.objects.get()

    assert (hiding.status_code, showing.status_code) == (302, 302)
    assert (hidden.hidden_reason, shown.hidden_at) == ("Insulting.", None)
    assert (hidden.rating, hidden.comment, hidden.reply, hidden.author_id) == (2, review.comment, None, customer.pk)
    told = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(told) == ["Hidden because: Insulting.", "[]", "Shown."]
    assert Service.objects.get().rating.count == 1


def test_nothing_is_added_or_deleted(page):
    assert not page.has_add_permission(asked())
    assert not page.has_delete_permission(asked())
    assert not page.get_actions(asked())
