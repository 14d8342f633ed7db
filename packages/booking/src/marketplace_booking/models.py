"""Bookings and their history, their constraints and their queries."""

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F, Q

from marketplace_catalog.models import Service
from marketplace_kit.clock import now
from marketplace_kit.ids import uuid7
from marketplace_kit.money import MAX_AMOUNT
from marketplace_kit.users import is_staff
from marketplace_scheduling.models import Reservation

from .exceptions import InvalidTransition
from .lifecycle import BookingStatus, Event, Move, Party

REMINDER = timedelta(hours=24)  # how long before its start the customer is reminded


class BookingQuerySet(models.QuerySet["Booking"]):
    def of(self, user_id: Any, party: Party | None = None) -> Self:
        """Those in which the user is the customer, the provider, or (no `party`) either."""
        if party is None:
            return self.filter(Q(customer=user_id) | Q(provider=user_id))
        return self.filter(**{party.value: user_id})

    def visible_to(self, user: AbstractBaseUser) -> Self:
        """Both sides see a booking, and so does staff; nobody else knows that it is there."""
        return self.visible(user.pk, to_staff=is_staff(user))

    def visible(self, user_id: Any, *, to_staff: bool) -> Self:
        """The same, of the user's key."""
        return self if to_staff else self.of(user_id)

    def open(self) -> Self:
        """Those that are still to come about."""
        return self.filter(status__in=(BookingStatus.PENDING, BookingStatus.CONFIRMED))

    def matching(
        self, statuses: list[str] | None, service_id: UUID | None, start: datetime | None, end: datetime | None
    ) -> Self:
        """Those of one of these statuses, of one service, scheduled from `start` until before `end`."""
        bounds = {
            "status__any_of": statuses,
            "service": service_id,
            "scheduled_at__gte": start,
            "scheduled_at__lt": end,
        }
        return self.filter(**{name: value for name, value in bounds.items() if value is not None})

    def lapsed(self) -> Self:
        """Pending ones whose start has come: nobody confirmed them in time."""
        return self.filter(status=BookingStatus.PENDING, scheduled_at__lte=now())

    def to_be_reminded_of(self) -> Self:
        """Confirmed ones that start within a day, were agreed on before that day, and have not been told of."""
        soon = now() + REMINDER
        return self.filter(
            status=BookingStatus.CONFIRMED,
            reminded_at=None,
            scheduled_at__gt=now(),
            scheduled_at__lte=soon,
            agreed_at__lte=F("scheduled_at") - REMINDER,
        )

    def with_details(self) -> Self:
        return self.select_related("service")


