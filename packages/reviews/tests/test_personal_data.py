"""What stays of somebody who leaves, what he takes along, and who is told of what."""

import pytest

from marketplace_catalog.testing import make_service
from marketplace_kit.exceptions import NotFound
from marketplace_reviews import actions
from marketplace_reviews.models import Review
from marketplace_reviews.signals import review_created, review_replied
from marketplace_reviews.testing import make_completed_booking, make_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def service(provider):
    return make_service(provider)


@pytest.fixture
def replied(customer, service):
    return actions.reply_to_review(service.provider, make_review(customer, service, 2, "Late."), "Sorry.")


def test_of_who_leaves_the_words_go_and_the_rating_stays(service, replied, customer, provider, sign_in):
    def shown():
        return sign_in(None).get(f"/api/services/{service.pk}/reviews").json()

    before = shown()
    actions.forget(customer.pk)
    without_author = shown()
    actions.forget(provider.pk)
    without_both = shown()

    assert before["rating"] == without_author["rating"] == without_both["rating"]
    words = [
        (page["items"][0]["comment"], page["items"][0]["reply"]) for page in (before, without_author, without_both)
    ]
    assert words == [("Late.", "Sorry."), (None, "Sorry."), (None, None)]
    assert without_both["items"][0]["updatedAt"] > before["items"][0]["updatedAt"]


def test_the_words_of_others_stay_and_hidden_ones_go(service, replied, customer, django_user_model):
    other = django_user_model.objects.create(login="other")
    theirs, hidden = make_review(other, service), make_review(customer, service)
    actions.hide_review(hidden, "Spam.")

    actions.forget(customer.pk)

    assert set(Review.objects.values_list("pk", "comment")) == {
        (replied.pk, None),
        (hidden.pk, None),
        (theirs.pk, theirs.comment),
    }
    assert Review.objects.get(pk=replied.pk).reply == "Sorry."


def test_everybody_takes_along_what_he_wrote(service, replied, customer, provider):
    actions.hide_review(make_review(customer, service, 1, None), "Spam.")

    of_customer, of_provider = actions.export(customer.pk), actions.export(provider.pk)

    kept = [(r["bookingId"], r["rating"], r["comment"], r["hiddenReason"]) for r in of_customer["reviews"]]
    assert kept[0] == (replied.booking_id, 2, "Late.", None)
    assert kept[1][1:] == (1, None, "Spam.")
    assert [r["reply"] for r in of_provider["reviewReplies"]] == ["Sorry."]
    assert of_customer["reviewReplies"] == of_provider["reviews"] == []


def test_who_has_left_writes_nothing_and_can_be_written_to(service, customer, provider):
    review, booking = make_review(customer, service), make_completed_booking(customer, service)
    for person, is_active in ((customer, False), (provider, True)):
        type(person).objects.filter(pk=person.pk).update(is_active=is_active)

    with pytest.raises(NotFound):
        actions.create_review(customer, booking, 5)
    actions.reply_to_review(provider, review, "Thank you.")
    for person, is_active in ((customer, True), (provider, False)):
        type(person).objects.filter(pk=person.pk).update(is_active=is_active)
    with pytest.raises(NotFound):
        actions.reply_to_review(provider, review, "Thanks.")
    actions.create_review(customer, booking, 5)

    assert set(Review.objects.values_list("reply", flat=True)) == {"Thank you.", None}


@pytest.fixture
def told():
    """What the signals sent, in order."""
    heard = []

    def hear(signal, review, actor_id, **_):
        heard.append((signal, review.pk, review.booking.service.title, actor_id))

    signals = (review_created, review_replied)
    for signal in signals:
        signal.connect(hear)
    yield heard
    for signal in signals:
        signal.disconnect(hear)


def test_facts_are_announced_once_each(service, customer, provider, told):
    review = actions.create_review(customer, make_completed_booking(customer, service), 4)
    for reply in ("Thank you.", "Thank you.", "Thanks."):
        actions.reply_to_review(provider, review, reply)

    about = (review.pk, "Deep cleaning")
    assert told == [
        (review_created, *about, customer.pk),
        (review_replied, *about, provider.pk),
        (review_replied, *about, provider.pk),
    ]


def test_what_a_receiver_refuses_did_not_happen(service, customer, monkeypatch):
    booking = make_completed_booking(customer, service)

    def refuse(**_):
        raise ZeroDivisionError

    review_created.connect(refuse)
    with pytest.raises(ZeroDivisionError):
        actions.create_review(customer, booking, 4)
    review_created.disconnect(refuse)

    assert not Review.objects.exists()
    service.refresh_from_db()
    assert service.rating.count == 0
