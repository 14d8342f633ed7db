"""What a service of each category costs and how long it takes, and the weekly hours that people keep."""

import json
from typing import NamedTuple

from marketplace_scheduling.slots import WEEKDAYS


class Kind(NamedTuple):
    """How often of a hundred or so, euros an hour, and lengths in minutes."""

    weight: int
    hourly: int
    durations: tuple[int, ...]


KINDS = {
    "cleaning": Kind(9, 28, (120, 180, 180, 240)),
    "plumbing": Kind(4, 60, (60, 90, 120)),
    "electrical": Kind(4, 62, (60, 90, 120)),
    "gardening": Kind(4, 35, (60, 120, 180)),
    "moving": Kind(3, 70, (120, 180, 240)),
    "repairs": Kind(5, 40, (30, 60, 120)),
    "physiotherapy": Kind(4, 75, (20, 30, 60)),
    "massage": Kind(5, 70, (30, 60, 90)),
    "nutrition": Kind(2, 65, (45, 60)),
    "psychology": Kind(3, 95, (50, 60, 90)),
    "hair": Kind(6, 50, (30, 45, 60, 120)),
    "nails": Kind(4, 40, (45, 60, 90)),
    "make_up": Kind(2, 60, (60, 90)),
    "skin_care": Kind(3, 65, (45, 60, 90)),
    "personal_training": Kind(5, 60, (45, 60, 90)),
    "yoga": Kind(5, 40, (60, 75, 90)),
    "sport_lessons": Kind(3, 45, (45, 60, 90)),
    "languages": Kind(5, 30, (30, 45, 60, 90)),
    "music": Kind(4, 38, (30, 45, 60)),
    "tutoring": Kind(5, 28, (45, 60, 90)),
    "driving": Kind(3, 55, (45, 90)),
    "photography": Kind(3, 110, (60, 120, 240)),
    "catering": Kind(1, 120, (180, 240)),
    "musicians": Kind(1, 130, (120, 180, 240)),
    "accounting": Kind(3, 85, (20, 30, 60)),
    "legal": Kind(2, 150, (30, 60)),
    "design": Kind(2, 80, (60, 120)),
    "it_support": Kind(4, 55, (30, 60, 120)),
    "dog_walking": Kind(4, 20, (30, 60, 90)),
    "grooming": Kind(2, 45, (60, 90, 120)),
    "pet_training": Kind(2, 50, (45, 60)),
}


class Window(NamedTuple):
    """Minutes on the wall clock since midnight."""

    opens: int
    closes: int


class Hours(NamedTuple):
    """A week: as a schedule stores it, and for each weekday, Monday first, what one can count with."""

    stored: str
    week: tuple[tuple[Window, ...], ...]
    longest: int


def _minutes(wall: str) -> int:
    return int(wall[:2]) * 60 + int(wall[3:])


def _hours(**named: str) -> Hours:
    days = {"workdays": WEEKDAYS[:5], "weekend": WEEKDAYS[5:], "all_week": WEEKDAYS}
    stored = {day: times.split() for name, times in named.items() for day in days.get(name, (name,))}
    week = tuple(
        tuple(Window(_minutes(a), _minutes(b)) for a, b in zip(times[::2], times[1::2], strict=True))
        for times in (stored.get(day, []) for day in WEEKDAYS)
    )
    return Hours(json.dumps(stored), week, max(w.closes - w.opens for day in week for w in day))


LONG_DAYS = _hours(workdays="08:00 20:00", saturday="09:00 16:00")
# Nobody opens or closes at an hour that a clock is ever set at.
WEEKS = (
    _hours(workdays="09:00 17:00"),
    _hours(workdays="09:00 17:00"),
    _hours(workdays="09:00 12:00 13:00 18:00"),
    _hours(workdays="09:00 12:00 13:00 18:00", saturday="10:00 14:00"),
    _hours(workdays="07:30 15:30"),
    _hours(monday="08:00 13:00", wednesday="08:00 13:00", friday="08:00 13:00", thursday="14:00 20:00"),
    _hours(workdays="17:00 21:30", saturday="10:00 18:00"),
    _hours(tuesday="10:00 19:00", thursday="10:00 19:00", weekend="09:00 15:00"),
    _hours(all_week="10:00 20:00"),
    LONG_DAYS,
)


def hours_for(duration: int, roll: int) -> Hours:
    """One of the weeks, with a window that holds so many minutes."""
    chosen = WEEKS[roll % len(WEEKS)]
    return chosen if chosen.longest >= duration else LONG_DAYS
