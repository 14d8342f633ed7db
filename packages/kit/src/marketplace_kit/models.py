"""Kit's only table: the answers stored under clients' idempotency keys."""

from datetime import timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.http import HttpResponse

from .clock import now
from .ids import uuid7

KEPT_FOR = timedelta(hours=24)


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def of(self, user_id: Any) -> Self:
        return self.filter(user=str(user_id))

    def under(self, asked: "IdempotencyKey") -> Self:
        """The one stored under the same key."""
        return self.filter(user=asked.user, method=asked.method, path=asked.path, key=asked.key)

    def expired(self) -> Self:
        """Those that have expired."""
        return self.filter(created_at__lte=now() - KEPT_FOR)


class IdempotencyKey(models.Model):
    """A key that a client chose, what it was sent with, and the answer to tell again.

    In the form of two steps it is there before the answer: leased to the request that is working on it.
    """

    user = models.TextField()  # the user's key as text: its kind is the host's
    method = models.CharField(max_length=10)
    path = models.TextField()
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    # The id of the resource to create, chosen beforehand: a retry finds by it what exists already.
    resource_id = models.UUIDField(default=uuid7)
    leased_until = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(default=now, editable=False)

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("user", "method", "path", "key"), name="kit_idempotency_key_once"),
            models.CheckConstraint(
                condition=Q(status__isnull=False) | Q(leased_until__isnull=False),
                name="kit_idempotency_key_answered_or_leased",
            ),
        )
        indexes = (models.Index(fields=("created_at",), name="kit_idempotency_key_oldest"),)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_expired(self) -> bool:
        return self.created_at <= now() - KEPT_FOR

    @property
    def is_answered(self) -> bool:
        return self.status is not None

    @property
    def is_leased(self) -> bool:
        return self.leased_until is not None and self.leased_until > now()

    def take_down(self, response: HttpResponse) -> None:
        """Note the answer, in memory."""
        self.status, self.body, self.headers = response.status_code, response.content, dict(response.items())

    def replayed(self) -> HttpResponse:
        """The stored answer, marked as a replay."""
        headers = {**self.headers, "Idempotent-Replayed": "true"}
        return HttpResponse(bytes(self.body), status=self.status, headers=headers)
