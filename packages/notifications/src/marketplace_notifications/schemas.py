"""What goes in and out of `/notifications`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, override
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from marketplace_kit.pagination import PageParams
from marketplace_kit.renderer import to_json
from marketplace_kit.schemas import Bool, In, Out, Params, Wrong, partial

from . import models
from .conf import conf


def _known(kind: str) -> str:
    if kind not in conf.TYPES:
        raise PydanticCustomError("unknown_type", "There is no such type of notification")
    return kind


def _with_enum(schema: dict[str, Any]) -> None:
    schema["enum"] = list(conf.TYPES)


# The types are the project's: looked up when the document is made, not when this is imported.
Type = Annotated[str, Field(json_schema_extra=_with_enum)]
KnownType = Annotated[Type, AfterValidator(_known)]


class Notification(Out):
    """Something that you were told."""

    id: UUID = Field(description="Names the notification.")
    type: Type = Field(description="What kind of thing happened.")
    title: str = Field(description="It in one line.")
    body: str = Field(description="It in a few sentences.")
    data: dict[str, Any] = Field(
        description="What it is about, by its ids.", examples=[{"bookingId": "0198c0de-0000-7000-8000-000000000001"}]
    )
    read_at: datetime | None = Field(description="When you marked it as read; null: not yet.")
    created_at: datetime = Field(description="When it happened.")


def as_json(row: models.Notification) -> str:
    """A notification as the inbox shows it, on one line."""
    return to_json(Notification.model_validate(row)).decode()


class Filters(PageParams):
    """Which notifications."""

    unread: bool | None = Field(None, description="`true`: only unread ones; `false`: only read ones.")
    type: KnownType | None = Field(None, description="Only of this type.")


class UnreadCount(Out):
    """How many you have not read."""

    count: int = Field(description="Unread notifications in the inbox.", examples=[3])


class StreamTicket(Out):
    """What opens the stream once, in `?ticket=`, where no header can be sent."""

    ticket: str = Field(description="To be used once.")
    expires_in: int = Field(description="Seconds for which it may be used.", examples=[60])


class Preference(Out):
    """On which channels you are told of a type."""

    type: Type = Field(description="The type of notification.")
    email: bool = Field(description="By e-mail.")
    in_app: bool = Field(description="In the inbox and the stream.")


@partial
class Channels(In):
    """A channel that is left out stays as it is."""

    email: Bool = Field(description="By e-mail.")
    in_app: Bool = Field(description="In the inbox and the stream.")


class PreferenceChange(Channels):
    """The channels of one type; a channel that is left out stays as it is."""

    type: KnownType = Field(description="The type of notification.")


class SetPreferences(In):
    """The types that change."""

    items: list[PreferenceChange] = Field(max_length=100, description="Each type once.")

    @classmethod
    @override
    def rules(cls, data: dict[str, Any]) -> Iterable[Wrong]:
        items = data.get("items")
        seen: list[Any] = []
        for number, item in enumerate(items[:100] if isinstance(items, list) else ()):
            kind = item.get("type") if isinstance(item, dict) else None
            if kind is not None and kind in seen:
                yield Wrong(("items", number, "type"), "duplicate_type", "This type stands here twice")
            seen.append(kind)


class Unsubscribe(Params):
    """What an e-mail's List-Unsubscribe carries."""

    token: str = Field(max_length=1000, description="From the e-mail.")
