"""What is to be made, and the chance that it is made by: the same plan gives the same rows, on every machine.

Of Python's random numbers only `random()` is promised to stay the same between versions, so nothing else is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from hashlib import blake2b
from math import sqrt
from random import Random

PERIOD = timedelta(days=730)  # how far back the marketplace began
MOST = 100_000_000  # rows of a kind
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)  # days that may count as today
_FIRST_MILLISECOND = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)


class PlanRefused(ValueError):
    """These sizes make no sense together; the text says why."""


class Chance(Random):
    """A stream of decisions."""

    def pick[T](self, options: Sequence[T]) -> T:
        return options[int(self.random() * len(options))]

    def happens(self, share: float) -> bool:
        return self.random() < share

    def between(self, start: datetime, end: datetime) -> datetime:
        """A whole second from `start` until before `end`; `start` where there is none between."""
        return start + timedelta(seconds=int(self.random() * max(0.0, (end - start).total_seconds())))

    def few(self, ends: int) -> int:
        """A number below `ends`, the small ones more often."""
        return int(ends * self.random() * self.random())


@dataclass(frozen=True)
class Plan:
    """How many of each, by which seed, and the day (its midnight in UTC) that all times are relative to.

    Another seed or another size is other data: both can stand in one database.
    """

    services: int
    providers: int
    customers: int
    bookings: int
    seed: int
    today: date

    @classmethod
    def of(
        cls,
        *,
        services: int | None = None,
        providers: int | None = None,
        customers: int | None = None,
        bookings: int | None = None,
        seed: int = 1,
        today: date,
    ) -> "Plan":
        """With sizes for what is not given that fit what is. Raises PlanRefused."""
        if services is None:
            services = -(-(bookings or 0) // 5)
        if bookings is None:
            bookings = services // 10
        if providers is None:
            providers = max(-(-services // 20), -(-bookings // 100))
        if customers is None:
            customers = -(-bookings // 5)
        plan = cls(services, providers, customers, bookings, seed, today)
        plan._check()
        return plan

    def _check(self) -> None:
        if min(self.services, self.providers, self.customers, self.bookings) < 0:
            raise PlanRefused("A size can't be negative.")
        if max(self.services, self.providers, self.customers, self.bookings) > MOST:
            raise PlanRefused(f"A size above {MOST:,} is too large.")
        if not EARLIEST <= self.today <= LATEST:
            raise PlanRefused(f"Today must be a day from {EARLIEST} to {LATEST}.")
        if self.services and not self.providers:
            raise PlanRefused("Services need at least one provider.")
        if self.bookings and not (self.services and self.customers):
            raise PlanRefused("Bookings need at least one service and one customer.")

    @property
    def sellers(self) -> int:
        """How many of the providers offer anything."""
        return min(self.providers, self.services)

    @cached_property
    def end(self) -> datetime:
        """The moment that counts as now."""
        return datetime.combine(self.today, time(), UTC)

    @cached_property
    def start(self) -> datetime:
        return self.end - PERIOD

    @cached_property
    def tag(self) -> str:
        """Eight letters and digits that tell this plan's rows from another's."""
        return self._key.hex()[:8]

    def row_id(self, kind: str, number: int) -> str:
        """The key of a row, a UUID of version 7: as good as in the order of the numbers, whatever day it is."""
        at = f"{_FIRST_MILLISECOND + number:012x}"
        rest = blake2b(b"%s %d" % (kind.encode(), number), digest_size=10, key=self._key).hexdigest()
        return f"{at[:8]}-{at[8:]}-7{rest[:3]}-{'89ab'[int(rest[3], 16) & 3]}{rest[4:7]}-{rest[7:19]}"

    def roll(self, kind: str, number: int) -> int:
        """64 bits of chance that belong to one row."""
        digest = blake2b(b"roll %s %d" % (kind.encode(), number), digest_size=8, key=self._key).digest()
        return int.from_bytes(digest)

    def chance(self, kind: str, number: int) -> Chance:
        """The decisions about one row: it can be made anew without the rows before it."""
        return Chance(self.roll(kind, number))

    def joined(self, kind: str, number: int, total: int) -> datetime:
        """When the row of this number came to be: the first at once, then ever more a day, as the marketplace grows."""
        share = sqrt((number + self.roll(kind, number) / 2**64) / total) if number else 0.0
        return self.start + timedelta(seconds=int(share * (PERIOD - timedelta(days=1)).total_seconds()))

    def there_by(self, moment: datetime, total: int) -> int:
        """How many of `total` rows had `joined` by then, at least one."""
        share = (moment - self.start) / (PERIOD - timedelta(days=1))
        return max(1, min(total, int(share * share * total)))

    @cached_property
    def _key(self) -> bytes:
        sizes = (self.seed, self.services, self.providers, self.customers, self.bookings)
        return blake2b(" ".join(map(str, sizes)).encode(), digest_size=32).digest()
