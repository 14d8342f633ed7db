"""What an action runs in."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Model, QuerySet

from .exceptions import NotFound

RETRYABLE = {"40P01", "40001"}  # deadlock_detected, serialization_failure


class _Thread(threading.local):
    """What is known of this thread: its connection is its own, too."""

    is_acting = False


_thread = _Thread()


def action[**P, R](func: Callable[P, R]) -> Callable[P, R]:
    """Run `func` in one transaction, once more where PostgreSQL undid it for a deadlock or a serialization failure.

    Inside another transaction it is a savepoint without a retry: the whole of the outer one was undone. An action
    inside an action is a part of it, and no more: whoever catches its refusal and goes on puts it into
    `transaction.atomic()`, or keeps what it had done until then.
    """

    @wraps(func)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        # What runs on commit is still within the call of the action, but no longer in its transaction.
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
    """The row of this key, locked to the end of the transaction. NotFound where it is gone."""
    row = rows.select_for_update(of=("self",)).filter(pk=key).first()
    if row is None:
        raise NotFound
    return row


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five-character code of a database error, or None."""
    return getattr(error.__cause__, "sqlstate", None)
