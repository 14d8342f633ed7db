"""What django-eventstream reads: the events of a channel are a user's published notifications."""

from dataclasses import dataclass
from typing import Any, NoReturn, override

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django_eventstream.channelmanager import ChannelManagerBase
from django_eventstream.event import Event
from django_eventstream.storage import EventDoesNotExist, StorageBase

from . import event_ids, schemas
from .models import Notification, StreamCounter

UNKNOWN = -1  # the position of an id that nobody can resume from


def channel_of(user_id: Any) -> str:
    """The one channel that a user may read."""
    return f"user-{user_id}"


def user_of(channel: str) -> Any:
    """The key of the user whose channel it is."""
    return get_user_model()._meta.pk.to_python(channel.removeprefix("user-"))


@dataclass
class StoredEvent(Event):
    """An event with its opaque id beside its position."""

    data: Any
    token: str = ""


class NotificationStorage(StorageBase):
    """Events out of our own table. They get there by `notify` and `publish`, in this order and no other way."""

    @override
    def append_event(self, channel: str, event_type: str, data: Any) -> NoReturn:
        raise NotImplementedError("Call marketplace_notifications.actions.notify().")

    @override
    def get_events(self, channel: str, last_id: int, limit: int = 100) -> list[StoredEvent]:
        """At most `limit` events behind `last_id`. EventDoesNotExist where there never was such a position."""
        user_id = user_of(channel)
        rows = Notification.objects.published_to(user_id, after=last_id).defer("context")[:limit]
        events = [] if last_id == UNKNOWN else [_event(channel, row) for row in rows]
        current = last_id if events else self.get_current_id(channel)
        if not 0 <= last_id <= current:
            raise EventDoesNotExist(f"There is no event {last_id}", current)
        return events

    @override
    def get_current_id(self, channel: str) -> int:
        return StreamCounter.objects.last_of(user_of(channel))


def _event(channel: str, row: Notification) -> StoredEvent:
    assert row.position is not None
    token = event_ids.encode(row.user_id, row.position, row.created_at)
    return StoredEvent(channel, row.type, schemas.as_json(row), id=row.position, token=token)


class OwnChannel(ChannelManagerBase):
    """Users can read only their own channel. The library's manager lets anyone read anything."""

    @override
    def get_channels_for_request(self, request: HttpRequest, view_kwargs: dict[str, Any]) -> set[str]:
        return {channel_of(request.user.pk)}

    @override
    def can_read_channel(self, user: AbstractBaseUser | None, channel: str) -> bool:
        return user is not None and channel == channel_of(user.pk)

    @override
    def is_channel_reliable(self, channel: str) -> bool:
        return True
