"""Whoever signs in, however: whom a middleware found, or the operation's `auth`; with whatever key."""

import pytest
from django.contrib.auth.models import AnonymousUser
from tests.people.models import Person, Seller

from marketplace_kit.exceptions import Unauthenticated
from marketplace_kit.users import hold_users, lock_user, user_key_type, user_of, viewer_of


class Whoever:
    """A request as Ninja leaves it: whom a middleware found, and what the operation's `auth` returned."""

    def __init__(self, **found):
        vars(self).update(found)


@pytest.mark.parametrize(
    "found",
    [
        {"user": Person(pk=1)},
        {"user": Person(pk=1), "auth": "a token"},
        {"user": AnonymousUser(), "auth": Person(pk=1)},
        {"auth": Person(pk=1)},
    ],
)
def test_the_user_is_whom_a_middleware_or_the_operation_found(found):
    assert viewer_of(Whoever(**found)) == user_of(Whoever(**found)) == Person(pk=1)


@pytest.mark.parametrize("found", [{}, {"user": AnonymousUser()}, {"user": AnonymousUser(), "auth": "a token"}])
def test_where_nobody_was_found_nobody_is_taken_for_another(found):
    assert viewer_of(Whoever(**found)) is None
    with pytest.raises(Unauthenticated):
        user_of(Whoever(**found))


@pytest.mark.django_db
def test_a_user_may_inherit_its_key(settings):
    settings.AUTH_USER_MODEL = "people.Seller"
    seller = Seller.objects.create(login="a")

    assert user_key_type() is int
    assert [*Seller.objects.filter(pk__any_of=[seller.pk, 0])] == [seller]


@pytest.mark.django_db
def test_who_is_gone_is_not_held():
    ann, bob = (Person.objects.create(login=login) for login in ("ann", "bob"))

    assert hold_users(ann.pk, bob.pk)
    assert hold_users(ann.pk, ann.pk)
    assert not hold_users(ann.pk, 0)


@pytest.mark.django_db
def test_who_is_gone_or_shut_out_has_no_turn(monkeypatch):
    ann = Person.objects.create(login="ann")
    lock_user(ann.pk)

    with pytest.raises(Unauthenticated):
        lock_user(0)
    monkeypatch.setattr(Person, "is_active", False)
    assert not hold_users(ann.pk)
    with pytest.raises(Unauthenticated):
        lock_user(ann.pk)
