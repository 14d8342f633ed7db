"""The other side's books, to look at: what the mock gateway was asked for, and what became of it."""

from django.contrib import admin

from marketplace_kit.admin_pages import ReadOnly, one_of

from ..protocol import Outcome
from .models import MockCharge, MockRefund
from .outcomes import CHARGES

OUTCOME = one_of("outcome", lambda: tuple(Outcome))


@admin.register(MockCharge)
class MockChargeAdmin(ReadOnly):
    list_display = ("key", "outcome", "amount", "currency", "method", "failure_code", "created_at", "settled_at")
    list_filter = (OUTCOME, one_of("method", lambda: tuple(CHARGES)))
    search_fields = ("key__exact",)
    search_help_text = "The key of a payment."


@admin.register(MockRefund)
class MockRefundAdmin(ReadOnly):
    list_display = ("key", "outcome", "amount", "currency", "charge", "failure_code", "created_at", "settled_at")
    list_filter = (OUTCOME,)
    search_fields = ("key__exact", "charge__exact")
    search_help_text = "The key of a refund; the reference of a charge."
