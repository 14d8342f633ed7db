"""Payments, refunds, payouts and the ledger: their constraints and their queries."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F, Q, Sum

from marketplace_booking.models import Booking
from marketplace_kit.clock import now
from marketplace_kit.ids import uuid7
from marketplace_kit.money import MAX_AMOUNT
from marketplace_kit.users import is_staff

from .lifecycle import (
    ACTIVE,
    OWNED,
    PAID,
    Account,
    PaymentStatus,
    PayoutStatus,
    PostingKind,
    RefundStatus,
    share_left,
)


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

    def unsettled(self, before: datetime) -> Self:
        """Those from before this moment of which it is not known what became of them."""
        return self.filter(status=PaymentStatus.PENDING, created_at__lte=before)

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
            models.Index(fields=("reference",), name="billing_payment_at_gateway"),
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

    def share_after(self, refunded: Decimal) -> Decimal:
        """What the provider has of it once so much is refunded."""
        return share_left(self.fee_amount, self.amount, refunded, self.currency)

    def count_refund(self, amount: Decimal) -> None:
        """A refund of `amount` has succeeded: in memory."""
        self.refunded_amount += amount
        whole = self.refunded_amount == self.amount
        self.status = PaymentStatus.REFUNDED if whole else PaymentStatus.PARTIALLY_REFUNDED


class RefundQuerySet(models.QuerySet["Refund"]):
    def unsettled(self, before: datetime) -> Self:
        """Those from before this moment of which it is not known what became of them."""
        return self.filter(status=RefundStatus.PENDING, created_at__lte=before)


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

    objects = RefundQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "id")
        constraints = (
            models.CheckConstraint(condition=Q(status__in=RefundStatus.values), name="billing_refund_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="billing_refund_is_positive"),
        )
        indexes = (
            models.Index(fields=("payment", "created_at", "id"), name="billing_refund_of_payment"),
            models.Index(
                fields=("created_at",), name="billing_refund_unsettled", condition=Q(status=RefundStatus.PENDING)
            ),
            models.Index(fields=("reference",), name="billing_refund_at_gateway"),
        )

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}, {self.status}"

    @property
    def currency(self) -> str:
        return self.payment.currency


class GatewayEvent(models.Model):
    """Something that the gateway told by itself, and that has counted."""

    gateway = models.CharField(max_length=40)
    event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=100)
    outcome = models.CharField(max_length=20)
    received_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("gateway", "event_id"), name="billing_event_counts_once"),)
        indexes = (models.Index(fields=("key",), name="billing_event_about"),)

    def __str__(self) -> str:
        return f"{self.event_id}: {self.kind} {self.outcome}"


class Payout(models.Model):
    """A provider's available balance, sent to them. Never changed: a trigger refuses it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    amount = models.DecimalField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=20, choices=PayoutStatus.choices, default=PayoutStatus.PAID)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(status__in=PayoutStatus.values), name="billing_payout_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="billing_payout_is_positive"),
        )
        indexes = (models.Index(fields=("provider", "-created_at", "-id"), name="billing_payout_of_provider"),)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


# --- the ledger ---


class Posting(models.Model):
    """One thing that happened to money: its entries sum to zero. Only ever added: triggers see to both."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20, choices=PostingKind.choices)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="postings")
    refund = models.OneToOneField(Refund, models.PROTECT, null=True, related_name="posting")
    payout = models.OneToOneField(Payout, models.PROTECT, null=True, related_name="posting")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "payment", condition=Q(kind=PostingKind.PAYMENT), name="billing_payment_is_posted_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=(PostingKind.PAYMENT, PostingKind.RELEASE),
                    payment__isnull=False,
                    refund=None,
                    payout=None,
                )
                | Q(kind=PostingKind.REFUND, payment__isnull=False, refund__isnull=False, payout=None)
                | Q(kind=PostingKind.PAYOUT, payment=None, refund=None, payout__isnull=False),
                name="billing_posting_says_of_what",
            ),
        )
        indexes = (models.Index(fields=("created_at",), name="billing_posting_by_time"),)

    def __str__(self) -> str:
        return str(self.kind)


class EntryQuerySet(models.QuerySet["Entry"]):
    def credit(self) -> Decimal:
        """What is owed on these, in sum."""
        return -(self.aggregate(sum=Sum("amount"))["sum"] or Decimal(0))

    def available_to(self, owner_id: Any, currency: str) -> Self:
        return self.filter(owner=owner_id, currency=currency, account=Account.PROVIDER_AVAILABLE)

    def pending_of(self, payment: Payment) -> Self:
        return self.filter(posting__payment=payment, account=Account.PROVIDER_PENDING)


class Entry(models.Model):
    """A line of a posting: an amount on an account, debits positive."""

    posting = models.ForeignKey(Posting, models.PROTECT, related_name="entries")
    account = models.CharField(max_length=20, choices=Account.choices)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    amount = models.DecimalField()

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "entries"
        constraints = (
            models.CheckConstraint(condition=Q(account__in=Account.values), name="billing_entry_account_known"),
            models.CheckConstraint(condition=~Q(amount=0), name="billing_entry_says_something"),
            models.CheckConstraint(
                condition=Q(account__in=OWNED, owner__isnull=False) | (~Q(account__in=OWNED) & Q(owner=None)),
                name="billing_entry_has_its_owner",
            ),
        )
        indexes = (
            models.Index(
                fields=("owner", "currency", "account"),
                include=("amount",),
                name="billing_entry_balance",
                condition=Q(owner__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.account}: {self.amount} {self.currency}"
