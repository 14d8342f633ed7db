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
URL = "Where to POST to: `https`, on the public internet, without user name and password."


class _WebhookIn(In):
    @classmethod
    @override
    def rules(cls, data: dict[str, Any]) -> Iterable[Wrong]:
        types = data.get("types")
        types = types[:100] if isinstance(types, list) else []
        for number, kind in enumerate(types):
            if kind in types[:number]:
                yield Wrong(("types", number), "duplicate_type", "This type stands here twice")


class CreateWebhook(_WebhookIn):
    """Where to tell you too."""

    url: WebhookUrl = Field(description=URL)
    types: WebhookTypes | None = Field(None, description="Of which types; left out: of all, and of those to come.")


@partial
class ChangeWebhook(_WebhookIn):
    """What is left out stays as it is."""

    url: WebhookUrl = Field(description=URL)
    types: WebhookTypes = Field(description="Of which types it is told.")
    is_active: Bool = Field(description="`false`: it is sent nothing; `true`: it is again, from now on.")


class Webhook(Out):
    """An endpoint of yours, which is sent what you are told."""

    id: UUID = Field(description="Names the endpoint.")
    url: str = Field(description="Where it is.")
    types: list[Type] = Field(validation_alias="shown_types", description="Of which types it is told.")
    is_active: bool = Field(description="Whether it is sent anything.")
    disabled_reason: DisabledReason | None = Field(
        description="Why we stopped: `failing`, nothing arrived for days; `gone`, it answered 410. Null: we did not."
    )
    created_at: datetime = Field(description="When it was made.")
    updated_at: datetime = Field(description="When it last changed.")


class WebhookWithSecret(Webhook):
    """The endpoint with what its webhooks are signed with, which is shown this once."""

    secret: str = Field(
        description="`whsec_` and 32 bytes in base64, for a library of Standard Webhooks.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
    )


class DeliveryFilters(PageParams):
    """Which deliveries."""

    status: DeliveryStatus | None = Field(None, description="Those of one status.")


class WebhookDelivery(Out):
    """A notification on its way to an endpoint."""

    id: UUID = Field(description="Names the delivery.")
    notification_id: UUID = Field(description="What is told; it goes out as `webhook-id`.")
    type: Type = Field(description="The type of the notification.")
    status: DeliveryStatus = Field(description="`failed`: given up.")
    attempts: int = Field(description="How often it was tried.", examples=[1])
    response_status: int | None = Field(
        description="What the last attempt was answered; null: nothing.", examples=[200]
    )
    next_attempt_at: datetime | None = Field(description="When it is tried next; null: no more.")
    created_at: datetime = Field(description="When it happened.")
