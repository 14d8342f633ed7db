"""The verbs of the notifications."""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.signing import BadSignature, Signer
from django.db import transaction

from marketplace_kit import mail
from marketplace_kit.clock import now
from marketplace_kit.exporting import exported
from marketplace_kit.jobs import Deferred, defer_all
from marketplace_kit.transactions import action

from . import hints, rendering
from .conf import conf
from .exceptions import InvalidTicket, InvalidToken
from .models import (
    Notification,
    Preference,
    StreamCounter,
    StreamTicket,
    WebhookDelivery,
    WebhookEndpoint,
    Wish,
    usual,
    ways_of,
)
from .signals import notification_created

UNSUBSCRIBE = Signer(sep=".", salt="marketplace_notifications.unsubscribe")


@action
def notify(user_id: Any, kind: str, data: dict[str, Any], context: dict[str, Any]) -> Notification:
    """Notify a user: rendered, stored and queued in the caller's transaction, according to their preferences.

    `kind` is one of TYPES, `data` names what it is about, for programs, and `context` holds the plain facts for the
    templates. Raises ValueError for a kind that TYPES lacks, TemplateDoesNotExist where it has no words.
    """
    wish, listening = ways_of(user_id, kind)
    data, context = rendering.plain(data), rendering.plain(context)
    title, body = rendering.title_and_body(kind, data, context)
    notification = Notification(
        user_id=user_id, type=kind, title=title, body=body, data=data, context=context, in_app=wish.in_app
    )
    defer_all(_jobs(notification, wish), storing=[notification])
    notification_created.send(sender=Notification, notification=notification, listening=listening)
    return notification


def _jobs(notification: Notification, wish: Wish) -> Iterator[Deferred]:
    if wish.in_app:
        # One job for each, although one could number many. "Not while one is waiting" would lose some: the job that
        # waits may start, and look, before we commit. And two actions that tell the same two people would deadlock
        # on the index that keeps the waiting ones unique. A job that finds nothing to do costs one query.
        yield Deferred("marketplace_notifications.publish", {"user_id": str(notification.user_id)})
    if wish.email:
        yield Deferred("marketplace_notifications.send_email", {"notification_id": str(notification.pk)})


@action
def publish(user_id: Any) -> None:
    """Give the user's unnumbered notifications their places in the stream, and wake it once they are committed.

    Places are given here and not in `notify`: a number taken there would be visible only when that transaction
    commits, and a reader that has seen 2 never asks for a 1 that comes later.
    """
    if not Notification.objects.unnumbered_of(user_id).exists():
        return
    counter = StreamCounter.objects.locked(user_id)
    waiting = list(Notification.objects.unnumbered_of(user_id).only("position"))
    for notification in waiting:
        counter.last += 1
        notification.position = counter.last
    Notification.objects.bulk_update(waiting, ["position"], batch_size=500)
    counter.save(update_fields=["last"])
    transaction.on_commit(partial(hints.send, user_id))


def send_email(notification_id: UUID) -> None:
    """Mail a notification, unless it was, or its owner has gone, has no address or wants no such mail any more.

    Raises what the mail backend raises. Safe to repeat: the message is named by the notification.
    """
    found = Notification.objects.select_related("user").filter(pk=notification_id, mailed_at=None).first()
    if found is None or not _still_wanted(found):
        return
    address = conf.call("ADDRESS_OF", found.user)
    if address is None:
        return
    text, html = rendering.mail(found)
    headers, parts = _unsubscribe_headers(found), conf.call("PARTS_OF", found)
    mail.send(str(found.pk), address, found.title, text, html, headers=headers, parts=parts)
    Notification.objects.filter(pk=found.pk).update(mailed_at=now())


def _still_wanted(notification: Notification) -> bool:
    if notification.type not in conf.TYPES:
        return True
    return Preference.objects.wish_of(notification.user_id, notification.type).email


