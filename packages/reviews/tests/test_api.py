"""The endpoints of reviews, in a foreign project: who, in which state, is answered what."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils.dateparse import parse_datetime

from marketplace_booking import actions as bookings
from marketplace_booking.testing import a_start, make_booking
from marketplace_catalog import actions as catalog
from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock
from marketplace_reviews import actions
from marketplace_reviews.models import Review
from marketplace_reviews.testing import make_completed_booking, make_review

UNKNOWN = "01900000-0000-7000-8000-000000000000"
PRAISE = {"rating": 4, "comment": "On time."}


@pytest.fixture
def service(provider):
    return make_service(provider)


@pytest.fixture
def people(provider, customer, django_user_model):
    make = django_user_model.objects.create
    return {
        "anonymous": None,
        "customer": customer,
        "provider": provider,
        "stranger": make(login="stranger"),
        "other provider": make(login="other", sells=True),
        "staff": make(login="staff", is_staff=True),
    }


def review_of(booking):
    return f"/api/bookings/{booking.pk}/review"


def reviews_of(service, query=""):
    return f"/api/services/{service.pk}/reviews?{query}"


def reply_to(review):
    return f"/api/reviews/{review.pk}/reply"


def outcome(answer):
    return answer.status_code if answer.status_code < 400 else (answer.status_code, answer.json()["code"])


# --- a customer reviews ---


def test_a_customer_reviews_what_was_completed(service, customer, sign_in):
    booking = make_completed_booking(customer, service)

    answer = sign_in(customer).post(review_of(booking), PRAISE)

    assert answer.status_code == 201, answer.content
    body = answer.json()
    expected = {
        "bookingId": str(booking.pk),
        "serviceId": str(service.pk),
        "authorId": customer.pk,
        "rating": 4,
        "comment": "On time.",
        "reply": None,
    }
    assert {k: v for k, v in body.items() if k not in ("id", "createdAt", "updatedAt")} == expected
    assert body["createdAt"] == body["updatedAt"]
    assert answer["Location"] == review_of(booking)
    assert sign_in(customer).get(answer["Location"]).json() == body
    assert sign_in(None).get(reviews_of(service)).json()["items"] == [body]


def in_state(state, customer, service):
    """A booking that has come so far."""
    if state in ("completed", "reviewed", "hidden"):
        booking = make_completed_booking(customer, service)
        if state != "completed":
            review = actions.create_review(customer, booking, 3)
        if state == "hidden":
            actions.hide_review(review, "Spam.")
        return booking
    booking = make_booking(customer, service, a_start())
    if state == "confirmed":
        bookings.confirm_booking(service.provider, booking)
    if state == "cancelled":
        bookings.cancel_booking(customer, booking)
    return booking


NOT_YET, TWICE = (409, "not_completed"), (409, "already_reviewed")
FORBIDDEN, MISSING, UNKNOWN_CALLER = (403, "forbidden"), (404, "not_found"), (401, "not_authenticated")
STATES = {
    "pending": NOT_YET,
    "confirmed": NOT_YET,
    "cancelled": NOT_YET,
    "completed": 201,
    "reviewed": TWICE,
    "hidden": TWICE,
}
OTHERS = {
    "anonymous": UNKNOWN_CALLER,
    "provider": FORBIDDEN,
    "stranger": MISSING,
    "other provider": MISSING,
    "staff": FORBIDDEN,
}


@pytest.mark.parametrize("state", STATES)
def test_who_reviews_and_when(service, customer, people, sign_in, state):
    booking = in_state(state, customer, service)
    before = Review.objects.count()

    found = {who: outcome(sign_in(person).post(review_of(booking), PRAISE)) for who, person in people.items()}

    assert found == OTHERS | {"customer": STATES[state]}
    assert Review.objects.count() == before + (state == "completed")


def test_what_is_not_there_is_not_reviewed(customer, sign_in):
    mine = sign_in(customer)

    assert mine.post(f"/api/bookings/{UNKNOWN}/review", PRAISE).status_code == 404
    assert mine.get(f"/api/bookings/{UNKNOWN}/review").status_code == 404
    assert mine.get(f"/api/services/{UNKNOWN}/reviews").status_code == 404
    assert mine.put(f"/api/reviews/{UNKNOWN}/reply", {"reply": "Thanks."}).status_code == 404


WRONG = [
    ({}, ["/rating"]),
    ({"rating": 0}, ["/rating"]),
    ({"rating": 6}, ["/rating"]),
    ({"rating": 4.5}, ["/rating"]),
    ({"rating": "5"}, ["/rating"]),
    ({"rating": True}, ["/rating"]),
    ({"rating": None}, ["/rating"]),
    ({"rating": 10**15}, ["/rating"]),
    ({"rating": 5, "comment": "x" * 2001}, ["/comment"]),
    ({"rating": 5, "comment": "\0"}, ["/comment"]),
    ({"rating": 5, "comment": 5}, ["/comment"]),
    ({"rating": 5, "reply": "Mine."}, ["/reply"]),
    (
        {"rating": 9, "comment": ["x"], "authorId": 1, "hiddenAt": None},
        ["/authorId", "/comment", "/hiddenAt", "/rating"],
    ),
]


@pytest.mark.parametrize(("body", "pointers"), WRONG)
def test_all_that_is_wrong_with_a_review_is_told_at_once(service, customer, sign_in, body, pointers):
    booking = make_completed_booking(customer, service)

    answer = sign_in(customer).post(review_of(booking), body)

    assert answer.status_code == 422, answer.content
    assert sorted(e["pointer"] for e in answer.json()["errors"]) == pointers
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [({}, None), ({"comment": " \n "}, None), ({"comment": " A\r\nB "}, "A\nB"), ({"comment": "x" * 2000}, "x" * 2000)],
)
def test_a_comment_is_kept_as_clean_text_or_not_at_all(service, customer, sign_in, given, kept):
    booking = make_completed_booking(customer, service)

    assert sign_in(customer).post(review_of(booking), {"rating": 5} | given).json()["comment"] == kept


def test_the_review_of_a_booking_is_read_by_its_sides(service, customer, people, sign_in):
    booking = make_completed_booking(customer, service)
    before = {who: sign_in(person).get(review_of(booking)).status_code for who, person in people.items()}
    actions.create_review(customer, booking, 5)
    after = {who: sign_in(person).get(review_of(booking)).status_code for who, person in people.items()}

    readers = {"customer", "provider", "staff"}
    assert before == {who: 401 if who == "anonymous" else 404 for who in people}
    assert after == before | dict.fromkeys(readers, 200)


# --- the list and the rating ---


def test_a_service_is_rated_by_its_reviews(service, customer, sign_in):
    for rating in (5, 5, 4, 2):
        make_review(customer, service, rating)
    page = sign_in(None).get(reviews_of(service, "limit=1"))

    assert page.json()["rating"] == {
        "average": 4.0,
        "count": 4,
        "distribution": {"1": 0, "2": 1, "3": 0, "4": 1, "5": 2},
    }
    assert b'"average":4.00,' in page.content
    shown = sign_in(None).get(f"/api/services/{service.pk}").json()
    assert shown["rating"] == {"average": 4.0, "count": 4}


def test_without_reviews_there_is_no_average(service, sign_in):
    body = sign_in(None).get(reviews_of(service)).json()

    assert body["items"] == []
    assert body["rating"] == {"average": None, "count": 0, "distribution": dict.fromkeys("12345", 0)}


@pytest.mark.parametrize(
    ("ratings", "average"), [((5, 4, 4), 4.33), ((5, 5, 4), 4.67), ((1, 1, 1, 1, 1, 1, 1, 2), 1.13)]
)
def test_both_averages_are_rounded_alike(service, customer, sign_in, ratings, average):
    for rating in ratings:
        make_review(customer, service, rating)

    assert sign_in(None).get(reviews_of(service)).json()["rating"]["average"] == average
    assert sign_in(None).get(f"/api/services/{service.pk}").json()["rating"]["average"] == average


def test_services_are_found_and_ordered_by_their_rating(provider, customer, sign_in):
    rated = {rating: make_service(provider) for rating in (3, 5, 4)}
    none = make_service(provider)
    for rating, service in rated.items():
        make_review(customer, service, rating)

    def ids(query):
        return [s["id"] for s in sign_in(None).get(f"/api/services?{query}").json()["items"]]

    assert ids("sort=-rating") == [str(s.pk) for s in (rated[5], rated[4], rated[3], none)]
    assert ids("sort=-rating&minRating=3.5") == [str(s.pk) for s in (rated[5], rated[4])]


def test_a_review_is_another_version_of_the_service_but_no_change_of_it(service, provider, customer, sign_in):
    path = f"/api/services/{service.pk}"
    before = sign_in(provider).get(path)
    make_review(customer, service)
    after = sign_in(provider).get(path)

    assert after["ETag"] != before["ETag"]
    assert after.json()["updatedAt"] == before.json()["updatedAt"]
    assert sign_in(provider).patch(path, {"title": "X"}, headers={"If-Match": before["ETag"]}).status_code == 412


def test_pages_are_newest_first_and_lose_and_double_nothing_while_reviews_come(service, customer, sign_in):
    made = [make_review(customer, service) for _ in range(5)]
    Review.objects.filter(pk__in=[made[1].pk, made[2].pk]).update(created_at=made[1].created_at)
    client, seen, cursor = sign_in(None), [], ""
    for _ in range(3):
        page = client.get(reviews_of(service, f"limit=2&cursor={cursor}" if cursor else "limit=2")).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        make_review(customer, service)

    assert cursor is None
    assert seen == [str(made[n].pk) for n in (4, 3, 2, 1, 0)]


def test_a_cursor_of_another_list_is_refused(service, sign_in):
    answer = sign_in(None).get(reviews_of(service, "cursor=abc&limit=5"))

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/cursor")
    assert sign_in(None).get("/api/services/x/reviews").json()["errors"][0]["pointer"] == "path/serviceId"


def test_a_list_takes_as_many_queries_however_long_it_is(service, customer, sign_in, django_assert_num_queries):
    make_review(customer, service)
    with django_assert_num_queries(3):  # may it be seen, the page, the tally
        sign_in(None).get(reviews_of(service))
    for _ in range(4):
        actions.reply_to_review(service.provider, make_review(customer, service), "Thank you.")
    with django_assert_num_queries(3):
        assert len(sign_in(None).get(reviews_of(service)).json()["items"]) == 5


def test_a_list_that_is_known_is_not_sent_again(service, customer, sign_in):
    make_review(customer, service)
    first = sign_in(None).get(reviews_of(service))
    again = sign_in(None).get(reviews_of(service), headers={"If-None-Match": first["ETag"]})

    assert again.status_code == 304


STANDING = {
    "listed": dict.fromkeys(("anonymous", "customer", "provider", "stranger", "other provider", "staff"), 200),
    "inactive": {
        "anonymous": 404,
        "customer": 404,
        "provider": 200,
        "stranger": 404,
        "other provider": 404,
        "staff": 200,
    },
    "deleted": dict.fromkeys(("anonymous", "customer", "provider", "stranger", "other provider", "staff"), 404),
}


def stand(service, standing):
    if standing == "inactive":
        catalog.change_service(service.provider, service, {"is_active": False})
    if standing == "deleted":
        catalog.delete_service(service.provider, service)


@pytest.mark.parametrize("standing", STANDING)
def test_reviews_are_listed_for_whoever_sees_the_service(service, customer, people, sign_in, standing):
    make_review(customer, service)
    stand(service, standing)

    found = {who: sign_in(person).get(reviews_of(service)).status_code for who, person in people.items()}

    assert found == STANDING[standing]


def test_a_review_outlives_its_service(service, customer, provider, sign_in):
    early = make_review(customer, service)
    late = make_completed_booking(customer, service)
    stand(service, "deleted")

    assert sign_in(customer).get(review_of(early.booking)).json()["id"] == str(early.pk)
    assert sign_in(customer).post(review_of(late), PRAISE).status_code == 201
    assert sign_in(provider).put(reply_to(early), {"reply": "Thank you."}).status_code == 200
    assert Service.objects.get().rating.count == 2


# --- the provider replies ---


def test_its_provider_replies_and_may_think_better_of_it(service, customer, provider, sign_in):
    review = make_review(customer, service)
    seller = sign_in(provider)

    with clock.shifted(timedelta(minutes=1)):
        first = seller.put(reply_to(review), {"reply": " Thank you.\r\n"})
        same = seller.put(reply_to(review), {"reply": "Thank you."})
    with clock.shifted(timedelta(minutes=2)):
        second = seller.put(reply_to(review), {"reply": "Thanks a lot."})

    assert (first.status_code, first.json()["reply"]) == (200, "Thank you.")
    assert same.json() == first.json()
    assert second.json() == first.json() | {"reply": "Thanks a lot.", "updatedAt": second.json()["updatedAt"]}
    moments = [parse_datetime(body["updatedAt"]) for body in (first.json(), second.json())]
    assert review.updated_at < moments[0] < moments[1]
    assert sign_in(None).get(reviews_of(service)).json()["items"] == [second.json()]


REPLIES = {
    "listed": {
        "anonymous": 401,
        "customer": 403,
        "provider": 200,
        "stranger": 403,
        "other provider": 403,
        "staff": 403,
    },
    "inactive": {
        "anonymous": 401,
        "customer": 403,
        "provider": 200,
        "stranger": 404,
        "other provider": 404,
        "staff": 403,
    },
    "deleted": {
        "anonymous": 401,
        "customer": 403,
        "provider": 200,
        "stranger": 404,
        "other provider": 404,
        "staff": 403,
    },
    "hidden": {"anonymous": 401} | dict.fromkeys(("customer", "provider", "stranger", "other provider", "staff"), 404),
}


@pytest.mark.parametrize("standing", REPLIES)
def test_who_replies(service, customer, people, sign_in, standing):
    review = make_review(customer, service)
    stand(service, standing)
    if standing == "hidden":
        actions.hide_review(review, "Spam.")

    found = {who: sign_in(person).put(reply_to(review), {"reply": who}).status_code for who, person in people.items()}

    assert found == REPLIES[standing]
    review.refresh_from_db()
    assert review.reply == ("provider" if found["provider"] == 200 else None)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/reply"]),
        ({"reply": ""}, ["/reply"]),
        ({"reply": " \n "}, ["/reply"]),
        ({"reply": None}, ["/reply"]),
        ({"reply": "x" * 2001}, ["/reply"]),
        ({"reply": 1, "rating": 5}, ["/rating", "/reply"]),
    ],
)
def test_all_that_is_wrong_with_a_reply_is_told_at_once(service, customer, provider, sign_in, body, pointers):
    review = make_review(customer, service)

    answer = sign_in(provider).put(reply_to(review), body)

    assert answer.status_code == 422, answer.content
    assert sorted(e["pointer"] for e in answer.json()["errors"]) == pointers


# --- kept answers ---

CHANGES = {
    "review": lambda review: make_review(review.author, review.service),
    "reply": lambda review: actions.reply_to_review(review.service.provider, review, "Thank you."),
    "hiding": lambda review: actions.hide_review(review, "Spam."),
    "erasure": lambda review: actions.forget(review.author_id),
    "recount": lambda review: actions.recount(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_kept_answers_move_on_with_what_they_show(
    service, customer, sign_in, settings, change, django_capture_on_commit_callbacks, django_assert_num_queries
):
    settings.KIT = {"PUBLIC_CACHE_SECONDS": 60}
    cache.clear()
    review = make_review(customer, service)
    anybody = sign_in(None)
    for _ in range(2):
        anybody.get(reviews_of(service))
    with django_assert_num_queries(0):
        anybody.get(reviews_of(service))

    with django_capture_on_commit_callbacks(execute=True):
        CHANGES[change](review)

    with django_assert_num_queries(3):
        anybody.get(reviews_of(service))
