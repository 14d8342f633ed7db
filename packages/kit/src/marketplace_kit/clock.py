"""The one clock. All code gets the time from here, so that tests can set it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta(0)
_frozen: datetime | None = None


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _frozen if _frozen is not None else datetime.now(UTC) + _offset


def instant(at: datetime) -> str:
    """A moment as answers write it: RFC 3339, in UTC, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Stop the clock at `at`, for all threads, until the block ends. For tests and reproducible data."""
    global _frozen
    before, _frozen = _frozen, at.astimezone(UTC)
    try:
        yield
    finally:
        _frozen = before


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Let the clock run on, but `by` ahead (or behind), for all threads, until the block ends."""
    global _offset
    before, _offset = _offset, _offset + by
    try:
        yield
    finally:
        _offset = before
