"""The books of the mock gateway: a row per key, so that the same call twice is one charge."""

from typing import Self

from django.db import models
from django.db.models.functions import Coalesce

from marketplace_kit.clock import now

from ..protocol import Outcome, Result


class BookQuerySet[M: "Book"](models.QuerySet[M]):
    def settle(self, key: str) -> None:
        """Bring what is pending under this key to its end, once."""
        pending = self.filter(pk=key, outcome=Outcome.PENDING)
        pending.update(outcome=models.F("in_the_end"), settled_at=now())

    def settle_as(self, key: str, outcome: Outcome) -> None:
        """The same, but to this end."""
        pending = self.filter(pk=key, outcome=Outcome.PENDING)
        code = Coalesce("failure_code", models.Value("card_declined")) if outcome is Outcome.FAILED else None
        pending.update(outcome=outcome, in_the_end=outcome, failure_code=code, settled_at=now())

    def moved(self) -> Self:
        """Those whose money moved."""
        return self.filter(outcome=Outcome.SUCCEEDED)


class Book(models.Model):
    """What was asked for under a key, and what became of it."""

    key = models.CharField(max_length=100, primary_key=True)
    amount = models.DecimalField()
    currency = models.CharField(max_length=3)
    outcome = models.CharField(max_length=20)
    in_the_end = models.CharField(max_length=20)
    failure_code = models.CharField(max_length=40, null=True)  # noqa: DJ001  (null: it does not fail)
    created_at = models.DateTimeField(default=now, editable=False)
    settled_at = models.DateTimeField(null=True, editable=False)

    objects = BookQuerySet.as_manager()

    prefix = ""

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.reference}: {self.amount} {self.currency}, {self.outcome}"

    @property
    def reference(self) -> str:
        return f"{self.prefix}{self.key}"

    @property
    def result(self) -> Result:
        outcome = Outcome(self.outcome)
        return Result(outcome, self.reference, self.failure_code if outcome is Outcome.FAILED else None)


class MockCharge(Book):
    """Money that was asked for."""

    method = models.CharField(max_length=40)

    prefix = "mock_ch_"


class MockRefund(Book):
    """Money that was to be given back."""

    # By the name that the mock gave it; no foreign key: data loaded in bulk may bring payments without their charges.
    charge = models.CharField(max_length=110, db_index=True)

    prefix = "mock_re_"
