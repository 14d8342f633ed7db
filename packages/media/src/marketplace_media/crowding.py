"""So many at once, where each takes a processor and a lot of memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from marketplace_kit.exceptions import ServiceUnavailable

PATIENCE = 10.0  # seconds; a thread of the API that waits serves nobody else


class AtOnce:
    """Lets so many in at once, in this process."""

    def __init__(self, most: int) -> None:
        self._free = BoundedSemaphore(most)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and have it. ServiceUnavailable where that takes too long."""
        if not self._free.acquire(timeout=PATIENCE):
            raise ServiceUnavailable
        try:
            yield
        finally:
            self._free.release()
