"""A booking in somebody's own calendar."""

import json
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from marketplace_booking import actions, calendar
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog.testing import make_service


def read(client, booking):
    answer = client.get(f"/api/bookings/{booking.pk}/calendar")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.content)
    return calendar, calendar.walk("VEVENT")[0]


def test_it_tells_what_and_when(provider, customer, sign_in):
    service = make_service(provider, timezone="Asia/Kathmandu", title="Tea; with, commas\\ and more")
    booking = make_booking(customer, service, a_start() + timedelta(minutes=45))

    calendar, event = read(sign_in(provider), booking)

    assert (event.start, event.end) == (booking.scheduled_at, booking.ends_at)
    assert str(event["summary"]) == service.title
    assert (event["status"], event["sequence"]) == ("TENTATIVE", 0)
    assert "method" not in calendar  # which would make a message between calendars of it


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_no_clock_that_is_put_back_makes_it_another_time(provider, customer, sign_in, zone):
    """The file alone says when, in the hour that a wall clock shows twice, too."""
    service = make_service(provider, timezone=zone, booking_window=365, slot_interval=30, minimum_notice=0)
    for start in repeated(zone):
        booking = make_booking(customer, service, start)
        _, event = read(sign_in(provider), booking)
        assert (event["dtstart"].to_ical(), event["dtend"].to_ical()) == (
            f"{start:%Y%m%dT%H%M%SZ}".encode(),
            f"{start + timedelta(hours=1):%Y%m%dT%H%M%SZ}".encode(),
        )
        actions.cancel_booking(customer, booking)


def repeated(zone):
    """Half hours around the next time that this zone's clock is put back."""
    here, at = ZoneInfo(zone), a_start().astimezone(UTC).replace(minute=0)
    while at.astimezone(here).utcoffset() <= (at + timedelta(hours=1)).astimezone(here).utcoffset():
        at += timedelta(hours=1)
    return [at + timedelta(minutes=30 * n) for n in range(-2, 4)]


def test_it_stays_one_event_whatever_becomes_of_it(provider, customer, sign_in):
    booking = make_booking(customer, make_service(provider))
    mine = sign_in(customer)
    told = [read(mine, booking)]
    actions.confirm_booking(provider, booking)
    told.append(read(mine, booking))
    actions.reschedule_booking(provider, booking, booking.scheduled_at + timedelta(days=1))
    told.append(read(mine, booking))
    actions.cancel_booking(customer, booking)
    told.append(read(mine, booking))

    assert len({str(event["uid"]) for _, event in told}) == 1
    assert [event["sequence"] for _, event in told] == [0, 1, 2, 3]
    assert [str(event["status"]) for _, event in told] == ["TENTATIVE", "CONFIRMED", "CONFIRMED", "CANCELLED"]


@pytest.mark.parametrize(("who", "status"), [("stranger", 404), (None, 401)])
def test_it_is_not_for_strangers(provider, customer, sign_in, django_user_model, who, status):
    booking = make_booking(customer, make_service(provider))
    person = who and django_user_model.objects.create(login=who)

    assert sign_in(person).get(f"/api/bookings/{booking.pk}/calendar").status_code == status


@pytest.mark.parametrize("address", ["mail@example.org", '"Tea, house" <mail@example.org>'])
def test_it_can_be_sent_as_an_invitation(provider, customer, address):
    booking = make_booking(customer, make_service(provider, title="Tea"))
    told = [invite(booking, address)]
    actions.confirm_booking(provider, booking)
    actions.reschedule_booking(provider, booking, booking.scheduled_at + timedelta(days=1))
    told.append(invite(booking, address))
    actions.cancel_booking(customer, booking)
    told.append(invite(booking, address))

    assert [method for method, _ in told] == ["REQUEST", "REQUEST", "CANCEL"]
    events = [event for _, event in told]
    assert len({str(event["uid"]) for event in events}) == 1
    assert [event["sequence"] for event in events] == [0, 2, 3]
    assert events[1].start - events[0].start == timedelta(days=1)
    for event in events:
        assert (str(event["organizer"]), str(event["attendee"])) == (
            "mailto:mail@example.org",
            "mailto:ann@example.com",
        )
        assert event["attendee"].params["PARTSTAT"] == "ACCEPTED"


def invite(booking, address):
    """Its method and its event, by way of a JSON column."""
    booking.refresh_from_db()
    known = json.loads(json.dumps(calendar.facts(booking)))
    method, content = calendar.invitation(known, address, "ann@example.com")
    read = Calendar.from_ical(content)
    assert read["method"] == method
    return method, read.walk("VEVENT")[0]
