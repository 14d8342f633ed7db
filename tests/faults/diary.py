"""What clients were told. The auditor holds it against what is stored."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Diary:
    """Of one client, or of all of them together."""

    answers: Counter[int] = field(default_factory=Counter)  # by status
    silences: Counter[str] = field(default_factory=Counter)  # requests without an answer, by what was met instead
    wrong: list[str] = field(default_factory=list)  # what nobody should ever be told
    repeated: int = 0  # requests that had to be sent again
    replayed: int = 0  # answers that a key brought again
    users: dict[str, str] = field(default_factory=dict)  # who registered: his address
    bookings: dict[str, dict[str, Any]] = field(default_factory=dict)  # as they were told when they were made
    payments: dict[str, str] = field(default_factory=dict)  # of which booking
    refunds: dict[str, str] = field(default_factory=dict)  # of which payment
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)  # confirmed, cancelled: told to be done
    perhaps: set[tuple[str, str]] = field(default_factory=set)  # may have been done: the first try was not answered
    read: set[str] = field(default_factory=set)  # notifications that were marked
    titles: dict[str, str] = field(default_factory=dict)  # of services, the last one
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def has_all(self) -> bool:
        """Whether there is something of everything to compare."""
        kinds = (self.bookings, self.payments, self.refunds, self.read, self.files, self.titles)
        return all(kinds) and {event for _, event in self.moves} == {"confirmed", "cancelled"}

    @property
    def requests(self) -> int:
        return sum(self.answers.values()) + sum(self.silences.values())


def together(diaries: Iterable[Diary]) -> Diary:
    """One diary of many. Who writes has one of his own, so nobody waits for a lock."""
    whole = Diary()
    for diary in diaries:
        for one in fields(Diary):
            mine, theirs = getattr(whole, one.name), getattr(diary, one.name)
            if isinstance(mine, int):
                setattr(whole, one.name, mine + theirs)
            elif isinstance(mine, list):
                mine.extend(theirs)
            else:
                mine.update(theirs)
    return whole
