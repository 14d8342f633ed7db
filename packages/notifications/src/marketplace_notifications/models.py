"""What users were told, in which order, and how they want to be told."""

from datetime import timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from marketplace_kit.clock import now
from marketplace_kit.compiled import Compiled, Sql, Values
from marketplace_kit.ids import uuid7

from .conf import conf
from .lifecycle import DeliveryStatus, DisabledReason


class NotificationQuerySet(models.QuerySet["Notification"]):
    def of(self, user_id: Any) -> Self:
        return self.filter(user=user_id)

    def inbox_of(self, user_id: Any) -> Self:
        return self.of(user_id).filter(in_app=True)

    def matching(self, unread: bool | None, kind: str | None) -> Self:
        rows = self if unread is None else self.filter(read_at__isnull=unread)
        return rows if kind is None else rows.filter(type=kind)

    def unread(self) -> Self:
        return self.filter(read_at=None)

    def unnumbered_of(self, user_id: Any) -> Self:
        """What waits for its place in the stream, in the order in which it is to get one."""
        return self.inbox_of(user_id).filter(position=None).order_by("created_at", "id")

    def published_to(self, user_id: Any, after: int) -> Self:
        """The user's stream behind the position `after`, in its order."""
        return self.inbox_of(user_id).filter(position__gt=after).order_by("position")


class Notification(models.Model):
    """Something that a user is told, kept as it was worded then."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The first index below begins with the user.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=100)
    title = models.CharField(max_length=200)
    body = models.TextField()
    # What it is about, for programs; and the plain facts from which the mail is made.
    data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    context = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    in_app = models.BooleanField()
    # Its place in the user's stream: null until it is published, for ever if it is not `in_app`.
    position = models.PositiveBigIntegerField(null=True, editable=False)
    read_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True, editable=False)  # null also where no mail is wanted
    created_at = models.DateTimeField(default=now, editable=False)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user", "-created_at", "-id"], name="notifications_inbox"),
            models.Index(
                fields=["user", "-created_at", "-id"],
                condition=Q(in_app=True, read_at=None),
                name="notifications_unread",
            ),
            models.Index(
                fields=["user", "created_at", "id"],
                condition=Q(in_app=True, position=None),
                name="notifications_unnumbered",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "position"], condition=Q(position__isnull=False), name="notifications_one_per_position"
            ),
            models.CheckConstraint(
                condition=Q(position=None) | Q(position__gte=1, in_app=True), name="notifications_position_in_app"
            ),
        ]


class StreamCounterQuerySet(models.QuerySet["StreamCounter"]):
    def locked(self, user_id: Any) -> "StreamCounter":
        """The user's counter, created if necessary, and locked until the transaction ends."""
        self.bulk_create([StreamCounter(user_id=user_id)], ignore_conflicts=True)
        return self.select_for_update().get(user=user_id)

    def last_of(self, user_id: Any) -> int:
        """The position of the user's newest published notification; 0 before the first."""
        return self.filter(user=user_id).values_list("last", flat=True).first() or 0


