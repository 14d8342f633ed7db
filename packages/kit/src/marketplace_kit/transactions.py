"""The transaction that an action runs in."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Model, QuerySet

from .exceptions import NotFound

RETRYABLE = {"40P01", "40001"}  # deadlock_detected, serialization_failure


class _Thread(threading.local):
    """State of a thread, which has a database connection of its own as well."""

    is_acting = False


_thread = _Thread()


def action[**P, R](func: Callable[P, R]) -> Callable[P, R]:
    """Run `func` in one transaction, and retry once after a deadlock or a serialization failure.

    Inside another transaction it is a savepoint without a retry, since the whole outer transaction was rolled back. An
    action inside an action is simply part of it: to catch its refusal and continue, wrap it in `transaction.atomic()`,
    or what it had done until then is kept.
    """

    @wraps(func)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        # An on_commit hook still runs within the action's call, but no longer in its transaction.
        if _thread.is_acting and connection.in_atomic_block:
            return func(*args, **kwargs)
        _thread.is_acting = True
        try:
            return _in_transaction(lambda: func(*args, **kwargs))
        finally:
            _thread.is_acting = False

    return run


def _in_transaction[R](run: Callable[[], R]) -> R:
    is_whole = not connection.in_atomic_block
    try:
        with transaction.atomic():
            return run()
    except OperationalError as error:
        if not is_whole or sqlstate(error) not in RETRYABLE:
            raise
    with transaction.atomic():
        return run()


def lock_row[M: Model](rows: QuerySet[M], key: Any) -> M:
    """The row with this key, locked until the transaction ends. NotFound if it is gone."""
    row = rows.select_for_update(of=("self",)).filter(pk=key).first()
    if row is None:
        raise NotFound
    return row


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five-character code of a database error, or None."""
    return getattr(error.__cause__, "sqlstate", None)
