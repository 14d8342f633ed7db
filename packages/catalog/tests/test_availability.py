"""Dated exceptions, and why a start can't be booked."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth.models import AnonymousUser
from django.forms import model_to_dict
from tests.people.models import Person

from marketplace_catalog import scope
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_scheduling import actions as scheduling


@pytest.fixture
def service(provider):
    return make_service(provider, slot_interval=60, availability={"monday": ["09:00", "17:00"]}, timezone="Asia/Tokyo")


@pytest.fixture
def monday():
    today = clock.now().date()
    return today + timedelta(days=7 + (0 - today.weekday()) % 7)


def test_a_date_has_other_hours_then_none_then_the_usual(service, monday, provider, sign_in):
    path = f"/api/services/{service.pk}/availability/exceptions"
    mine = sign_in(provider)

    def starts():
        span = f"from={monday}T00:00:00%2B09:00&to={monday + timedelta(days=1)}T00:00:00%2B09:00"
        return len(sign_in(None).get(f"/api/services/{service.pk}/slots?{span}").json()["items"])

    assert starts() == 8
    answer = mine.put(f"{path}/{monday}", {"windows": ["10:00", "12:00"]})
    assert (answer.status_code, answer.json()) == (200, {"date": f"{monday}", "windows": ["10:00", "12:00"]})
    assert starts() == 2
    assert mine.put(f"{path}/{monday}", {"windows": []}).status_code == 200
    assert starts() == 0
    assert sign_in(None).get(path).json() == {"items": [{"date": f"{monday}", "windows": []}]}
    assert mine.delete(f"{path}/{monday}").status_code == 204
    assert starts() == 8
    assert mine.delete(f"{path}/{monday}").status_code == 404


@pytest.mark.parametrize(
    "date",
    ["86400", "0", "1767225600", "2027-01-04T00:00:00", "2027-01-04T00:00:00Z", "20270104", "2027-1-4", "2027-02-29"]
    + ["2027-W01-1", "today", "-2027-01-04", "12027-01-04", "2027-01-04 ", "٢٠٢٧-01-04"],
)
def test_a_date_is_written_as_one(service, provider, sign_in, date):
    path = f"/api/services/{service.pk}/availability/exceptions/{quote(date)}"

    for answer in (sign_in(provider).put(path, {"windows": []}), sign_in(provider).delete(path)):
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "path/date"), answer.content


WHO = {"nobody": None, "its provider": "provider", "another": "customer", "staff": "staff"}
STATES = {"listed": {}, "inactive": {"is_active": False}, "deleted": {"deleted_at": clock.now()}}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", WHO)
def test_its_times_are_for_whom_the_service_is(service, provider, customer, sign_in, rf, who, state):
    staff = Person.objects.create(login="staff", is_staff=True)
    Service.objects.filter(pk=service.pk).update(**STATES[state])
    reader = {"provider": provider, "customer": customer, "staff": staff}.get(WHO[who])
    request = rf.get("/")
    request.user = reader or AnonymousUser()

    readable = Service.objects.visible_to(reader).select_related("schedule").filter(pk=service.pk).first()

    assert (readable is None) is (state == "deleted" or (state == "inactive" and who in ("nobody", "another")))
    assert sign_in(reader).get(f"/api/services/{service.pk}/slots/explain?start=2027-01-04T00:00:00Z").status_code == (
        404 if readable is None else 200
    )
    if readable is not None:
        found = scope.scheduled(request, service.pk)
        assert model_to_dict(found.schedule) == model_to_dict(readable.schedule)
        own = scope.SERVICES.columns
        assert [getattr(found, name) for name in own] == [getattr(readable, name) for name in own]
    assert None not in scope.ROWS.plans.values()


def test_only_its_provider_sets_one(service, monday, customer, sign_in, django_user_model):
    path = f"/api/services/{service.pk}/availability/exceptions/{monday}"
    other = django_user_model.objects.create(login="other", sells=True)

    for who, status in ((None, 401), (customer, 403), (other, 403)):
        assert sign_in(who).put(path, {"windows": []}).status_code == status
        assert sign_in(who).delete(path).status_code == status


@pytest.mark.parametrize(
    ("date", "body", "pointer"),
    [
        ("2027-01-04", {"windows": ["10:00"]}, "/windows/0"),
        ("2027-01-04", {"windows": ["12:00", "10:00"]}, "/windows/1"),
        ("2027-01-04", {"windows": ["25:00", "26:00"]}, "/windows/0"),
        ("2027-01-04", {"windows": ["00:00", "00:01"] * 13}, "/windows"),
        ("2027-01-04", {"windows": None}, "/windows"),
        ("2027-01-04", {"windows": [1, 2]}, "/windows/0"),
        ("2027-01-04", {"windows": [{}, []]}, "/windows/0"),
        ("2027-01-04", {}, "/windows"),
        ("2027-02-30", {"windows": []}, "path/date"),
        ("tomorrow", {"windows": []}, "path/date"),
    ],
)
def test_what_makes_no_sense_is_told_where_it_is(service, provider, sign_in, date, body, pointer):
    answer = sign_in(provider).put(f"/api/services/{service.pk}/availability/exceptions/{date}", body)

    assert answer.status_code == 422, answer.content
    assert pointer in {e["pointer"] for e in answer.json()["errors"]}


def test_a_start_is_explained(service, monday, provider, sign_in):
    def explained(start):
        answer = sign_in(None).get(f"/api/services/{service.pk}/slots/explain?start={start}")
        assert answer.status_code == 200, answer.content
        body = answer.json()
        assert body["bookable"] is (not body["reasons"])
        return body["reasons"]

    assert explained(f"{monday}T09:00:00") == []
    assert explained(f"{monday}T00:00:00Z") == []  # nine o'clock in Tokyo
    assert explained(f"{monday}T09:00:00%2B09:00") == []
    assert explained(f"{monday}T09:30:00") == ["off_interval"]
    assert explained(f"{monday}T18:00:00") == ["outside_hours"]
    assert explained("2020-01-06T09:00:00") == ["too_soon"]
    assert explained("9000-01-06T09:00:00")[-1] == "too_far"
    scheduling.set_exception(service.schedule, monday, [])
    assert explained(f"{monday}T09:00:00") == ["closed_by_exception"]
    scheduling.clear_exception(service.schedule, monday)
    Service.objects.update(is_active=False)
    reasons = sign_in(provider).get(f"/api/services/{service.pk}/slots/explain?start={monday}T09:00:00").json()
    assert reasons == {"bookable": False, "reasons": ["inactive"]}


def test_a_start_in_a_gap_is_none(provider, sign_in):
    service = make_service(provider, timezone="Europe/Berlin")

    answer = sign_in(None).get(f"/api/services/{service.pk}/slots/explain?start=2027-03-28T02:30:00")

    assert answer.json() == {"bookable": False, "reasons": ["in_gap"]}


@pytest.mark.parametrize(
    "start", ["", "now", "2027-01-04", "1800000000", "2027-13-01T00:00:00Z", "2027-01-04T25:00:00"]
)
def test_a_start_must_be_a_date_time(service, sign_in, start):
    answer = sign_in(None).get(f"/api/services/{service.pk}/slots/explain?start={start}")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/start"), answer.content
