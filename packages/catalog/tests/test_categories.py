"""The tree of categories."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from marketplace_catalog.models import Category

pytestmark = pytest.mark.django_db


def test_parents_come_first_however_the_tree_grew(sign_in):
    leaf, branch, root = (Category.objects.create(slug=slug, name=slug) for slug in ("leaf", "branch", "root"))
    Category.objects.filter(pk=leaf.pk).update(parent=branch)
    Category.objects.filter(pk=branch.pk).update(parent=root)

    items = sign_in(None).get("/api/services/categories").json()["items"]

    slugs = [item["slug"] for item in items]
    assert len(slugs) == len(set(slugs)) == Category.objects.count()
    assert all(slugs.index(item["parent"]) < n for n, item in enumerate(items) if item["parent"])
    assert {"slug": "leaf", "name": "leaf", "parent": "branch"} in items


def test_a_category_is_not_below_itself():
    one = Category.objects.create(slug="one", name="One")
    two = Category.objects.create(slug="two", name="Two", parent=one)
    for above in (one, two):
        one.parent = above
        with pytest.raises(ValidationError, match="below itself"):
            one.clean()
    one.parent = None
    two.clean()


@pytest.mark.parametrize("slug", ["Pets", "a.b", "ä", "a b", "", "a\n"])
def test_a_slug_is_plain(slug):
    with pytest.raises(ValidationError):
        Category(slug=slug, name="Pets").full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        Category.objects.create(slug=slug, name="Pets")


@pytest.mark.parametrize("slug", ["pets-2", "home_services_2", "7"])
def test_a_plain_slug_is_one(slug):
    Category(slug=slug, name="Pets").full_clean()
    Category.objects.create(slug=slug, name="Pets")
