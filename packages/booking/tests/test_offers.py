"""What is booked, by compiled queries: the rows of the QuerySets, for everybody and whatever became of the service."""

from decimal import Decimal
from uuid import UUID

import pytest

from marketplace_booking import offers
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit.clock import now
from marketplace_kit.exceptions import NotFound

STATES = {
    "listed": {},
    "inactive": {"is_active": False},
    "deleted": {"deleted_at": now()},
    "both": {"is_active": False, "deleted_at": now()},
}
everybody = pytest.mark.parametrize("who", ["provider", "customer", "staff"])
whatever = pytest.mark.parametrize("state", STATES.values(), ids=STATES)


@pytest.fixture
def people(provider, customer, django_user_model):
    staff = django_user_model.objects.create(login="staff", is_staff=True)
    return {"provider": provider, "customer": customer, "staff": staff}


@pytest.fixture
def service(provider, state):
    made = make_service(provider, price=Decimal("12.50"))
    Service.objects.filter(pk=made.pk).update(**state)
    return made


def columns_of(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def asked(look, *args):
    try:
        return look(*args)
    except NotFound:
        return None


@everybody
@whatever
def test_a_user_sees_what_the_queryset_shows_him(service, people, who):
    expected = Service.objects.visible_to(people[who]).filter(pk=service.pk).first()
    found = asked(offers.visible, people[who], service.pk)

    assert found == expected
    if found:
        assert columns_of(found) == columns_of(expected)


@whatever
def test_what_is_listed_can_be_booked_and_comes_with_its_schedule(service, django_assert_num_queries):
    asked(offers.bookable, service.pk)  # learns the shape
    expected = Service.objects.listed().select_related("schedule").filter(pk=service.pk).first()
    with django_assert_num_queries(1):
        found = asked(offers.bookable, service.pk)
        schedule = columns_of(found.schedule) if found else None

    assert found == expected
    if found:
        assert schedule == columns_of(expected.schedule)
        assert columns_of(found) == columns_of(expected)


def test_what_is_not_there_is_not_found(people):
    for look, given in ((offers.visible, [people["customer"], UUID(int=1)]), (offers.bookable, [UUID(int=1)])):
        with pytest.raises(NotFound):
            look(*given)


def test_all_of_them_are_compiled(people, provider):
    service = make_service(provider)
    for user in people.values():
        offers.visible(user, service.pk)
    offers.bookable(service.pk)

    plans = [plan for query in (offers.VISIBLE, offers.BOOKABLE) for plan in query.plans.values()]
    assert len(plans) == 3
    assert all(plans)
