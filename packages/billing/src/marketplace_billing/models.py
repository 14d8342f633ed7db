"""Payments and refunds, their constraints and their queries."""

from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F, Q

from marketplace_booking.models import Booking
from marketplace_kit.clock import now
from marketplace_kit.ids import uuid7
from marketplace_kit.money import MAX_AMOUNT
from marketplace_kit.users import is_staff

from .lifecycle import ACTIVE, PAID, PaymentStatus, RefundStatus


class PaymentQuerySet(models.QuerySet["Payment"]):
    def of(self, user_id: Any, role: str | None = None) -> Self:
        """Those in which the user is the customer, the provider, or (no `role`) either."""
        if role is None:
            return self.filter(Q(customer=user_id) | Q(provider=user_id))
        return self.filter(**{role: user_id})

    def visible_to(self, user: AbstractBaseUser) -> Self:
        return self if is_staff(user) else self.of(user.pk)

    def active(self) -> Self:
        """Those that stand in the way of another payment of their booking."""
        return self.filter(status__in=ACTIVE)

    def matching(self, status: PaymentStatus | None, booking_id: UUID | None) -> Self:
        bounds = {"status": status, "booking": booking_id}
        return self.filter(**{name: value for name, value in bounds.items() if value is not None})


class Payment(models.Model):
    """One try to be paid for a booking, and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.ForeignKey(Booking, models.PROTECT, related_name="+")
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    provider = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    amount = models.DecimalField()
    currency = models.CharField(max_length=3)
    fee_amount = models.DecimalField()
    status = models.CharField(max_length=20, choices=PaymentStatus.choices, default=PaymentStatus.PENDING)
    payment_method = models.CharField(max_length=40)
    reference = models.CharField(max_length=100, blank=True)
    failure_code = models.CharField(max_length=40, null=True)  # noqa: DJ001  (null: it did not fail)
    # Refunds that are pending or succeeded: what of the money is spoken for. And those that succeeded.
    claimed_amount = models.DecimalField(default=Decimal(0))
    refunded_amount = models.DecimalField(default=Decimal(0))
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint("booking", condition=Q(status__in=ACTIVE), name="billing_one_active_payment"),
            models.CheckConstraint(condition=Q(status__in=PaymentStatus.values), name="billing_payment_status_known"),
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=MAX_AMOUNT), name="billing_payment_amount_in_range"
            ),
            models.CheckConstraint(
                condition=Q(fee_amount__gte=0, fee_amount__lte=F("amount")), name="billing_fee_within_amount"
            ),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0)
                & Q(refunded_amount__lte=F("claimed_amount"))
                & Q(claimed_amount__lte=F("amount")),
                name="billing_refunds_within_payment",
            ),
        )
        indexes = (
            models.Index(fields=("customer", "-created_at", "-id"), name="billing_payment_of_customer"),
            models.Index(fields=("provider", "-created_at", "-id"), name="billing_payment_of_provider"),
            models.Index(fields=("created_at",), name="billing_payment_unsettled", condition=Q(status="pending")),
        )

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}, {self.status}"

    @property
    def is_paid(self) -> bool:
        return self.status in PAID

    @property
    def left(self) -> Decimal:
        """What can still be given back."""
        return self.amount - self.claimed_amount

    def count_refund(self, amount: Decimal) -> None:
        """A refund of `amount` has succeeded: in memory."""
        self.refunded_amount += amount
        whole = self.refunded_amount == self.amount
        self.status = PaymentStatus.REFUNDED if whole else PaymentStatus.PARTIALLY_REFUNDED


class Refund(models.Model):
    """Money given back of a payment."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", db_index=False)
    amount = models.DecimalField()
    status = models.CharField(max_length=20, choices=RefundStatus.choices, default=RefundStatus.PENDING)
    reason = models.TextField(max_length=500, null=True)  # noqa: DJ001  (null is "none given")
    reference = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("created_at", "id")
        constraints = (
            models.CheckConstraint(condition=Q(status__in=RefundStatus.values), name="billing_refund_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="billing_refund_is_positive"),
        )
        indexes = (models.Index(fields=("payment", "created_at", "id"), name="billing_refund_of_payment"),)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}, {self.status}"

    @property
    def currency(self) -> str:
        return self.payment.currency
