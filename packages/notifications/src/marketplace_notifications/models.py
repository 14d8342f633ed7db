"""What users were told, in which order, and how they want to be told."""

from typing import Any, NamedTuple, Self

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from marketplace_kit.clock import now
from marketplace_kit.ids import uuid7

from .conf import conf


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
        """The user's counter, made if need be, and his alone to move on until the transaction ends."""
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
        chosen = self.filter(user=user_id, type=kind).values_list("type", "email", "in_app").first()
        return Wish(*chosen) if chosen else usual(kind)

    def wishes_of(self, user_id: Any) -> list[Wish]:
        """The same for every type that there is, in the order of TYPES."""
        chosen = {row[0]: Wish(*row) for row in self.filter(user=user_id).values_list("type", "email", "in_app")}
        return [chosen.get(kind) or usual(kind) for kind in conf.TYPES]


class Preference(models.Model):
    """What a user chose for a type."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=100)
    email = models.BooleanField()
    in_app = models.BooleanField()

    objects = PreferenceQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "type"], name="notifications_one_preference")]
