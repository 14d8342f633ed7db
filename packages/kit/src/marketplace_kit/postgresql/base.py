"""Django's backend for PostgreSQL, with health checks that hardly cost anything.

With CONN_HEALTH_CHECKS Django asks `SELECT 1` in each request before anything else. A server that goes away closes its
connections, which can be seen without asking: something is there to be read on one that rests. Whoever vanishes without
a word, such as a machine that lost its power, is found by asking after a while.
"""

import math
from select import POLLIN, poll
from time import monotonic

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

TRUSTED = 5.0  # seconds for which a connection that answered, and on which nothing came since, is taken to be good


class DatabaseWrapper(base.DatabaseWrapper):
    _answered_at = -math.inf

    def is_usable(self) -> bool:
        # After an error the connection may be in any state.
        if not self.errors_occurred and monotonic() < self._answered_at + TRUSTED and self._rests():
            return True
        is_usable: bool = super().is_usable()
        self._answered_at = monotonic() if is_usable else -math.inf
        return is_usable

    def _rests(self) -> bool:
        # Not in a transaction that somebody left behind: it may have failed, which only an answer tells.
        if self.connection.info.transaction_status != TransactionStatus.IDLE:
            return False
        news = poll()
        news.register(self.connection.fileno(), POLLIN)
        return not news.poll(0)
