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
from .addresses import NotAllowed, Unresolved, addresses_of, target_of
from .conf import conf
from .lifecycle import DeliveryStatus, DisabledReason


def _known(kind: str) -> str:
    if kind not in conf.TYPES:
        raise PydanticCustomError("unknown_type", "There is no such notification type")
    return kind


def _with_enum(schema: dict[str, Any]) -> None:
    schema["enum"] = list(conf.TYPES)


# The types are the project's: looked up when the document is made, not when this is imported.
Type = Annotated[str, Field(json_schema_extra=_with_enum)]
KnownType = Annotated[Type, AfterValidator(_known)]


class Notification(Out):
    """Something that happened and concerns you."""

    id: UUID = Field(description="The notification's id.")
    type: Type = Field(description="What kind of event it was.")
    title: str = Field(description="A one-line summary.")
    body: str = Field(description="The details in a few sentences.")
    data: dict[str, Any] = Field(
        description="The ids of what it is about.", examples=[{"bookingId": "0198c0de-0000-7000-8000-000000000001"}]
    )
    read_at: datetime | None = Field(description="When you marked it as read; null if unread.")
    created_at: datetime = Field(description="When it happened.")


def as_json(row: models.Notification) -> str:
    """A notification as the inbox shows it, on one line."""
    return to_json(Notification.model_validate(row)).decode()


class Filters(PageParams):
    """Which notifications to list."""

    unread: bool | None = Field(None, description="`true`: only unread ones; `false`: only read ones.")
    type: KnownType | None = Field(None, description="Only those of this type.")


class UnreadCount(Out):
    """The number of unread notifications."""

    count: int = Field(description="Unread notifications in the inbox.", examples=[3])


class StreamTicket(Out):
    """A single-use ticket that opens the stream as `?ticket=`."""

    ticket: str = Field(description="Works once.")
    expires_in: int = Field(description="Lifetime in seconds.", examples=[60])


class Preference(Out):
    """The channels of one notification type."""

    type: Type = Field(description="The notification type.")
    email: bool = Field(description="Whether to send an e-mail.")
    in_app: bool = Field(description="Whether to show it in the inbox and the stream.")


@partial
class Channels(In):
    """The channels of a type. Omitted channels stay unchanged."""

    email: Bool = Field(description="Whether to send an e-mail.")
    in_app: Bool = Field(description="Whether to show it in the inbox and the stream.")


class PreferenceChange(Channels):
    """The channels of one type. Omitted channels stay unchanged."""

    type: KnownType = Field(description="The notification type.")


class SetPreferences(In):
    """The types to change."""

    items: list[PreferenceChange] = Field(max_length=100, description="Each type once.")

    @classmethod
    @override
    def rules(cls, data: dict[str, Any]) -> Iterable[Wrong]:
        items = data.get("items")
        seen: list[Any] = []
        for number, item in enumerate(items[:100] if isinstance(items, list) else ()):
            kind = item.get("type") if isinstance(item, dict) else None
            if kind is not None and kind in seen:
                yield Wrong(("items", number, "type"), "duplicate_type", "This type is listed twice")
            seen.append(kind)


class Unsubscribe(Params):
    """The token of an e-mail's List-Unsubscribe header."""

    token: str = Field(max_length=1000, description="The token from the e-mail.")


# --- webhooks ---


def _may_be_called(url: str) -> str:
    """In the schema, because a host is looked up, and that is no business of a transaction."""
    try:
        addresses_of(target_of(url), conf.WEBHOOK_LOOKUP_TIMEOUT)
    except NotAllowed as refusal:
        raise PydanticCustomError(refusal.code, "{said}", {"said": refusal.detail}) from None
    except Unresolved:
        pass  # it may lead somewhere by the time that something is sent there; that is looked at then
    return url


WebhookUrl = Annotated[
    str,
    Field(max_length=2000, json_schema_extra={"format": "uri", "examples": ["https://hooks.example.com/marketplace"]}),
    AfterValidator(_may_be_called),
]
WebhookTypes = Annotated[list[KnownType], Field(min_length=1, max_length=100)]
URL = "Where to send: an `https` URL on the public internet, without user name or password."


class _WebhookIn(In):
    @classmethod
    @override
    def rules(cls, data: dict[str, Any]) -> Iterable[Wrong]:
        types = data.get("types")
        types = types[:100] if isinstance(types, list) else []
        for number, kind in enumerate(types):
            if kind in types[:number]:
                yield Wrong(("types", number), "duplicate_type", "This type is listed twice")


class CreateWebhook(_WebhookIn):
    """A new webhook."""

    url: WebhookUrl = Field(description=URL)
    types: WebhookTypes | None = Field(None, description="Which types to send. Default: all, including future ones.")


@partial
class ChangeWebhook(_WebhookIn):
    """Changes to a webhook. Omitted fields stay unchanged."""

    url: WebhookUrl = Field(description=URL)
    types: WebhookTypes = Field(description="Which types to send.")
    is_active: Bool = Field(description="`false` pauses it; `true` switches it on again, from now on.")


class Webhook(Out):
    """An endpoint of yours that receives your notifications."""

    id: UUID = Field(description="The webhook's id.")
    url: str = Field(description="Where notifications are sent.")
    types: list[Type] = Field(validation_alias="shown_types", description="Which types are sent.")
    is_active: bool = Field(description="Whether notifications are sent to it.")
    disabled_reason: DisabledReason | None = Field(
        description="Why sending stopped: `failing`: no success for days; `gone`: it answered 410. Otherwise null."
    )
    created_at: datetime = Field(description="When it was created.")
    updated_at: datetime = Field(description="When it was last changed.")


class WebhookWithSecret(Webhook):
    """A webhook with its signing secret, which is shown only once."""

    secret: str = Field(
        description="`whsec_` and 32 bytes in base64, ready for a Standard Webhooks library.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
    )


class DeliveryFilters(PageParams):
    """Which deliveries to list."""

    status: DeliveryStatus | None = Field(None, description="Only those with this status.")


class WebhookDelivery(Out):
    """The delivery of a notification to a webhook."""

    id: UUID = Field(description="The delivery's id.")
    notification_id: UUID = Field(description="The notification's id; sent as `webhook-id`.")
    type: Type = Field(description="The notification's type.")
    status: DeliveryStatus = Field(description="The current status. `failed`: given up.")
    attempts: int = Field(description="Number of attempts so far.", examples=[1])
    response_status: int | None = Field(
        description="HTTP status of the last answer; null if there was none.", examples=[200]
    )
    next_attempt_at: datetime | None = Field(description="When it is tried next; null if never.")
    created_at: datetime = Field(description="When it happened.")
