"""`/notifications`: parse, fetch in scope, call an action, return the row."""

from typing import Any, NoReturn

from django.http import HttpRequest, HttpResponse
from ninja import Query, Status

from marketplace_kit.exceptions import InvalidField, NotFound, Unauthenticated
from marketplace_kit.pagination import Page, Whole
from marketplace_kit.renderer import answered
from marketplace_kit.routing import Router, ignores_authorization, refuses
from marketplace_kit.schemas import Id
from marketplace_kit.users import user_of

from . import actions, schemas, shown
from .conf import conf
from .exceptions import InvalidTicket, InvalidToken, StreamElsewhere, TooManyStreams
from .models import Notification, Preference
from .sessions import viewer_by_credentials
from .webhooks_api import router as webhooks

router = Router(tags=["Notifications"])
router.add_router("/webhooks", webhooks)

EVENT = (
    "event: booking.confirmed\nid: WzEyLDE3ODAwMDAwMDBd.c2lnbmF0dXJl\n"
    'data: {"id":"0198c0de-0000-7000-8000-000000000002","type":"booking.confirmed","title":"Your booking is confirmed",'
    '"body":"See you there.","data":{"bookingId":"0198c0de-0000-7000-8000-000000000001"},"readAt":null,'
    '"createdAt":"2026-05-04T09:00:00Z"}\n\n'
)
LAST_ID = {"type": "string", "description": "The `id:` of the last event you received."}
STREAM = {
    "parameters": [
        {"in": "query", "name": "ticket", "schema": {"type": "string"}, "description": "In place of a token."},
        {"in": "query", "name": "lastEventId", "schema": LAST_ID, "description": "Same; the header wins."},
        {"in": "header", "name": "Last-Event-ID", "schema": LAST_ID, "description": "Resume after this event."},
    ],
    "responses": {
        200: {
            "description": "The stream. `data:` is a Notification on one line. If the id is unknown or older than 24 h,"
            " `stream-reset` comes first: fetch the inbox again. `keep-alive` can be ignored.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EVENT}},
        }
    },
}


@router.get("", response=Page[schemas.Notification])
def list_notifications(request: HttpRequest, params: Query[schemas.Filters]) -> HttpResponse:
    """List your notifications, newest first."""
    return answered(shown.page_of(user_of(request).pk, params))


@router.get("/unread-count", response=schemas.UnreadCount)
def count_unread_notifications(request: HttpRequest) -> dict[str, int]:
    """Count your unread notifications."""
    return {"count": shown.unread_of(user_of(request).pk)}


@router.post("/read-all", response={204: None})
def mark_all_notifications_read(request: HttpRequest) -> Status[None]:
    """Mark all your notifications as read."""
    actions.mark_all_read(user_of(request).pk)
    return Status(204, None)


@router.get("/stream", response={200: None}, openapi_extra=STREAM)
@refuses(Unauthenticated, InvalidTicket, InvalidField, TooManyStreams, StreamElsewhere)
def stream_notifications(request: HttpRequest) -> NoReturn:
    """Stream your notifications as they happen, as Server-Sent Events.

    `id:` is opaque. Send it back in `Last-Event-ID` within 24 hours to resume without gaps or duplicates; without it
    the stream starts with new events. The stream ends with the session, or with the access token that opened it.
    """
    # Declared here for the document. The front leads this path to the stream process: see stream.py.
    raise StreamElsewhere


@router.post("/stream/ticket", response={201: schemas.StreamTicket})
def issue_stream_ticket(request: HttpRequest) -> Status[dict[str, Any]]:
    """Get a ticket that opens the stream from an EventSource, which can't send headers. It ends with your session."""
    viewer = viewer_by_credentials(request)
    ticket = actions.issue_ticket(viewer.user_id, viewer.session_key)
    return Status(201, {"ticket": ticket, "expires_in": conf.TICKET_SECONDS})


@router.get("/preferences", response=Whole[schemas.Preference])
def get_notification_preferences(request: HttpRequest) -> dict[str, Any]:
    """List the channels on which you receive each notification type."""
    return {"items": Preference.objects.wishes_of(user_of(request).pk)}


@router.put("/preferences", response=Whole[schemas.Preference])
def set_notification_preferences(request: HttpRequest, body: schemas.SetPreferences) -> dict[str, Any]:
    """Change the channels of the given types. Other types stay unchanged."""
    user = user_of(request)
    actions.set_preferences(user.pk, [actions.Choice(**item.given()) for item in body.items])
    return {"items": Preference.objects.wishes_of(user.pk)}


@router.post("/unsubscribe", response={204: None}, auth=None)
@ignores_authorization
@refuses(InvalidToken)
def unsubscribe(request: HttpRequest, params: Query[schemas.Unsubscribe]) -> Status[None]:
    """Unsubscribe from the e-mails of one type without signing in, with the token from List-Unsubscribe (RFC 8058)."""
    actions.unsubscribe(params.token)
    return Status(204, None)


@router.post("/{notification_id}/read", response=schemas.Notification)
@refuses(NotFound)
def mark_notification_read(request: HttpRequest, notification_id: Id) -> Notification:
    """Mark a notification as read. Repeating it has no further effect."""
    found = Notification.objects.inbox_of(user_of(request).pk).filter(pk=notification_id).defer("context").first()
    if found is None:
        raise NotFound
    actions.mark_read(found)
    return found
