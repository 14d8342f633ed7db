"""What can happen, one by one."""

import email
import email.policy
import itertools
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.template import TemplateDoesNotExist
from procrastinate.contrib.django.models import ProcrastinateJob

from marketplace_kit import clock
from marketplace_kit.mail import Part
from marketplace_kit.testing import run_jobs
from marketplace_notifications import actions
from marketplace_notifications.actions import Choice, notify
from marketplace_notifications.exceptions import InvalidTicket, InvalidToken
from marketplace_notifications.models import CHOSEN, Notification, Preference, StreamTicket, ways_of
from marketplace_notifications.signals import notification_created
from marketplace_notifications.testing import make_notification

pytestmark = pytest.mark.django_db
FACTS = {"number": "7 & 8", "sender": "Zoë"}
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def jobs() -> list[str]:
    names = ProcrastinateJob.objects.order_by("id").values_list("task_name", flat=True)
    return [name.removeprefix("marketplace_notifications.") for name in names]


def read(file):
    return email.message_from_bytes(file.read_bytes(), policy=email.policy.default)


# --- notify ---


def test_it_is_worded_by_the_projects_templates_and_not_escaped(ann):
    told = notify(ann.pk, "parcel.sent", {"parcelId": uuid4()}, FACTS)
    assert (told.title, told.body) == ("Parcel 7 & 8 is on its way", "Zoë sent it.")
    assert (told.in_app, told.position, told.read_at) == (True, None, None)


def test_it_goes_to_the_stream_and_by_mail(ann):
    notify(ann.pk, "parcel.sent", {}, FACTS)
    assert jobs() == ["publish", "send_email"]


def test_what_is_kept_is_plain_json(ann):
    parcel, at = uuid4(), NOON
    notify(ann.pk, "parcel.sent", {"parcelId": parcel}, FACTS | {"at": at})
    told = Notification.objects.get()
    assert told.data == {"parcelId": str(parcel)}
    assert told.context["at"] == "2026-05-04T12:00:00Z"


def test_it_is_rolled_back_with_what_caused_it(ann):
    with pytest.raises(RuntimeError), transaction.atomic():
        notify(ann.pk, "parcel.sent", {}, FACTS)
        raise RuntimeError("the action failed after all")
    assert not Notification.objects.exists()
    assert jobs() == []


def test_the_usual_channels_hold_for_whoever_chose_nothing(ann):
    notify(ann.pk, "parcel.lost", {}, FACTS)
    assert jobs() == ["publish"]


def test_what_is_not_for_the_inbox_has_no_place_in_the_stream(ann):
    told = notify(ann.pk, "parcel.billed", {}, {"amount": 5})
    assert jobs() == ["send_email"]
    assert not Notification.objects.inbox_of(ann.pk).exists()
    actions.publish(ann.pk)
    told.refresh_from_db()
    assert told.position is None


def test_a_choice_goes_before_the_usual(ann, bob):
    actions.set_preferences(ann.pk, [Choice("parcel.sent", email=False)])
    notify(ann.pk, "parcel.sent", {}, FACTS)
    assert jobs() == ["publish"]
    notify(bob.pk, "parcel.sent", {}, FACTS)
    assert jobs() == ["publish", "publish", "send_email"]


def test_a_type_that_nobody_named_is_a_defect(ann):
    with pytest.raises(ValueError, match=r"lacks 'parcel\.eaten'"):
        notify(ann.pk, "parcel.eaten", {}, {})


def test_a_type_without_words_is_a_defect(ann, settings):
    usual = {"email": False, "in_app": True}
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "TYPES": {"parcel.eaten": usual}}
    with pytest.raises(TemplateDoesNotExist):
        notify(ann.pk, "parcel.eaten", {}, {})


def test_a_long_title_fits(ann):
    told = notify(ann.pk, "parcel.sent", {}, {"number": "7" * 500})
    assert len(Notification.objects.get(pk=told.pk).title) == 200


def test_others_hear_of_it_in_the_transaction(ann):
    heard = []

    def hear(notification, **_):
        heard.append((notification.title, transaction.get_connection().in_atomic_block))

    notification_created.connect(hear)
    try:
        notify(ann.pk, "parcel.lost", {}, FACTS)
    finally:
        notification_created.disconnect(hear)
    assert heard == [("Parcel 7 & 8 is lost", True)]


# --- publish ---


def test_places_are_dense_and_in_the_order_of_creation(ann, bob):
    late, early = (make_notification(ann.pk, created_at=NOON + timedelta(minutes=m)) for m in (2, 1))
    make_notification(bob.pk)
    actions.publish(ann.pk)
    later = make_notification(ann.pk, created_at=NOON)
    actions.publish(ann.pk)
    published = Notification.objects.published_to(ann.pk, after=0)
    assert [(row.position, row.pk) for row in published] == [(1, early.pk), (2, late.pk), (3, later.pk)]
    assert not Notification.objects.published_to(bob.pk, after=0).exists()


def test_publishing_again_changes_nothing(ann):
    make_notification(ann.pk)
    actions.publish(ann.pk)
    actions.publish(str(ann.pk))
    assert [row.position for row in Notification.objects.all()] == [1]


