"""Statements that run all the time: PostgreSQL plans them once for each connection, where DATABASES has
`prepare_threshold`.

Set the connection's `plan_cache_mode` to `force_generic_plan`: otherwise PostgreSQL may find the generic plan too
expensive for a list of keys.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Self

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorWrapper
from psycopg import Cursor, OperationalError, adapters
from psycopg._preparing import Prepare
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus

MOST_KEPT = 100  # cursors of a connection, each with what it found last; psycopg prepares as many statements
DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
TIMES: Any = adapters.get_loader(adapters.types["timestamptz"].oid, Format.TEXT)  # psycopg's own, in C
IDLE = TransactionStatus.IDLE


def run_prepared(statement: str, values: Sequence[Any]) -> Any:
    """Execute a statement, and answer the cursor, to fetch from.

    It is the same one each time on a connection: fetch before the statement is executed again. Raises what the database
    does.
    """
    own: Any = connections[DEFAULT_DB_ALIAS]  # once: each look at `connection` finds the thread's own anew
    if own.connection is None or not own.health_check_done:
        own.close_if_health_check_failed()
        own.ensure_connection()
    kept: dict[str, CursorWrapper] = vars(own.connection).setdefault("kept_cursors", {})
    cursor: Any = kept.get(statement)
    if cursor is None:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        cursor = kept[statement] = own.make_cursor(_kept(own))
    if own.queries_logged:
        cursor = own.make_debug_cursor(cursor.cursor)
    cursor.execute(statement, values)
    return cursor.cursor


def _kept(own: Any) -> "_Kept":
    cursor = _Kept(own.connection)
    if own.timezone is UTC:
        # Django's loader sets the zone of each time once more, in Python. It is the one that the driver's has set.
        cursor.adapters.register_loader("timestamptz", TIMES)
    return cursor


class _Kept(Cursor[Any]):
    """One that lets the server bind the values: what differs in its values can't be prepared.

    It stays with its connection, one for each statement: another has to learn anew how the values are written and read.
    """

    _taken_apart: Any = None  # the statement, as psycopg sends it

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """As psycopg does, but once it is prepared only what is left to do, and waiting inside libpq.

        psycopg's way of waiting can be interrupted by a signal, which costs CPU each time.
        """
        one = self._taken_apart
        if one is None:
            super().execute(query, params, **options)
            self._taken_apart = self._convert_query(query, params)
            return self
        one.dump(params)
        prepared, name = self._get_prepared(one)
        if prepared is not Prepare.YES:
            return super().execute(query, params, **options)
        driver = self._conn
        if driver.pgconn.transaction_status == IDLE and not driver.autocommit:
            driver.wait(driver._start_query())  # BEGIN
        self._reset()
        self._take(driver.pgconn.exec_prepared(name, one.params, one.formats, self.format))
        return self

    def _take(self, result: Any) -> None:
        if result.status not in DONE:
            if self._conn.pgconn.status != ConnStatus.OK:  # it was lost, for which there is no code
                raise OperationalError(result.get_error_message())
            self._raise_for_result(result)
        self._set_results([result])
