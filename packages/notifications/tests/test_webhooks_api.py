"""`/notifications/webhooks` as a client sees it."""

import socket
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.urls import api

from marketplace_kit import clock
from marketplace_kit.testing import run_jobs
from marketplace_notifications import deliveries, webhooks
from marketplace_notifications.actions import notify
from marketplace_notifications.models import WebhookDelivery, WebhookEndpoint, WebhookSecret
from marketplace_notifications.posting import Answer
from marketplace_notifications.testing import make_webhook, make_webhook_delivery

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
WEBHOOKS = "/api/notifications/webhooks"
URL = "https://hooks.example.com/parcels"
ALL = ["parcel.sent", "parcel.lost", "parcel.billed"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Names lead nowhere here, unless a test says where; addresses are themselves."""
    names, ask = {}, socket.getaddrinfo

    def answer(host, port, *args, **kwargs):
        try:
            return ask(names.get(host, host), port, *args, **kwargs | {"flags": socket.AI_NUMERICHOST})
        except socket.gaierror:
            if host in ("127.0.0.1", "localhost"):
                return ask(host, port, *args, **kwargs)
            raise

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return names


def errors(answer):
    assert answer.status_code == 422, answer.content
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


# --- create ---


def test_an_endpoint_is_made_and_its_secret_shown_once(as_ann, ann):
    with clock.frozen(NOON):
        answer = as_ann.post(WEBHOOKS, {"url": URL})
    made = answer.json()
    assert answer.status_code == 201
    assert answer["Location"] == f"{WEBHOOKS}/{made['id']}"
    assert made == {
        "id": made["id"],
        "url": URL,
        "types": ALL,
        "isActive": True,
        "disabledReason": None,
        "createdAt": "2026-05-04T12:00:00Z",
        "updatedAt": "2026-05-04T12:00:00Z",
        "secret": WebhookSecret.objects.get().secret,
    }
    shown = as_ann.get(answer["Location"]).json()
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert as_ann.get(WEBHOOKS).json() == {"items": [shown], "nextCursor": None}
    for path in (WEBHOOKS, answer["Location"]):
        assert "whsec_" not in as_ann.get(path).content.decode()


def test_its_types_are_those_that_were_named(as_ann):
    assert as_ann.post(WEBHOOKS, {"url": URL, "types": ["parcel.lost"]}).json()["types"] == ["parcel.lost"]
    assert as_ann.post(WEBHOOKS, {"url": URL, "types": None}).json()["types"] == ALL


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, [("/url", "missing")]),
        ({"url": None}, [("/url", "string_type")]),
        ({"url": 7}, [("/url", "string_type")]),
        ({"url": ""}, [("/url", "invalid_url")]),
        ({"url": "https://a\0.example/"}, [("/url", "nul_character")]),
        ({"url": "https://hooks.example.com/" + "a" * 2000}, [("/url", "string_too_long")]),
        ({"url": "http://hooks.example.com/"}, [("/url", "https_required")]),
        ({"url": "https://a:b@hooks.example.com/"}, [("/url", "credentials_in_url")]),
        ({"url": "https://hooks.example.com:22/"}, [("/url", "port_not_allowed")]),
        ({"url": "https://127.0.0.1/"}, [("/url", "private_address")]),
        ({"url": "https://localhost/"}, [("/url", "private_address")]),
        ({"url": "https://[::ffff:10.0.0.1]/"}, [("/url", "private_address")]),
        ({"url": "https://169.254.169.254/latest/meta-data"}, [("/url", "private_address")]),
        ({"url": "https://intranet.example.com/"}, [("/url", "private_address")]),
        ({"url": URL, "types": []}, [("/types", "too_short")]),
        ({"url": URL, "types": ["parcel.eaten", 7]}, [("/types/0", "unknown_type"), ("/types/1", "string_type")]),
        ({"url": URL, "types": ["parcel.lost", "parcel.sent", "parcel.lost"]}, [("/types/2", "duplicate_type")]),
        ({"url": URL, "types": "parcel.lost"}, [("/types", "list_type")]),
        ({"url": URL, "types": [[]]}, [("/types/0", "string_type")]),
        ({"url": URL, "secret": "whsec_mine"}, [("/secret", "extra_forbidden")]),
        ({"url": URL, "isActive": False}, [("/isActive", "extra_forbidden")]),
        ({"url": "https://10.0.0.1/", "types": ["x"]}, [("/url", "private_address"), ("/types/0", "unknown_type")]),
    ],
)
def test_all_that_is_wrong_is_told_at_once(as_ann, no_network, body, wrong):
    no_network["intranet.example.com"] = "10.0.0.1"
    assert errors(as_ann.post(WEBHOOKS, body)) == wrong
    assert not WebhookEndpoint.objects.exists()


def test_a_name_that_leads_nowhere_yet_is_taken(as_ann):
    """What it leads to is looked at whenever something is sent there."""
    assert as_ann.post(WEBHOOKS, {"url": "https://soon.example.com/"}).status_code == 201


def test_where_private_ones_are_allowed_so_they_are(as_ann, settings):
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "WEBHOOK_ALLOW_PRIVATE": True}
    assert as_ann.post(WEBHOOKS, {"url": "http://127.0.0.1:8080/hook"}).status_code == 201


def test_one_may_have_so_many(as_ann, ann, settings):
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "WEBHOOK_ENDPOINTS": 2}
    answers = [as_ann.post(WEBHOOKS, {"url": URL}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert answers[2].json()["code"] == "too_many_webhooks"
    as_ann.delete(answers[0]["Location"])
    assert as_ann.post(WEBHOOKS, {"url": URL}).status_code == 201


# --- change ---


def test_it_can_be_changed(as_ann, ann):
    row = make_webhook(ann.pk, updated_at=NOON)
    body = {"url": "https://other.example.com/", "types": ["parcel.sent"], "isActive": False}
    answer = as_ann.patch(f"{WEBHOOKS}/{row.pk}", body)
    assert answer.status_code == 200
    assert answer.json().items() >= body.items()
    assert answer.json()["updatedAt"] > "2026-05-05"
    assert as_ann.get(f"{WEBHOOKS}/{row.pk}").json() == answer.json()


def test_what_is_left_out_stays(as_ann, ann):
    row = make_webhook(ann.pk, types=["parcel.lost"])
    before = as_ann.get(f"{WEBHOOKS}/{row.pk}").json()
    for body in ({}, {"url": row.url}, {"isActive": True}, {"types": ["parcel.lost"]}):
        after = as_ann.patch(f"{WEBHOOKS}/{row.pk}", body).json()
        assert after | {"updatedAt": 0} == before | {"updatedAt": 0}


def test_switching_it_on_clears_the_reason(as_ann, ann):
    row = make_webhook(ann.pk, is_active=False, disabled_reason="failing", failing_since=NOON)
    assert as_ann.patch(f"{WEBHOOKS}/{row.pk}", {"url": URL}).json()["disabledReason"] == "failing"
    answer = as_ann.patch(f"{WEBHOOKS}/{row.pk}", {"isActive": True}).json()
    assert (answer["isActive"], answer["disabledReason"]) == (True, None)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"url": None}, [("/url", "string_type")]),
        ({"url": "https://10.1.2.3/"}, [("/url", "private_address")]),
        ({"types": None}, [("/types", "list_type")]),
        ({"types": []}, [("/types", "too_short")]),
        ({"isActive": None}, [("/isActive", "bool_type")]),
        ({"isActive": 1}, [("/isActive", "bool_type")]),
        ({"disabledReason": None}, [("/disabledReason", "extra_forbidden")]),
    ],
)
def test_what_is_wrong_in_a_change(as_ann, ann, body, wrong):
    row = make_webhook(ann.pk)
    assert errors(as_ann.patch(f"{WEBHOOKS}/{row.pk}", body)) == wrong


def test_only_the_version_that_was_read_is_changed(as_ann, ann):
    path = f"{WEBHOOKS}/{make_webhook(ann.pk, updated_at=NOON).pk}"
    tag = as_ann.get(path)["ETag"]
    assert as_ann.get(path, headers={"If-None-Match": tag}).status_code == 304
    first = as_ann.patch(path, {"isActive": False}, headers={"If-Match": tag})
    assert first.status_code == 200
    second = as_ann.patch(path, {"isActive": True}, headers={"If-Match": tag})
    assert (second.status_code, second.json()["code"]) == (412, "precondition_failed")
    assert as_ann.get(path).json()["isActive"] is False
    assert as_ann.patch(path, {"isActive": True}, headers={"If-Match": first["ETag"]}).status_code == 200


def test_only_the_version_that_was_read_is_deleted(as_ann, ann):
    path = f"{WEBHOOKS}/{make_webhook(ann.pk, updated_at=NOON).pk}"
    tag = as_ann.get(path)["ETag"]
    now = as_ann.patch(path, {"isActive": False})["ETag"]
    stale = as_ann.delete(path, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert as_ann.delete(path, headers={"If-Match": now}).status_code == 204
    assert as_ann.get(path).status_code == 404


def test_an_attempt_does_not_make_another_version(as_ann, ann):
    row = make_webhook(ann.pk)
    before = as_ann.get(f"{WEBHOOKS}/{row.pk}")["ETag"]
    delivery = make_webhook_delivery(row)
    deliveries.claim(delivery.pk, 1)
    deliveries.record(delivery.pk, 1, Answer(500))
    assert as_ann.get(f"{WEBHOOKS}/{row.pk}")["ETag"] == before


# --- rotate, delete ---


def test_a_new_secret_is_shown_once(as_ann, ann):
    path = as_ann.post(WEBHOOKS, {"url": URL})["Location"]
    old = WebhookSecret.objects.get().secret
    answer = as_ann.post(f"{path}/rotate-secret")
    assert answer.status_code == 200
    secret = answer.json()["secret"]
    assert secret.startswith("whsec_")
    assert secret != old
    assert {name: value for name, value in answer.json().items() if name != "secret"} == as_ann.get(path).json()


def test_it_can_be_deleted(as_ann, ann):
    row = make_webhook(ann.pk)
    make_webhook_delivery(row)
    assert as_ann.delete(f"{WEBHOOKS}/{row.pk}").status_code == 204
    assert as_ann.delete(f"{WEBHOOKS}/{row.pk}").status_code == 404
    assert as_ann.get(f"{WEBHOOKS}/{row.pk}/deliveries").status_code == 404
    assert not WebhookDelivery.objects.exists()


# --- deliveries ---


def test_a_delivery_has_these_fields(as_ann, ann):
    row = make_webhook(ann.pk)
    delivery = make_webhook_delivery(row, created_at=NOON, next_attempt_at=NOON + timedelta(seconds=5), attempts=1)
    WebhookDelivery.objects.update(response_status=500)
    assert as_ann.get(f"{WEBHOOKS}/{row.pk}/deliveries").json() == {
        "items": [
            {
                "id": str(delivery.pk),
                "notificationId": str(delivery.notification_id),
                "type": "test.happened",
                "status": "pending",
                "attempts": 1,
                "responseStatus": 500,
                "nextAttemptAt": "2026-05-04T12:00:05Z",
                "createdAt": "2026-05-04T12:00:00Z",
            }
        ],
        "nextCursor": None,
    }


def test_deliveries_come_newest_first_in_pages(as_ann, ann):
    row, other = make_webhook(ann.pk), make_webhook(ann.pk)
    made = [make_webhook_delivery(row, created_at=NOON) for _ in range(5)]
    make_webhook_delivery(other)
    seen, cursor = [], ""
    while cursor is not None:
        page = as_ann.get(f"{WEBHOOKS}/{row.pk}/deliveries?limit=2{cursor and '&cursor='}{cursor}").json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        make_webhook_delivery(row)
    assert seen == sorted((str(delivery.pk) for delivery in made), reverse=True)


def test_deliveries_by_status(as_ann, ann):
    row = make_webhook(ann.pk)
    make_webhook_delivery(row)
    done = make_webhook_delivery(row, status="failed", next_attempt_at=None)
    shown = as_ann.get(f"{WEBHOOKS}/{row.pk}/deliveries?status=failed").json()["items"]
    assert [item["id"] for item in shown] == [str(done.pk)]
    assert errors(as_ann.get(f"{WEBHOOKS}/{row.pk}/deliveries?status=lost&limit=0")) == [
        ("query/limit", "greater_than_equal"),
        ("query/status", "enum"),
    ]


def test_one_is_sent_again(as_ann, ann):
    row = make_webhook(ann.pk)
    done = make_webhook_delivery(row, status="failed", next_attempt_at=None, attempts=8)
    answer = as_ann.post(f"{WEBHOOKS}/{row.pk}/deliveries/{done.pk}/retry")
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["attempts"]) == ("pending", 8)
    assert answer.json()["nextAttemptAt"] is not None
    assert as_ann.get(f"{WEBHOOKS}/{row.pk}/deliveries").json()["items"] == [answer.json()]


def test_not_to_an_endpoint_that_is_off(as_ann, ann):
    row = make_webhook(ann.pk, is_active=False)
    done = make_webhook_delivery(row, status="failed", next_attempt_at=None)
    answer = as_ann.post(f"{WEBHOOKS}/{row.pk}/deliveries/{done.pk}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_inactive")


# --- whose ---


def test_a_strangers_are_not_there(as_ann, ann, bob):
    row = make_webhook(bob.pk)
    done = make_webhook_delivery(row)
    own = make_webhook(ann.pk)
    path = f"{WEBHOOKS}/{row.pk}"
    answers = [
        as_ann.get(path),
        as_ann.patch(path, {"isActive": False}),
        as_ann.delete(path),
        as_ann.post(f"{path}/rotate-secret"),
        as_ann.get(f"{path}/deliveries"),
        as_ann.post(f"{path}/deliveries/{done.pk}/retry"),
        as_ann.post(f"{WEBHOOKS}/{own.pk}/deliveries/{done.pk}/retry"),
        as_ann.get(f"{WEBHOOKS}/{uuid4()}"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "not_found")}
    assert [item["id"] for item in as_ann.get(WEBHOOKS).json()["items"]] == [str(own.pk)]
    assert WebhookEndpoint.objects.get(pk=row.pk).is_active
    assert errors(as_ann.get(f"{WEBHOOKS}/7")) == [("path/webhookId", "uuid_parsing")]


def test_lists_take_few_queries(as_ann, ann, django_assert_num_queries):
    rows = [make_webhook(ann.pk) for _ in range(5)]
    for _ in range(5):
        make_webhook_delivery(rows[0])
    with django_assert_num_queries(3):  # two of them are the session's
        as_ann.get(WEBHOOKS)
    with django_assert_num_queries(4):
        as_ann.get(f"{WEBHOOKS}/{rows[0].pk}/deliveries")


def test_what_an_action_told_is_in_the_log(as_ann, ann, settings):
    row = make_webhook(ann.pk, url="https://soon.example.com/")
    told = notify(ann.pk, "parcel.lost", {}, {"number": "7"})
    run_jobs()
    [item] = as_ann.get(f"{WEBHOOKS}/{row.pk}/deliveries").json()["items"]
    assert (item["notificationId"], item["type"]) == (str(told.pk), "parcel.lost")
    assert (item["status"], item["attempts"], item["responseStatus"]) == ("pending", 1, None)


def test_the_document_names_the_projects_types():
    schemas = api.get_openapi_schema()["components"]["schemas"]
    assert schemas["Webhook"]["properties"]["types"]["items"]["enum"] == ALL
    assert schemas["CreateWebhook"]["required"] == ["url"]
    assert "required" not in schemas["ChangeWebhook"]
    assert schemas["Webhook"]["properties"]["id"]["format"] == "uuid"


def test_what_is_shown_once_is_in_no_other_schema():
    schemas = api.get_openapi_schema()["components"]["schemas"]
    assert [name for name, schema in schemas.items() if "secret" in schema.get("properties", {})] == [
        "WebhookWithSecret"
    ]


def test_secrets_are_of_the_endpoint(ann):
    endpoint = webhooks.create_webhook(ann.pk, URL, None)
    assert endpoint.secrets.get().secret == endpoint.secret
