"""The engine: which starts are free, and why another is not.

Pure functions of their arguments. All moments are aware datetimes in UTC (so that sums count real minutes) and all
ranges are half-open; wall clocks become moments in `_moment` alone.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from .exceptions import Fault, InvalidWindows

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MAX_WINDOWS = 12
TICK = timedelta(microseconds=1)  # the resolution of datetime and of PostgreSQL: turns "up to and with" into half-open
NEVER = datetime.max.replace(tzinfo=UTC)
# A clock that is set back may show yesterday again: a moment can lie in a window of the date before or after its own.
MARGIN = timedelta(days=1)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)")

# (opening, closing) of each window of one date, in minutes on the wall clock since midnight; 1440 is 24:00.
type Hours = tuple[tuple[int, int], ...]
type Exceptions = Mapping[date, Hours]


class Span(NamedTuple):
    """The moments from `start` until before `end`."""

    start: datetime
    end: datetime


class Slot(NamedTuple):
    start: datetime
    end: datetime


class Held(NamedTuple):
    """What a reservation holds: the slot, and the slot with its buffers."""

    during: Span
    blocked: Span


@dataclass(frozen=True, slots=True)
class Rules:
    """What a schedule says, its minutes and days as timedeltas. `weekly` has seven entries, Monday first."""

    timezone: str
    weekly: tuple[Hours, ...]
    duration: timedelta
    buffer_before: timedelta
    buffer_after: timedelta
    interval: timedelta
    notice: timedelta
    horizon: timedelta

    def reach(self, now: datetime) -> Span:
        """The starts that are neither too soon nor too far. What starts right now has started."""
        return Span(max(now + TICK, now + self.notice), now + self.horizon + TICK)

    def within_reach(self, start: datetime, end: datetime, now: datetime) -> Span:
        earliest, latest = self.reach(now)
        return Span(max(start, earliest), min(end, latest))

    def slot(self, start: datetime) -> Span:
        return Span(start, start + self.duration)

    def block(self, start: datetime) -> Span:
        """What a slot from `start` on keeps its provider from: itself and the buffers."""
        return Span(start - self.buffer_before, start + self.duration + self.buffer_after)

    def watched(self, starts: Span) -> Span:
        """Where a reservation may be in the way of a slot that starts within `starts`."""
        return Span(starts.start - self.buffer_before, starts.end + self.duration + self.buffer_after)

    def hindered(self, blocked: Span) -> Span:
        """The starts whose own block would overlap `blocked`."""
        return Span(blocked.start - self.duration - self.buffer_after + TICK, blocked.end + self.buffer_before)

    def dates(self, starts: Span) -> tuple[date, date]:
        """The first and the last local date whose windows may matter for `starts`."""
        zone = zone_of(self.timezone)
        first = starts.start.astimezone(zone) - MARGIN
        last = (starts.end + self.duration).astimezone(zone) + MARGIN
        return first.date(), last.date()


def free_starts(rules: Rules, starts: Span, exceptions: Exceptions, blocked: Iterable[Span]) -> Iterator[datetime]:
    """Every start within `starts` that hours, grid and the `blocked` ranges allow, ascending; notice is not looked at.

    `exceptions` must hold those of `rules.dates(starts)`, `blocked` those that overlap `rules.watched(starts)`.
    """
    for start, until in _free_runs(rules, starts, exceptions, blocked):
        while start < until:
            yield start
            start += rules.interval


def _free_runs(rules: Rules, starts: Span, exceptions: Exceptions, blocked: Iterable[Span]) -> Iterator[Span]:
    """Spans that begin on the grid, and whose every point of it is a free start."""
    hindrances = iter(sorted(rules.hindered(span) for span in blocked))
    hindered, none = next(hindrances, Span(NEVER, NEVER)), Span(NEVER, NEVER)
    for opens, until in start_spans(open_windows(rules, starts, exceptions), rules.duration):
        start, until = _on_grid(opens, rules.interval, max(opens, starts.start)), min(until, starts.end)
        while start < until:
            if hindered.end <= start:
                hindered = next(hindrances, none)
            elif hindered.start <= start:
                start = _on_grid(opens, rules.interval, hindered.end)
            else:
                run = Span(start, min(until, hindered.start))
                yield run
                start = _on_grid(opens, rules.interval, run.end)


def is_free(rules: Rules, start: datetime, exceptions: Exceptions, blocked: Iterable[Span]) -> bool:
    """Whether `free_starts` would list this one."""
    return any(True for _ in free_starts(rules, Span(start, start + TICK), exceptions, blocked))


def reasons(
    rules: Rules, start: datetime, now: datetime, exceptions: Exceptions, held: Sequence[Held]
) -> Iterator[str]:
    """Why `start` can't be had; nothing exactly where it is free and within reach."""
    yield from _reasons_of_hours(rules, start, exceptions)
    yield from _reasons_of_others(rules, start, held)
    earliest, latest = rules.reach(now)
    if start < earliest:
        yield "too_soon"
    if start >= latest:
        yield "too_far"