class StreamCounter(models.Model):
    """How far a user's stream has come. Its row lock makes the numbers dense and their order that of the commits."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", primary_key=True)
    last = models.PositiveBigIntegerField(default=0)

    objects = StreamCounterQuerySet.as_manager()


class StreamTicket(models.Model):
    """Lets a page open one stream without a header: an EventSource can send none."""

    digest = models.CharField(primary_key=True, max_length=64)  # SHA-256 of the ticket, in hexadecimal
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    session_key = models.CharField(max_length=255)  # of whoever asked: the stream ends with that session
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class Wish(NamedTuple):
    """On which channels somebody is told of a type."""

    type: str
    email: bool
    in_app: bool


def usual(kind: str) -> Wish:
    """What holds for whoever chose nothing. ValueError for a type that TYPES lacks."""
    try:
        channels = conf.TYPES[kind]
    except KeyError:
        raise ValueError(f"NOTIFICATIONS['TYPES'] lacks {kind!r}.") from None
    return Wish(kind, channels["email"], channels["in_app"])


class PreferenceQuerySet(models.QuerySet["Preference"]):
    def wish_of(self, user_id: Any, kind: str) -> Wish:
        """On which channels the user is told of a type. ValueError for a type that TYPES lacks."""
        for chosen in CHOSEN.rows(None, {"user": _user_key(user_id), "type": kind}):
            return Wish(*chosen)
        return usual(kind)

    def wishes_of(self, user_id: Any) -> list[Wish]:
        """The same for every type that there is, in the order of TYPES."""
        chosen = {row[0]: Wish(*row) for row in self.filter(user=user_id).values_list("type", "email", "in_app")}
        return [chosen.get(kind) or usual(kind) for kind in conf.TYPES]


def _chosen(how: None, values: Values) -> models.QuerySet[Any, Any]:
    return Preference.objects.filter(user=values["user"], type=values["type"]).values_list("type", "email", "in_app")


CHOSEN = Compiled(_chosen, prepared=True)


def _user_key(given: Any) -> Any:
    """The key of a user in its own type, which compiled queries want."""
    return get_user_model()._meta.pk.to_python(given)


class Preference(models.Model):
    """What a user chose for a type."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=100)
    email = models.BooleanField()
    in_app = models.BooleanField()

    objects = PreferenceQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "type"], name="notifications_one_preference")]


# --- webhooks ---

OVERDUE_AFTER = timedelta(minutes=5)


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def of(self, user_id: Any) -> Self:
        return self.filter(user=user_id)

    def listening(self, user_id: Any, kind: str) -> Self:
        """The user's endpoints that are sent this type."""
        wanted = Q(types__isnull=True) | Q(types__has_key=kind)
        return self.of(user_id).filter(wanted, is_active=True)

    def erase(self) -> None:
        """Delete them. Locked first: what is being written for them is there before it is looked for."""
        locked = list(self.select_for_update().order_by("pk"))
        self.model._default_manager.filter(pk__in=[endpoint.pk for endpoint in locked]).delete()

    def locked_for(self, delivery_id: Any) -> "WebhookEndpoint | None":
        """The endpoint of a delivery, locked before the delivery: always in this order."""
        return self.select_for_update(of=("self",), no_key=True).filter(deliveries=delivery_id).first()


class Ways(NamedTuple):
    """How a user is notified of a type: on which channels, and at which of their endpoints (keys)."""

    wish: Wish
    endpoints: list[UUID]


def ways_of(user_id: Any, kind: str) -> Ways:
    """How the user is told of a type, now; the endpoints are there until the transaction ends. ValueError for a type
    that TYPES lacks.

    A KEY SHARE lock, which Django has no word for: only a deletion waits for us, or we for it. Any other lock
    would make those wait for each other who tell the same people, and a delivery written to what is deleted meanwhile
    would undo all that is told of.
    """
    wish, endpoints = None, []
    for email, in_app, endpoint in WAYS.rows(None, {"user": _user_key(user_id), "type": kind}):
        if endpoint is None:
            wish = Wish(kind, email, in_app)
        else:
            endpoints.append(endpoint)
    return Ways(wish or usual(kind), endpoints)


def _ways(how: None, values: Values) -> Sql:
    """A row of (email, in_app, null) where something was chosen, and of (null, null, key) for each endpoint."""
    endpoints = WebhookEndpoint.objects.listening(values["user"], values["type"]).order_by("pk").values_list("pk")
    listening = Sql.of(endpoints).then("FOR KEY SHARE").select("NULL::boolean, NULL::boolean, pk")
    return Sql.of(_chosen(how, values)).select("email, in_app, NULL::uuid").plus(listening)


WAYS = Compiled(_ways, prepared=True)


