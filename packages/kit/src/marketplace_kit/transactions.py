"""What an action runs in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Model, QuerySet

from .exceptions import NotFound

RETRYABLE = {"40P01", "40001"}  # deadlock_detected, serialization_failure


def action[**P, R](func: Callable[P, R]) -> Callable[P, R]:
    """Run `func` in one transaction, once more where PostgreSQL undid it for a deadlock or a serialization failure.

    Inside another transaction it is a savepoint without a retry: the whole of the outer one was undone.
    """

    @wraps(func)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            with transaction.atomic():
                return func(*args, **kwargs)
        try:
            with transaction.atomic():
                return func(*args, **kwargs)
        except OperationalError as error:
            if sqlstate(error) not in RETRYABLE:
                raise
        with transaction.atomic():
            return func(*args, **kwargs)

    return run


def lock_row[M: Model](rows: QuerySet[M], key: Any) -> M:
    """The row of this key, locked to the end of the transaction. NotFound where it is gone."""
    row = rows.select_for_update(of=("self",)).filter(pk=key).first()
    if row is None:
        raise NotFound
    return row


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five-character code of a database error, or None."""
    return getattr(error.__cause__, "sqlstate", None)