def _reasons_of_hours(rules: Rules, start: datetime, exceptions: Exceptions) -> Iterator[str]:
    windows = open_windows(rules, Span(start, start + TICK), exceptions)
    if not _holds(start_spans(windows, rules.duration), start):
        usual = open_windows(rules, Span(start, start + TICK), {})
        usually = _holds(start_spans(usual, rules.duration), start)
        yield "closed_by_exception" if usually else "outside_hours"
    opened = [window.start for window in windows if window.start <= start < window.end]
    if opened and (start - opened[-1]) % rules.interval:
        yield "off_interval"


def _reasons_of_others(rules: Rules, start: datetime, held: Sequence[Held]) -> Iterator[str]:
    inside = [during for during, _ in held if _overlap(during, rules.slot(start))]
    blocking = [blocked for _, blocked in held if _overlap(blocked, rules.block(start))]
    if inside:
        yield "reserved"
    if len(blocking) > len(inside):
        yield "buffer"


def open_windows(rules: Rules, starts: Span, exceptions: Exceptions) -> list[Span]:
    """The windows in real time, in the order of the calendar, of all dates that may matter for `starts`."""
    first, last = rules.dates(starts)
    dates = (first + timedelta(days=n) for n in range((last - first).days + 1))
    hours = ((day, exceptions.get(day, rules.weekly[day.weekday()])) for day in dates)
    return [window for day, listed in hours for window in _windows_of(rules.timezone, day, listed)]


def start_spans(windows: Sequence[Span], duration: timedelta) -> list[Span]:
    """For each window, from its opening on, where a slot may start: in it, before the next one opens (the grid begins
    anew there), and so that it ends before the closing, or before that of the windows that join on."""
    spans = []
    next_opens = joint_closing = NEVER
    for opens, closes in reversed(windows):
        joint_closing = joint_closing if next_opens <= closes else closes
        spans.append(Span(opens, min(next_opens, joint_closing - duration + TICK)))
        next_opens = opens
    return spans[::-1]


def wall_moment(timezone: str, wall: datetime) -> datetime | None:
    """The moment at which the clock of `timezone` shows the naive `wall`: the first of two, None in a gap."""
    first, second = _moments(wall, zone_of(timezone))
    return first if first <= second else None


@lru_cache(maxsize=16384)
def _windows_of(timezone: str, day: date, hours: Hours) -> tuple[Span, ...]:
    zone, midnight = zone_of(timezone), datetime.combine(day, time.min)
    windows = (
        Span(
            _moment(midnight + timedelta(minutes=opening), zone, closing=False),
            _moment(midnight + timedelta(minutes=closing), zone, closing=True),
        )
        for opening, closing in hours
    )
    return tuple(window for window in windows if window.start < window.end)  # one that lies in a gap is none


