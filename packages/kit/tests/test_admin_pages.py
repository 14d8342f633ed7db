"""What the pages of all packages' admins share, in a project without Django's admin: nothing has a page to link to."""

from decimal import Decimal

import pytest
from django.contrib.admin import AdminSite
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.people.models import Person, Thing

from marketplace_kit import admin_pages
from marketplace_kit.admin_pages import CappedPaginator, ReadOnly, key_of_user, link_to, link_to_list, linked, one_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def things():
    return [Thing.objects.create(name=name, price=Decimal(3)) for name in ("cup", "pot", "pan")]


@pytest.mark.parametrize(("most", "told", "pages"), [(2, "2 or more", 2), (3, "3 or more", 3), (4, "3", 3)])
def test_counting_stops_where_it_takes_too_long(things, monkeypatch, most, told, pages):
    monkeypatch.setattr(admin_pages, "COUNTED", most)
    with CaptureQueriesContext(connection) as asked:
        paginator = CappedPaginator(Thing.objects.order_by("name"), 1)
        assert (str(paginator.count), paginator.num_pages) == (told, pages)

    assert f"LIMIT {most}" in asked[0]["sql"]
    assert "ORDER BY" not in asked[0]["sql"]


def test_what_has_no_page_is_named(things):
    person = Person.objects.create(login="ada")

    assert link_to(person) == "ada"
    assert link_to_list(Thing, "things", name="cup") == "things"
    assert linked("owner")(type("Row", (), {"owner": person})) == "ada"
    assert linked("owner")(type("Row", (), {"owner": None})) == "-"


def test_users_are_known_by_what_they_sign_in_with():
    person = Person.objects.create(login="ada")

    assert (key_of_user("ada"), key_of_user("eve")) == (person.pk, None)


class ThingPages(ReadOnly):
    search_fields = ("name__exact", "id__exact")
    hidden = ("price",)


def test_rows_are_found_by_what_is_exactly_so(things, rf):
    pages, request = ThingPages(Thing, AdminSite()), rf.get("/")

    def found(term):
        return [row.name for row in pages.get_search_results(request, pages.get_queryset(request), term)[0]]

    assert [found(term) for term in ("cup", "cu", str(things[1].pk), "")] == [
        ["cup"],
        [],
        ["pot"],
        ["pan", "pot", "cup"],
    ]


def test_what_is_hidden_is_no_field_and_nothing_is_for_editing(things, rf):
    pages, request = ThingPages(Thing, AdminSite()), rf.get("/")

    assert pages.get_fields(request) == pages.get_readonly_fields(request) == ["id", "name"]
    assert not pages.has_add_permission(request)
    assert not pages.has_change_permission(request)
    assert not pages.has_delete_permission(request)


def test_a_filter_by_known_values_asks_the_database_for_none(things, rf, django_assert_num_queries):
    pages = ThingPages(Thing, AdminSite())

    def kept(query):
        name = one_of("name", lambda: ("cup", "pot"))
        with django_assert_num_queries(0):
            chosen = name(rf.get("/"), query, Thing, pages)
            assert [text for _, text in chosen.lookup_choices] == ["cup", "pot"]
        return {row.name for row in chosen.queryset(None, Thing.objects.all())}

    assert kept({"name": ["cup"]}) == {"cup"}
    assert kept({}) == {"cup", "pot", "pan"}
