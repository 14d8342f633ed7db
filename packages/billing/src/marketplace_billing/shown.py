"""Payments from their rows straight to the answer; a test holds that the bytes are those of `schemas.Payment`."""

from typing import Any

from django.db.models import QuerySet

from marketplace_kit.columns import Columns
from marketplace_kit.compiled import Values
from marketplace_kit.pagination import Keyset, Pages

from . import schemas
from .models import Payment

NEWEST = Keyset("-created_at", "-id")
PAYMENT = Columns(schemas.Payment)


def _rows(role: str | None, values: Values) -> QuerySet[Payment]:
    return Payment.objects.of(values["user"], role).matching(values.get("status"), values.get("booking"))


PAGES = Pages(Payment, _rows, PAYMENT.names)


def page_of(user_id: Any, params: schemas.PaymentFilters) -> dict[str, Any]:
    """The page of the user's payments that `params` ask for, newest first. InvalidField at `query/cursor`."""
    values = {"user": user_id, "status": params.status, "booking": params.booking_id}
    return PAYMENT.paged(PAGES.page(params.role, values, params, NEWEST))
