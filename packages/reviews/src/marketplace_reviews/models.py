"""Reviews, their constraints and their queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Count, Q

from marketplace_booking.models import Booking
from marketplace_catalog.models import Service
from marketplace_kit.clock import now
from marketplace_kit.ids import uuid7
from marketplace_kit.users import is_staff

LOWEST, HIGHEST = 1, 5


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each rating was given."""

    distribution: dict[str, int]  # from the lowest rating to the highest, as texts: they become names in JSON

    @classmethod
    def of(cls, rated: Iterable[tuple[int, int]]) -> Self:
        """From each rating and how often it was given; what is left out, never."""
        times = dict(rated)
        return cls({str(rating): times.get(rating, 0) for rating in range(LOWEST, HIGHEST + 1)})

    @property
    def count(self) -> int:
        return sum(self.distribution.values())

    @property
    def average(self) -> Decimal | None:
        """Rounded as the service's own; None while there are none."""
        if not self.count:
            return None
        points = sum(int(rating) * times for rating, times in self.distribution.items())
        return (Decimal(points) / self.count).quantize(Decimal("0.01"), ROUND_HALF_UP)


class ReviewQuerySet(models.QuerySet["Review"]):
    def shown(self) -> Self:
        """Those that are not hidden: what is hidden is there for nobody but staff, in the admin."""
        return self.filter(hidden_at=None)

    def of_service(self, service_id: UUID) -> Self:
        return self.filter(service=service_id)

    def written_by(self, user_id: Any) -> Self:
        """Those that the user wrote as a customer."""
        return self.filter(author=user_id)

    def answered_by(self, user_id: Any) -> Self:
        """Those that the user replied to as a provider."""
        return self.filter(booking__provider=user_id).exclude(reply=None)

    def visible_to(self, user: AbstractBaseUser) -> Self:
        """Both sides see a review, and so does whoever sees its service, and staff."""
        if is_staff(user):
            return self.shown()
        either_side = Q(author=user.pk) | Q(booking__provider=user.pk)
        return self.shown().filter(either_side | Q(service__in=Service.objects.visible_to(user)))

    def with_booking(self) -> Self:
        return self.select_related("booking__service")

    def by_rating(self) -> models.QuerySet["Review", tuple[int, int]]:
        """Each rating, and how often it was given."""
        return self.order_by().values_list("rating").annotate(times=Count("*"))


class Review(models.Model):
    """What the customer of a completed booking thought of it, and what its provider replied."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.OneToOneField(Booking, models.PROTECT, related_name="+")
    # The booking's own, for the list of a service.
    service = models.ForeignKey(Service, models.PROTECT, related_name="+", db_index=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    rating = models.PositiveSmallIntegerField()
    comment = models.TextField(max_length=2000, null=True)  # noqa: DJ001  (null: there is none, or none any more)
    reply = models.TextField(max_length=2000, null=True)  # noqa: DJ001  (null: there is none, or none any more)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)
    hidden_at = models.DateTimeField(null=True, editable=False)
    hidden_reason = models.TextField(  # noqa: DJ001  (null: it is shown)
        "hidden because",
        max_length=500,
        null=True,
        blank=True,
        help_text="With a reason nobody sees the review, and it does not count. Without one it is shown.",
    )

    objects = ReviewQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(rating__gte=LOWEST, rating__lte=HIGHEST), name="reviews_rating_in_range"
            ),
            models.CheckConstraint(
                condition=Q(hidden_at=None, hidden_reason=None)
                | Q(hidden_at__isnull=False, hidden_reason__isnull=False),
                name="reviews_hidden_for_a_reason",
            ),
        )
        indexes = (
            # Behind the order stands what is counted, so that the tally reads no row.
            models.Index(
                fields=("service", "-created_at", "-id", "rating"),
                name="reviews_of_service",
                condition=Q(hidden_at=None),
            ),
        )

    def __str__(self) -> str:
        return f"{self.rating} of {HIGHEST}, {self.created_at:%Y-%m-%d}"

    @property
    def is_hidden(self) -> bool:
        return self.hidden_at is not None