def _unsubscribe_headers(notification: Notification) -> dict[str, str]:
    if not conf.UNSUBSCRIBE_URL:
        return {}
    token = unsubscribe_token(notification.user_id, notification.type)
    return {
        "List-Unsubscribe": f"<{conf.UNSUBSCRIBE_URL}?token={token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def unsubscribe_token(user_id: Any, kind: str) -> str:
    """What lets whoever holds it stop one user's mails of one type, and nothing else. It doesn't expire."""
    return UNSUBSCRIBE.sign_object([str(user_id), kind])


@action
def unsubscribe(token: str) -> None:
    """Stop the mails that the token names. Raises InvalidToken."""
    user_id, kind = _unsigned(token)
    if kind not in conf.TYPES or not get_user_model()._default_manager.filter(pk=user_id).exists():
        raise InvalidToken
    _choose(user_id, Choice(kind, email=False))


def _unsigned(token: str) -> tuple[str, str]:
    try:
        user_id, kind = UNSUBSCRIBE.unsign_object(token)
    except (BadSignature, ValueError) as error:  # ValueError: text that can't be encoded, let alone be signed
        raise InvalidToken from error
    return user_id, kind


@action
def mark_read(notification: Notification) -> None:
    """Mark it as read now, unless it is already."""
    Notification.objects.filter(pk=notification.pk).unread().update(read_at=now())
    notification.refresh_from_db(fields=["read_at"])


@action
def mark_all_read(user_id: Any) -> None:
    """Mark everything in the user's inbox as read now."""
    Notification.objects.inbox_of(user_id).unread().update(read_at=now())


class Choice(NamedTuple):
    """A change of one type's channels; None leaves a channel as it is."""

    type: str
    email: bool | None = None
    in_app: bool | None = None


@action
def set_preferences(user_id: Any, choices: Sequence[Choice]) -> None:
    """Change the channels of the types that are named. ValueError for a type that TYPES lacks."""
    # In the same order for everybody, so that of two at once one waits.
    for choice in sorted(choices, key=lambda choice: choice.type):
        _choose(user_id, choice)


def _choose(user_id: Any, choice: Choice) -> None:
    chosen = {"email": choice.email, "in_app": choice.in_app}
    changed = {channel: value for channel, value in chosen.items() if value is not None}
    first = {**usual(choice.type)._asdict(), **changed}
    first.pop("type")
    Preference.objects.update_or_create(user_id=user_id, type=choice.type, defaults=changed, create_defaults=first)


@action
def issue_ticket(user_id: Any, session_key: str) -> str:
    """A ticket that opens one stream of the user, once, within a minute, for as long as that session lasts."""
    StreamTicket.objects.filter(user=user_id, expires_at__lt=now()).delete()
    ticket = secrets.token_urlsafe(32)
    expires_at = now() + timedelta(seconds=conf.TICKET_SECONDS)
    StreamTicket.objects.create(digest=_digest(ticket), user_id=user_id, session_key=session_key, expires_at=expires_at)
    return ticket


@action
def spend_ticket(ticket: str) -> StreamTicket:
    """The ticket's row, if it was good until now. Raises InvalidTicket."""
    mine = StreamTicket.objects.filter(digest=_digest(ticket))
    # One statement looks and marks: of two who come with the same ticket, one finds it unused.
    if not mine.filter(used_at=None, expires_at__gt=now()).update(used_at=now()):
        raise InvalidTicket
    return mine.get()


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode(errors="replace")).hexdigest()


@action
def forget(user_id: Any) -> None:
    """Delete all data about a user who is erased, except the position of their stream."""
    # Before what they are sent: an endpoint is locked before its deliveries, always.
    WebhookEndpoint.objects.of(user_id).erase()
    Notification.objects.of(user_id).delete()
    Preference.objects.filter(user=user_id).delete()
    StreamTicket.objects.filter(user=user_id).delete()


def export(user_id: Any) -> dict[str, list[Any]]:
    """All that is kept on a user, as plain data."""
    told = Notification.objects.of(user_id).order_by("created_at", "id")
    return {
        "notifications": exported(told, "id", "type", "title", "body", "data", "read_at", "created_at"),
        "notificationPreferences": [
            {"type": wish.type, "email": wish.email, "inApp": wish.in_app}
            for wish in Preference.objects.wishes_of(user_id)
        ],
        "webhooks": exported(
            WebhookEndpoint.objects.of(user_id).order_by("created_at", "id"),
            *("id", "url", "types", "is_active", "disabled_reason", "created_at", "updated_at"),
        ),
        "webhookDeliveries": exported(
            WebhookDelivery.objects.filter(endpoint__user=user_id).order_by("created_at", "id"),
            *("id", "endpoint_id", "notification_id", "status", "attempts", "response_status", "created_at"),
        ),
    }