def test_one_place_is_one_notification(ann):
    make_notification(ann.pk, position=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_notification(ann.pk, position=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_notification(ann.pk, position=2, in_app=False)


@pytest.mark.django_db(transaction=True)
def test_a_valkey_that_is_away_stops_nothing(ann, settings):
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "HINTS_URL": "redis://127.0.0.1:1/0"}
    make_notification(ann.pk)
    actions.publish(ann.pk)
    assert Notification.objects.get().position == 1


# --- e-mail ---


def test_each_notification_is_one_mail_however_often_it_is_tried(ann, mails):
    told = notify(ann.pk, "parcel.sent", {}, FACTS)
    run_jobs()
    actions.send_email(told.pk)
    [file] = mails()
    message = read(file)
    assert (message["To"], message["Subject"]) == ("ann@example.org", "Parcel 7 & 8 is on its way")
    assert str(told.pk) in message["Message-ID"]
    text, html = (message.get_body([kind]).get_content() for kind in ("plain", "html"))
    assert "Zoë sent it." in text
    assert "Parcel 7 &amp; 8" in html


def test_a_link_with_a_token_has_a_line_of_its_own(ann, mails):
    notify(ann.pk, "parcel.sent", {}, {"number": "42", "sender": "Zoë"})
    run_jobs()
    text = read(mails()[0]).get_body(["plain"]).get_content()
    assert "https://parcels.example.org/follow?token=42" in text.splitlines()


def test_the_default_words_are_title_body_and_the_facts_that_have_names(ann, mails):
    notify(ann.pk, "parcel.billed", {}, {"amount": "5 & 10", "number": "", "unnamed": "secret"})
    run_jobs()
    text = read(mails()[0]).get_body(["plain"]).get_content()
    assert text.splitlines() == [
        *("A bill", "", "You owe us 5 & 10.", "", "Amount: 5 & 10", "", "https://parcels.example.org", ""),
        *("Choose which notifications you receive:", "https://parcels.example.org/choose", ""),
    ]


EVIL = '<b onclick="x()">&amp;\r\nBcc: eve@example.org\n\nhttps://evil.example/?token=1'


def test_what_users_wrote_is_text_and_makes_no_header_and_no_line(ann, mails):
    notify(ann.pk, "parcel.sent", {}, {"number": EVIL, "sender": "Zoë"})
    notify(ann.pk, "parcel.billed", {}, {"note": EVIL, "amount": 1})
    run_jobs()
    for message in map(read, mails()):
        text, html = (message.get_body([kind]).get_content() for kind in ("plain", "html"))
        assert message["Bcc"] is None
        assert 'x()"' not in html
        if "Parcel" in message["Subject"]:
            assert message["Subject"] == f"Parcel {' '.join(EVIL.split())} is on its way"
        else:
            assert f"Note: {' '.join(EVIL.split())}" in text.splitlines()


def test_both_forms_of_a_mail_say_the_same(ann, mails):
    notify(ann.pk, "parcel.billed", {}, {"amount": "5 & 10", "note": "<Zoë>"})
    run_jobs()
    message = read(mails()[0])
    html = re.sub(
        r"<style>.*?</style>|<title>.*?</title>|<[^>]+>", " ", message.get_body(["html"]).get_content(), flags=re.S
    )
    text = message.get_body(["plain"]).get_content()
    assert unescape(html).split() == text.split()


def test_no_program_answers_it(ann, mails):
    notify(ann.pk, "parcel.sent", {}, FACTS)
    run_jobs()
    message = read(mails()[0])
    assert message["Auto-Submitted"] == "auto-generated"
    assert abs(message["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_mail_carries_what_the_project_gives_it(ann, mails, settings):
    def parts_of(notification):
        yield Part("BEGIN:VCARD", "text/vcard; kind=parcel")
        yield Part(notification.context["number"].encode(), "application/octet-stream", "number.bin")

    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "PARTS_OF": parts_of}
    notify(ann.pk, "parcel.sent", {}, FACTS)
    run_jobs()
    message = read(mails()[0])
    forms = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert forms == ["text/plain", "text/html", "text/vcard", "application/octet-stream"]
    [file] = message.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("number.bin", b"7 & 8")


def test_a_mail_can_be_unsubscribed_in_one_click(ann, bob, mails):
    notify(ann.pk, "parcel.sent", {}, FACTS)
    run_jobs()
    message = read(mails()[0])
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url, _, token = message["List-Unsubscribe"].strip("<>").partition("?token=")
    assert url == "https://parcels.example.org/api/notifications/unsubscribe"
    actions.unsubscribe(token)
    wish = Preference.objects.wish_of
    assert wish(ann.pk, "parcel.sent") == ("parcel.sent", False, True)
    assert wish(ann.pk, "parcel.billed").email
    assert wish(bob.pk, "parcel.sent").email


@pytest.mark.parametrize("of", [int, str])
def test_a_wish_is_what_was_chosen_or_what_is_usual(ann, bob, of):
    actions.set_preferences(ann.pk, [actions.Choice("parcel.sent", in_app=False)])
    wish = Preference.objects.wish_of
    assert wish(of(ann.pk), "parcel.sent") == ("parcel.sent", True, False)
    assert wish(of(ann.pk), "parcel.lost") == wish(of(bob.pk), "parcel.lost") == ("parcel.lost", False, True)
    for key, kind in itertools.product((ann.pk, bob.pk), ("parcel.sent", "parcel.lost")):
        assert ways_of(of(key), kind) == (wish(of(key), kind), [])
    assert all(CHOSEN.plans.values())


def test_nothing_is_mailed_to_whoever_unsubscribed_meanwhile(ann, mails):
    notify(ann.pk, "parcel.sent", {}, FACTS)
    actions.unsubscribe(actions.unsubscribe_token(ann.pk, "parcel.sent"))
    run_jobs()
    assert mails() == []


def test_nothing_is_mailed_without_an_address(ann, mails):
    ann.post = ""
    ann.save()
    notify(ann.pk, "parcel.sent", {}, FACTS)
    run_jobs()
    assert mails() == []


def test_the_address_is_whose_the_project_says(ann, mails, settings):
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "ADDRESS_OF": lambda user: f"{user.name}@home.example"}
    notify(ann.pk, "parcel.sent", {}, FACTS)
    run_jobs()
    assert read(mails()[0])["To"] == "ann@home.example"


def test_a_mail_of_somebody_who_is_gone_is_none(ann, mails):
    told = notify(ann.pk, "parcel.sent", {}, FACTS)
    ann.delete()
    actions.send_email(told.pk)
    assert mails() == []


# --- unsubscribe, preferences ---


@pytest.mark.parametrize("token", ["", "x", "a.b", "WzEsMl0.x", "\ud800", "☃"])
def test_a_made_up_token_is_refused(token, ann):
    with pytest.raises(InvalidToken):
        actions.unsubscribe(token)


def test_a_token_of_nobody_or_of_nothing_is_refused(ann):
    for token in (actions.unsubscribe_token(0, "parcel.sent"), actions.unsubscribe_token(ann.pk, "parcel.eaten")):
        with pytest.raises(InvalidToken):
            actions.unsubscribe(token)


def test_a_choice_changes_only_what_it_names(ann):
    actions.set_preferences(ann.pk, [Choice("parcel.sent", email=False)])
    actions.set_preferences(ann.pk, [Choice("parcel.sent", in_app=False), Choice("parcel.lost", email=True)])
    assert Preference.objects.wishes_of(ann.pk) == [
        ("parcel.sent", False, False),
        ("parcel.lost", True, True),
        ("parcel.billed", True, False),
    ]


# --- reading ---


def test_it_is_read_when_it_was_first(ann):
    told = make_notification(ann.pk)
    with clock.frozen(NOON):
        actions.mark_read(told)
    with clock.frozen(NOON + timedelta(hours=1)):
        actions.mark_read(told)
        actions.mark_all_read(ann.pk)
    assert told.read_at == Notification.objects.get().read_at == NOON


# --- tickets ---


def test_a_ticket_opens_once(ann):
    ticket = actions.issue_ticket(ann.pk, "session")
    spent = actions.spend_ticket(ticket)
    assert (spent.user_id, spent.session_key) == (ann.pk, "session")
    with pytest.raises(InvalidTicket):
        actions.spend_ticket(ticket)


def test_a_ticket_lives_a_minute(ann):
    with clock.frozen(NOON):
        ticket, other = (actions.issue_ticket(ann.pk, "session") for _ in range(2))
    with clock.frozen(NOON + timedelta(seconds=59)):
        actions.spend_ticket(other)
    with clock.frozen(NOON + timedelta(seconds=60)), pytest.raises(InvalidTicket):
        actions.spend_ticket(ticket)


def test_a_ticket_is_kept_as_a_digest_and_not_for_ever(ann):
    with clock.frozen(NOON):
        ticket = actions.issue_ticket(ann.pk, "session")
    assert ticket not in StreamTicket.objects.get().digest
    with clock.frozen(NOON + timedelta(minutes=2)):
        actions.issue_ticket(ann.pk, "session")
    assert StreamTicket.objects.count() == 1


@pytest.mark.parametrize("ticket", ["", "x", "\0", "\ud800"])
def test_a_made_up_ticket_is_refused(ticket, db):
    with pytest.raises(InvalidTicket):
        actions.spend_ticket(ticket)


# --- leaving ---


def test_what_is_kept_on_somebody_can_be_told_and_deleted(ann, bob):
    notify(ann.pk, "parcel.sent", {}, FACTS)
    notify(bob.pk, "parcel.sent", {}, FACTS)
    actions.set_preferences(ann.pk, [Choice("parcel.sent", email=False)])
    told = actions.export(ann.pk)
    assert [row["title"] for row in told["notifications"]] == ["Parcel 7 & 8 is on its way"]
    assert told["notificationPreferences"][0] == {"type": "parcel.sent", "email": False, "inApp": True}
    actions.forget(ann.pk)
    assert actions.export(ann.pk)["notifications"] == []
    assert Notification.objects.of(bob.pk).count() == 1