class WebhookEndpoint(models.Model):
    """A URL at which a user wants to be told, too."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    url = models.CharField(max_length=2000)
    types = models.JSONField(null=True)  # a list; null: every type, and those to come
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=20, choices=DisabledReason.choices, null=True)  # noqa: DJ001  (null: it was not)
    # When the first attempt failed of all those since the last that came through.
    failing_since = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)

    # What was made for it just now, in memory only: its owner reads it this once.
    secret: str

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(disabled_reason=None) | Q(is_active=False, disabled_reason__in=DisabledReason.values),
                name="notifications_webhook_disabled",
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def shown_types(self) -> list[str]:
        return list(conf.TYPES if self.types is None else self.types)


class WebhookSecretQuerySet(models.QuerySet["WebhookSecret"]):
    def signing(self) -> Self:
        """Those that sign now, the current one first."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now())).order_by("-pk")


class WebhookSecret(models.Model):
    """What an endpoint's webhooks are signed with. In a table of its own, which nothing reads but the signing."""

    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="secrets")
    secret = models.CharField(max_length=100)
    ends_at = models.DateTimeField(null=True)  # null: the current one

    objects = WebhookSecretQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"], condition=Q(ends_at=None), name="notifications_one_current_secret"
            ),
        ]


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def shown(self) -> Self:
        return self.select_related("notification").only(
            *("id", "endpoint", "notification__type", "status", "attempts", "response_status"),
            *("next_attempt_at", "leased_until", "created_at"),
        )

    def due(self) -> Self:
        """Those that should be on their way by now, and are not."""
        return self.filter(status=DeliveryStatus.PENDING, next_attempt_at__lte=now(), leased_until=None)

    def in_flight(self) -> Self:
        return self.filter(leased_until__gt=now())

    def abandoned(self) -> Self:
        """Those whose worker never said what became of them."""
        return self.filter(leased_until__lte=now())

    def overdue(self) -> Self:
        """Those that nobody seems to come for."""
        return self.filter(status=DeliveryStatus.PENDING, next_attempt_at__lte=now() - OVERDUE_AFTER, leased_until=None)

    def old(self) -> Self:
        """Those that are done, and out of the log's time."""
        before = now() - timedelta(days=conf.WEBHOOK_LOG_DAYS)
        return self.filter(created_at__lt=before).exclude(status=DeliveryStatus.PENDING)

    def give_up(self) -> int:
        return self.update(status=DeliveryStatus.FAILED, next_attempt_at=None)


class WebhookDelivery(models.Model):
    """A notification on its way to an endpoint."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The indexes below begin with the endpoint.
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries", db_index=False)
    notification = models.ForeignKey(Notification, models.CASCADE, related_name="+")
    status = models.CharField(max_length=20, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    # Begun, that is: an attempt counts before it is made, so that one that kills its worker counts too.
    attempts = models.PositiveIntegerField(default=0)
    response_status = models.PositiveSmallIntegerField(null=True)
    fault = models.CharField(max_length=40, blank=True)  # what stood in the last attempt's way, where nobody answered
    next_attempt_at = models.DateTimeField(null=True, default=now)
    # Until then the attempt is under way, and nobody makes another.
    leased_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(fields=["endpoint", "-created_at", "-id"], name="notifications_webhook_log"),
            models.Index(
                fields=["endpoint", "next_attempt_at", "id"],
                condition=Q(status="pending"),
                name="notifications_webhook_waiting",
            ),
            models.Index(
                fields=["leased_until"], condition=Q(leased_until__isnull=False), name="notifications_webhook_leased"
            ),
            models.Index(fields=["created_at"], name="notifications_webhook_oldest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "notification"], name="notifications_webhook_once"),
            models.CheckConstraint(
                condition=Q(status="pending", next_attempt_at__isnull=False)
                | Q(status__in=["succeeded", "failed"], next_attempt_at=None, leased_until=None),
                name="notifications_webhook_waits_while_pending",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def type(self) -> str:
        return self.notification.type
