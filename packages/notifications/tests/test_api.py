"""`/notifications` as a client sees it."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import resolve
from tests.urls import api

from marketplace_kit.testing import run_jobs
from marketplace_notifications import actions
from marketplace_notifications.models import StreamTicket
from marketplace_notifications.testing import make_notification

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
INBOX = "/api/notifications"


def titles(answer) -> list[str]:
    return [item["title"] for item in answer.json()["items"]]


def pointers(answer) -> list[tuple[str, str]]:
    assert answer.status_code == 422
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


# --- inbox ---


def test_the_inbox_is_ones_own_newest_first(as_ann, ann, bob):
    for minute in range(3):
        make_notification(ann.pk, title=str(minute), created_at=NOON + timedelta(minutes=minute))
    make_notification(bob.pk)
    make_notification(ann.pk, in_app=False)
    answer = as_ann.get(INBOX)
    assert titles(answer) == ["2", "1", "0"]
    assert answer.json()["nextCursor"] is None


def test_a_notification_has_these_fields(as_ann, ann):
    row = make_notification(ann.pk, data={"parcelId": "7"}, created_at=NOON)
    assert as_ann.get(INBOX).json()["items"] == [
        {
            "id": str(row.pk),
            "type": "test.happened",
            "title": "It happened",
            "body": "Just now.",
            "data": {"parcelId": "7"},
            "readAt": None,
            "createdAt": "2026-05-04T12:00:00Z",
        }
    ]


def test_pages_neither_skip_nor_repeat_while_rows_are_added(as_ann, ann):
    # All at the same moment: the id decides.
    made = [make_notification(ann.pk, created_at=NOON) for _ in range(7)]
    seen, cursor = [], ""
    while cursor is not None:
        answer = as_ann.get(f"{INBOX}?limit=3{cursor and '&cursor='}{cursor}").json()
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["nextCursor"]
        make_notification(ann.pk, created_at=NOON + timedelta(minutes=1))
    assert seen == sorted((str(row.pk) for row in made), reverse=True)


def test_filters(as_ann, ann):
    make_notification(ann.pk, title="read", type="parcel.sent", read_at=NOON)
    make_notification(ann.pk, title="unread", type="parcel.lost")
    assert titles(as_ann.get(f"{INBOX}?unread=true")) == ["unread"]
    assert titles(as_ann.get(f"{INBOX}?unread=false")) == ["read"]
    assert titles(as_ann.get(f"{INBOX}?type=parcel.sent")) == ["read"]
    assert titles(as_ann.get(f"{INBOX}?type=parcel.sent&unread=true")) == []


def test_wrong_filters_are_told_at_once(as_ann):
    answer = as_ann.get(f"{INBOX}?type=parcel.eaten&unread=maybe&limit=0&cursor=x")
    assert pointers(answer) == [
        ("query/limit", "greater_than_equal"),
        ("query/unread", "bool_parsing"),
        ("query/type", "unknown_type"),
    ]
    assert pointers(as_ann.get(f"{INBOX}?cursor=x")) == [("query/cursor", "invalid_cursor")]


def test_a_page_takes_one_query_beside_those_of_the_session(as_ann, ann, django_assert_num_queries):
    for _ in range(5):
        make_notification(ann.pk)
    with django_assert_num_queries(3):
        as_ann.get(INBOX)


def test_the_unread_are_counted(as_ann, ann, bob):
    make_notification(ann.pk)
    make_notification(ann.pk)
    make_notification(ann.pk, read_at=NOON)
    make_notification(ann.pk, in_app=False)
    make_notification(bob.pk)
    assert as_ann.get(f"{INBOX}/unread-count").json() == {"count": 2}


def test_one_is_marked_as_read_and_again_is_the_same(as_ann, ann):
    row = make_notification(ann.pk)
    first = as_ann.post(f"{INBOX}/{row.pk}/read")
    assert first.status_code == 200
    assert first.json()["readAt"] is not None
    assert as_ann.post(f"{INBOX}/{row.pk}/read").json() == first.json()


def test_only_ones_own_can_be_marked(as_ann, ann, bob):
    for row in (make_notification(bob.pk), make_notification(ann.pk, in_app=False)):
        assert as_ann.post(f"{INBOX}/{row.pk}/read").status_code == 404
    assert as_ann.post(f"{INBOX}/{uuid4()}/read").json()["code"] == "not_found"
    assert pointers(as_ann.post(f"{INBOX}/7/read")) == [("path/notificationId", "uuid_parsing")]


def test_all_are_marked_as_read(as_ann, ann, bob):
    make_notification(ann.pk)
    make_notification(bob.pk)
    answer = as_ann.post(f"{INBOX}/read-all")
    assert (answer.status_code, answer.content) == (204, b"")
    assert as_ann.get(f"{INBOX}/unread-count").json() == {"count": 0}
    as_ann.force_login(bob)
    assert as_ann.get(f"{INBOX}/unread-count").json() == {"count": 1}


def test_everything_but_unsubscribing_wants_one_to_be_signed_in(client):
    for path, item in api.get_openapi_schema()["paths"].items():
        for method in item.keys() - {"parameters"}:
            answer = client.generic(method.upper(), re.sub(r"{\w+}", str(uuid4()), path))
            if path.endswith("/unsubscribe"):
                assert answer.status_code == 422
            else:
                assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


# --- preferences ---


def test_preferences_hold_every_type(as_ann):
    assert as_ann.get(f"{INBOX}/preferences").json() == {
        "items": [
            {"type": "parcel.sent", "email": True, "inApp": True},
            {"type": "parcel.lost", "email": False, "inApp": True},
            {"type": "parcel.billed", "email": True, "inApp": False},
        ]
    }


def test_those_named_are_changed(as_ann):
    body = {"items": [{"type": "parcel.lost", "email": True, "inApp": False}, {"type": "parcel.sent", "email": False}]}
    answer = as_ann.put(f"{INBOX}/preferences", body)
    assert answer.status_code == 200
    assert (
        answer.json()
        == as_ann.get(f"{INBOX}/preferences").json()
        == {
            "items": [
                {"type": "parcel.sent", "email": False, "inApp": True},
                {"type": "parcel.lost", "email": True, "inApp": False},
                {"type": "parcel.billed", "email": True, "inApp": False},
            ]
        }
    )


def test_all_wrong_preferences_are_told_at_once(as_ann):
    items = [
        {"type": "parcel.eaten", "email": True},
        {"type": "parcel.sent", "email": 1, "inApp": None},
        {"type": "parcel.sent", "sms": True},
        {"email": True},
    ]
    assert set(pointers(as_ann.put(f"{INBOX}/preferences", {"items": items}))) == {
        ("/items/0/type", "unknown_type"),
        ("/items/1/email", "bool_type"),
        ("/items/1/inApp", "bool_type"),
        ("/items/2/type", "duplicate_type"),
        ("/items/2/sms", "extra_forbidden"),
        ("/items/3/type", "missing"),
    }


@pytest.mark.parametrize("body", [[], {}, {"items": None}, {"items": {}}, {"items": [[]]}, {"items": [{"type": []}]}])
def test_preferences_of_another_shape_are_refused(as_ann, body):
    assert as_ann.put(f"{INBOX}/preferences", body).status_code == 422


# --- unsubscribing ---


@pytest.mark.parametrize(
    "body",
    [{}, {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"}],
)
def test_one_click_stops_the_mails_of_a_type(ann, body):
    client = Client(enforce_csrf_checks=True, headers={"Authorization": "Bearer nonsense"})
    token = actions.unsubscribe_token(ann.pk, "parcel.sent")
    answer = client.post(f"{INBOX}/unsubscribe?token={token}", **body)
    assert (answer.status_code, answer.content) == (204, b"")
    client.force_login(ann)
    del client.defaults["HTTP_AUTHORIZATION"]
    assert client.get(f"{INBOX}/preferences").json()["items"][0]["email"] is False


def test_a_bad_token_is_told(client):
    answer = client.post(f"{INBOX}/unsubscribe?token=x.y")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_token")
    assert pointers(client.post(f"{INBOX}/unsubscribe")) == [("query/token", "missing")]
    assert pointers(client.post(f"{INBOX}/unsubscribe?token=%00")) == [("query/token", "nul_character")]


# --- the stream, from outside of its process ---


def test_a_ticket_is_of_the_session_that_asked(as_ann, ann):
    answer = as_ann.post(f"{INBOX}/stream/ticket")
    assert answer.status_code == 201
    assert answer.json() == {"ticket": answer.json()["ticket"], "expiresIn": 60}
    ticket = StreamTicket.objects.get()
    assert (ticket.user_id, ticket.session_key) == (ann.pk, as_ann.session.session_key)
    assert actions.spend_ticket(answer.json()["ticket"]) == ticket


def test_the_api_does_not_serve_the_stream(as_ann):
    answer = as_ann.get(f"{INBOX}/stream")
    assert (answer.status_code, answer.json()["detail"]) == (503, "This process doesn't serve the stream.")


def test_every_operation_of_the_document_is_its_own(as_ann):
    for path, item in api.get_openapi_schema()["paths"].items():
        concrete = re.sub(r"{\w+}", str(uuid4()), path)
        assert re.sub(r"<\w+>", "{}", resolve(concrete).route) == re.sub(r"{\w+}", "{}", path).removeprefix("/")
        for method in item:
            assert as_ann.generic(method.upper(), concrete).status_code != 405


def test_the_document_holds_the_stream():
    stream = api.get_openapi_schema()["paths"]["/api/notifications/stream"]["get"]
    assert [*stream["responses"][200]["content"]] == ["text/event-stream"]
    assert {p["name"] for p in stream["parameters"]} == {"ticket", "lastEventId", "Last-Event-ID"}


def test_the_document_names_the_projects_types():
    schemas = api.get_openapi_schema()["components"]["schemas"]
    types = ["parcel.sent", "parcel.lost", "parcel.billed"]
    assert schemas["Notification"]["properties"]["type"]["enum"] == types
    assert schemas["PreferenceChange"]["required"] == ["type"]


def test_what_an_action_told_is_in_the_inbox(as_ann, ann):
    actions.notify(ann.pk, "parcel.lost", {"parcelId": "7"}, {"number": "7"})
    assert titles(as_ann.get(INBOX)) == ["Parcel 7 is lost"]
    run_jobs()
    assert titles(as_ann.get(INBOX)) == ["Parcel 7 is lost"]