def _moment(wall: datetime, zone: ZoneInfo, *, closing: bool) -> datetime:
    """When the clock shows `wall`. In a gap: the gap's end. In a fold: an opening the first, a closing the second."""
    first, second = _moments(wall, zone)
    if first > second:
        return _gap_end(wall, zone, second, first)
    return second if closing else first


def _moments(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """With the offset before and after a change of the clock: equal on all other days, descending in a gap."""
    return (
        wall.replace(tzinfo=zone, fold=0).astimezone(UTC),
        wall.replace(tzinfo=zone, fold=1).astimezone(UTC),
    )


def _gap_end(wall: datetime, zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """When the clock was set: the first second after `before`, up to `after`, that shows more than `wall`."""

    def is_past(second: int) -> bool:
        return (before + timedelta(seconds=second)).astimezone(zone).replace(tzinfo=None) > wall

    length = int((after - before).total_seconds())
    return before + timedelta(seconds=bisect_left(range(length), True, key=is_past))


def _on_grid(opens: datetime, interval: timedelta, moment: datetime) -> datetime:
    """The first point of the grid that is not before `moment`."""
    return opens - (opens - moment) // interval * interval


def _holds(spans: Iterable[Span], moment: datetime) -> bool:
    return any(start <= moment < end for start, end in spans)


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def parse_weekly(windows: Mapping[str, Sequence[str]]) -> tuple[Hours, ...]:
    """`{"monday": ["09:00", "17:00"], …}` as seven days. Raises InvalidWindows with every wrong place."""
    faults = [Fault((day,), "This is not a weekday.") for day in windows if day not in WEEKDAYS]
    weekly = []
    for day in WEEKDAYS:
        try:
            weekly.append(parse_hours(windows.get(day, ())))
        except InvalidWindows as error:
            faults += [Fault((day, *place), sentence) for place, sentence in error.faults]
    if faults:
        raise InvalidWindows(faults)
    return tuple(weekly)


def parse_hours(windows: Sequence[str]) -> Hours:
    """`["09:00", "12:00", "13:00", "24:00"]`, the hours of one date. Raises InvalidWindows with every wrong place."""
    if not all(isinstance(text, str) for text in windows):  # a list or an object is no key of a cache
        raise InvalidWindows(list(_faults(windows)))
    return _parse(tuple(windows))


@lru_cache(maxsize=4096)
def _parse(windows: tuple[str, ...]) -> Hours:
    if faults := list(_faults(windows)):
        raise InvalidWindows(faults)
    edges = [_minutes(text) for text in windows]
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _faults(windows: Sequence[str]) -> Iterator[Fault]:
    if len(windows) > 2 * MAX_WINDOWS:
        yield Fault((), f"A day can have at most {MAX_WINDOWS} windows.")
    if len(windows) % 2:
        yield Fault((len(windows) - 1,), "This opening time has no closing time.")
    malformed = [Fault((n,), "Write times as HH:MM.") for n, text in enumerate(windows) if not _is_time(text)]
    yield from malformed or _faults_of_order([_minutes(text) for text in windows])


def _faults_of_order(edges: list[int]) -> Iterator[Fault]:
    """A window may open as the one before it closes: the grid begins anew there."""
    for n, edge in enumerate(edges):
        if n % 2 == 0 and edge == 1440:
            yield Fault((n,), "24:00 can only be a closing time.")
    for n, (earlier, later) in enumerate(pairwise(edges), start=1):
        if later < earlier or (later == earlier and n % 2):
            yield Fault((n,), "Times must be in ascending order.")


def _is_time(text: object) -> bool:
    return isinstance(text, str) and _TIME.fullmatch(text) is not None


@cache
def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name. ZoneInfo keeps the last eight only, and reads any other from its file again."""
    return ZoneInfo(name)


def is_timezone(name: str) -> bool:
    """Whether `name` is of the IANA database."""
    return name in _timezones()


@cache
def _timezones() -> frozenset[str]:
    # Some systems keep these two among the zones: the machine's own, and a placeholder.
    return frozenset(available_timezones() - {"localtime", "Factory"})