class Booking(models.Model):
    """What a customer and a provider agreed: the terms as they were when it was booked."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    provider = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    service = models.ForeignKey(Service, models.PROTECT, related_name="+")
    # Gone once the booking is cancelled: the time is free again.
    reservation = models.OneToOneField(Reservation, models.SET_NULL, null=True, related_name="+")
    status = models.CharField(max_length=20, choices=BookingStatus.choices)
    scheduled_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    timezone = models.CharField(max_length=64)
    duration = models.PositiveSmallIntegerField()
    buffer_before = models.PositiveSmallIntegerField()
    buffer_after = models.PositiveSmallIntegerField()
    total_amount = models.DecimalField()
    currency = models.CharField(max_length=3)
    cancellation_policy = models.CharField(max_length=20)
    notes = models.TextField(max_length=2000, blank=True)
    cancelled_by = models.CharField(max_length=20, choices=Party.choices, null=True)  # noqa: DJ001  (null is "not cancelled")
    cancellation_reason = models.TextField(max_length=500, null=True)  # noqa: DJ001  (null is "none given")
    # When its present time was agreed on: when it was made, or last rescheduled.
    agreed_at = models.DateTimeField(default=now, editable=False)
    reminded_at = models.DateTimeField(null=True, editable=False)
    # The shortest time before its start at which its customer moved it: no later refund is better than what
    # cancelling would have given then.
    moved_with_notice = models.DurationField(null=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)

    objects = BookingQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(status__in=BookingStatus.values), name="booking_status_known"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("scheduled_at")), name="booking_lasts"),
            models.CheckConstraint(condition=~Q(customer=F("provider")), name="booking_has_two_sides"),
            models.CheckConstraint(
                condition=Q(total_amount__gte=0, total_amount__lte=MAX_AMOUNT), name="booking_amount_in_range"
            ),
            models.CheckConstraint(
                condition=Q(status=BookingStatus.CANCELLED, cancelled_by__isnull=False, reservation__isnull=True)
                | Q(
                    status__in=(BookingStatus.PENDING, BookingStatus.CONFIRMED),
                    cancelled_by=None,
                    reservation__isnull=False,
                )
                | Q(status=BookingStatus.COMPLETED, cancelled_by=None),
                name="booking_holds_its_time_until_cancelled",
            ),
        )
        indexes = (
            models.Index(fields=("customer", "-created_at", "-id"), name="booking_of_customer"),
            models.Index(fields=("provider", "-created_at", "-id"), name="booking_of_provider"),
            models.Index(fields=("customer", "scheduled_at", "id"), name="booking_agenda_of_customer"),
            models.Index(fields=("provider", "scheduled_at", "id"), name="booking_agenda_of_provider"),
            # For those who see all of them: staff's lists, and what is counted by day.
            models.Index(fields=("-created_at", "-id"), name="booking_newest"),
            models.Index(fields=("scheduled_at",), name="booking_pending", condition=Q(status=BookingStatus.PENDING)),
            models.Index(
                fields=("scheduled_at",),
                name="booking_unreminded",
                condition=Q(status=BookingStatus.CONFIRMED, reminded_at=None),
            ),
        )

    def __str__(self) -> str:
        return f"{self.scheduled_at:%Y-%m-%d %H:%M}Z, {self.status}"

    @property
    def held_time(self) -> UUID:
        """The reservation of a booking that is open: a constraint says that it has one."""
        assert self.reservation_id is not None
        return self.reservation_id

    @property
    def has_started(self) -> bool:
        return now() >= self.scheduled_at

    @property
    def notice(self) -> timedelta:
        """How long before its start it is now, as far as refunds are concerned."""
        left = self.scheduled_at - now()
        return left if self.moved_with_notice is None else min(left, self.moved_with_notice)

    @property
    def is_cancelled(self) -> bool:
        return self.status == BookingStatus.CANCELLED

    @property
    def is_payable(self) -> bool:
        """Whether there is something to pay: neither free nor cancelled, nor left unconfirmed past its start."""
        lapsed = self.status == BookingStatus.PENDING and self.has_started
        return self.total_amount > 0 and not self.is_cancelled and not lapsed

    def party_of(self, user: AbstractBaseUser) -> Party:
        """Which side the user, who can see this booking, is on."""
        if self.customer_id == user.pk:
            return Party.CUSTOMER
        return Party.PROVIDER if self.provider_id == user.pk else Party.STAFF

    def move_to(self, move: Move) -> BookingStatus:
        """Make the move in memory, and return the status that was. InvalidTransition."""
        before = BookingStatus(self.status)
        if before not in move.sources:
            raise InvalidTransition(f"A {before} booking can't be {move.event}.")
        self.status = move.target
        self.updated_at = now()
        return before


class HistoryEntry(models.Model):
    """One thing that happened to a booking. Rows are added, never changed: a trigger refuses it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.ForeignKey(Booking, models.PROTECT, related_name="history", db_index=False)
    action = models.CharField(max_length=20, choices=Event.choices)
    from_status = models.CharField(max_length=20, choices=BookingStatus.choices, null=True)  # noqa: DJ001  (null: there was none)
    to_status = models.CharField(max_length=20, choices=BookingStatus.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.TextField(max_length=500, null=True)  # noqa: DJ001  (null is "none given")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("created_at", "id")
        verbose_name_plural = "history entries"
        constraints = (
            models.CheckConstraint(condition=Q(action__in=Event.values), name="booking_history_action_known"),
            models.CheckConstraint(
                condition=Q(to_status__in=BookingStatus.values), name="booking_history_status_known"
            ),
        )
        indexes = (models.Index(fields=("booking", "created_at", "id"), name="booking_history_oldest_first"),)

    def __str__(self) -> str:
        return str(self.action)
