"""What goes in and out of `/notifications`."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from marketplace_kit.pagination import PageParams
from marketplace_kit.renderer import to_json
from marketplace_kit.schemas import Bool, In, Out, Params

from . import models
from .conf import conf


def _known(type: str) -> str:
    if type not in conf.TYPES:
        raise PydanticCustomError("unknown_type", "There is no such type of notification")
    return type


def _with_enum(schema: dict[str, Any]) -> None:
    schema["enum"] = list(conf.TYPES)


# The types are the project's: looked up when the document is made, not when this is imported.
NAMES_TYPES: Callable[[dict[str, Any]], None] = _with_enum
Type = Annotated[str, Field(json_schema_extra=NAMES_TYPES)]
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


class PreferenceChange(In):
    """The channels of one type; a channel that is left out stays as it is."""

    type: KnownType = Field(description="The type of notification.")
    email: Bool = Field(None, description="By e-mail.")
    in_app: Bool = Field(None, description="In the inbox and the stream.")


class SetPreferences(In):
    """The types that change."""

    items: list[PreferenceChange] = Field(max_length=100, description="Each type once.")

    @field_validator("items")
    @classmethod
    def _each_once(cls, items: list[PreferenceChange]) -> list[PreferenceChange]:
        if len({item.type for item in items}) < len(items):
            raise PydanticCustomError("duplicate_type", "A type stands here twice")
        return items


class Unsubscribe(Params):
    """What an e-mail's List-Unsubscribe carries."""

    token: str = Field(max_length=1000, description="From the e-mail.")
