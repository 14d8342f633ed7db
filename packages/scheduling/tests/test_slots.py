"""The engine, against days worked out by hand and against an oracle that walks real time minute by minute."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace_scheduling.slots import (
    WEEKDAYS,
    Held,
    Hours,
    Rules,
    Span,
    free_starts,
    is_free,
    parse_hours,
    parse_weekly,
    reasons,
    wall_moment,
)

MINUTE = timedelta(minutes=1)
LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)


def rules(zone: str, *hours: str, duration: int = 60, interval: int = 30, before: int = 0, after: int = 0) -> Rules:
    """The same hours on each day; no notice, and no end of the window that matters."""
    return Rules(
        timezone=zone,
        weekly=parse_weekly({day: list(hours) for day in WEEKDAYS}),
        duration=timedelta(minutes=duration),
        buffer_before=timedelta(minutes=before),
        buffer_after=timedelta(minutes=after),
        interval=timedelta(minutes=interval),
        notice=timedelta(0),
        horizon=timedelta(days=100_000),
    )


def local_starts(rules: Rules, day: str, exceptions: dict[str, list[str]] | None = None) -> list[str]:
    """The starts of a local date (`+` marks those in the second pass of a fold)."""
    zone = ZoneInfo(rules.timezone)
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=zone).astimezone(UTC)
    span = Span(noon - timedelta(hours=40), noon + timedelta(hours=40))
    dated = {date.fromisoformat(key): parse_hours(windows) for key, windows in (exceptions or {}).items()}
    starts = list(free_starts(rules, span, dated, []))
    for start in starts:
        assert is_free(rules, start, dated, [])
        assert list(reasons(rules, start, LONG_AGO, dated, [])) == []
    local = [start.astimezone(zone) for start in starts]
    return [f"{start:%H:%M}{'+' * start.fold}" for start in local if start.date().isoformat() == day]


class TestDaysByHand:
    def test_an_ordinary_day(self) -> None:
        day = rules("Europe/Berlin", "09:00", "12:00", "13:10", "15:00")
        assert local_starts(day, "2026-06-10") == ["09:00", "09:30", "10:00", "10:30", "11:00", "13:10", "13:40"]

    def test_the_grid_begins_anew_at_a_listed_opening_and_a_slot_may_run_across_it(self) -> None:
        day = rules("Europe/Berlin", "09:00", "10:10", "10:10", "11:30", interval=40)
        assert local_starts(day, "2026-06-10") == ["09:00", "09:40", "10:10"]

    def test_midnight_joins(self) -> None:
        round_the_clock = rules("UTC", "00:00", "24:00", duration=120, interval=7 * 60)
        assert local_starts(round_the_clock, "2026-06-10") == ["00:00", "07:00", "14:00", "21:00"]
        evening = rules("UTC", "22:00", "24:00")
        assert local_starts(evening, "2026-06-10") == ["22:00", "22:30", "23:00"]

    def test_midnight_joins_a_dated_exception_and_not_a_closed_day(self) -> None:
        evening = rules("UTC", "22:00", "24:00", duration=120, interval=45)
        assert local_starts(evening, "2026-06-10") == ["22:00"]
        opened = {"2026-06-11": ["00:00", "03:00"]}
        assert local_starts(evening, "2026-06-10", opened) == ["22:00", "22:45", "23:30"]
        assert local_starts(evening, "2026-06-11", opened) == ["00:00", "00:45"]
        night = rules("UTC", "00:00", "03:00", "22:00", "24:00", duration=120, interval=45)
        assert local_starts(night, "2026-06-10")[-1] == "23:30"
        assert local_starts(night, "2026-06-10", {"2026-06-11": []})[-1] == "22:00"

    def test_an_exception_stands_in_for_its_date_alone(self) -> None:
        day = rules("Asia/Kathmandu", "09:00", "11:00")
        exceptions = {"2026-06-10": ["20:00", "21:30"]}
        assert local_starts(day, "2026-06-09", exceptions) == ["09:00", "09:30", "10:00"]
        assert local_starts(day, "2026-06-10", exceptions) == ["20:00", "20:30"]

    def test_a_slot_may_be_longer_than_its_window_where_windows_join(self) -> None:
        day = rules("UTC", "00:00", "24:00", duration=1440, interval=1440)
        assert local_starts(day, "2026-06-10") == ["00:00"]

    @pytest.mark.parametrize(
        ("hours", "starts"),
        [
            (["01:00", "04:00"], ["01:00", "01:30", "03:00"]),
            (["00:45", "04:00"], ["00:45", "01:15", "01:45"]),
            (["02:30", "05:00"], ["03:00", "03:30", "04:00"]),
            (["00:30", "02:30"], ["00:30", "01:00"]),
            (["02:10", "02:50"], []),
            (["01:15", "02:15", "02:45", "04:15"], ["01:15", "01:45", "03:00"]),
        ],
    )
    def test_spring_in_new_york_when_two_o_clock_is_three(self, hours: list[str], starts: list[str]) -> None:
        assert local_starts(rules("America/New_York", *hours), "2026-03-08") == starts

    @pytest.mark.parametrize(
        ("hours", "starts"),
        [
            (["00:30", "03:00"], ["00:30", "01:00", "01:30", "01:00+", "01:30+", "02:00"]),
            (["01:30", "03:00"], ["01:30", "01:00+", "01:30+", "02:00"]),
            (["00:30", "01:30"], ["00:30", "01:00", "01:30"]),
            (["00:30", "01:00"], ["00:30", "01:00"]),
            (["01:00", "02:00"], ["01:00", "01:30", "01:00+"]),
            (["00:30", "01:20", "01:40", "03:00"], ["00:30", "01:00", "01:30", "01:40", "01:10+", "01:40+"]),
        ],
    )
    def test_autumn_in_new_york_when_two_o_clock_is_one(self, hours: list[str], starts: list[str]) -> None:
        assert local_starts(rules("America/New_York", *hours), "2026-11-01") == starts

    @pytest.mark.parametrize(
        ("zone", "day", "hours", "starts"),
        [
            ("Australia/Lord_Howe", "2026-10-04", ["01:00", "04:00"], ["01:00", "01:30", "02:30", "03:00"]),
            ("Pacific/Chatham", "2026-09-27", ["02:00", "05:00"], ["02:00", "02:30", "04:00"]),
            # The gap is at midnight: yesterday's 24:00 and today's 00:00 are its end.
            ("Asia/Beirut", "2026-03-28", ["00:00", "01:00", "23:00", "24:00"], ["00:00", "23:00"]),
            (
                "Asia/Beirut",
                "2026-03-28",
                ["00:00", "02:00", "23:00", "24:00"],
                ["00:00", "00:30", "01:00", "23:00", "23:30"],
            ),
            ("Asia/Beirut", "2026-03-29", ["00:00", "02:00", "23:00", "24:00"], ["01:00", "23:00", "23:30"]),
            # The fold is at midnight: yesterday's 24:00 is the second one.
            ("America/Havana", "2026-10-31", ["22:00", "24:00"], ["22:00", "22:30", "23:00", "23:30"]),
            ("America/Havana", "2026-11-01", ["22:00", "24:00"], ["00:00", "22:00", "22:30", "23:00"]),
            # At 00:01 it was 23:01 of the day before again.
            ("America/St_Johns", "2009-10-31", ["00:00", "02:00"], ["00:00", "00:30", "01:00", "23:30+"]),
            ("America/St_Johns", "2009-11-01", ["00:00", "02:00"], ["00:00", "00:00+", "00:30", "01:00"]),
            # There was no 30 December 2011, so the 29th and the 31st join.
            ("Pacific/Apia", "2011-12-29", ["00:00", "01:00", "23:00", "24:00"], ["00:00", "23:00", "23:30"]),
            ("Pacific/Apia", "2011-12-30", ["00:00", "24:00"], []),
            ("Pacific/Apia", "2011-12-31", ["00:00", "01:30", "23:00", "24:00"], ["00:00", "00:30", "23:00", "23:30"]),
        ],
    )
    def test_elsewhere(self, zone: str, day: str, hours: list[str], starts: list[str]) -> None:
        assert local_starts(rules(zone, *hours), day) == starts

    def test_a_zone_that_changes_its_rules(self) -> None:
        """Istanbul stayed on summer time from 2016 on."""
        shop = rules("Europe/Istanbul", "09:00", "10:00")
        starts = free_starts(shop, Span(datetime(2015, 12, 1, tzinfo=UTC), datetime(2017, 12, 1, tzinfo=UTC)), {}, [])
        assert {(start.year, start.hour) for start in starts if start.month == 12} == {(2015, 7), (2016, 6)}

    def test_the_wall_clock(self) -> None:
        zone = "America/New_York"
        assert wall_moment(zone, datetime.fromisoformat("2026-06-01T09:00")) == datetime(2026, 6, 1, 13, tzinfo=UTC)
        assert wall_moment(zone, datetime.fromisoformat("2026-11-01T01:30")) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
        assert wall_moment(zone, datetime.fromisoformat("2026-03-08T02:30")) is None


class TestReservations:
    day = rules("UTC", "09:00", "13:00", before=10, after=20)
    noon = datetime(2026, 6, 10, 12, tzinfo=UTC)

    def starts(self, *blocked: tuple[int, int]) -> list[str]:
        """With blocks from and to so many minutes after nine."""
        nine = self.noon.replace(hour=9)
        spans = [Span(nine + begin * MINUTE, nine + end * MINUTE) for begin, end in blocked]
        span = Span(nine - timedelta(hours=9), nine + timedelta(hours=15))
        return [f"{start:%H:%M}" for start in free_starts(self.day, span, {}, spans)]

    def test_blocks_may_touch_and_never_overlap(self) -> None:
        assert self.starts() == ["09:00", "09:30", "10:00", "10:30", "11:00", "11:30", "12:00"]
        # At 09:00 it blocks 08:50 to 10:20, at 11:30 from 11:20 on.
        assert self.starts((80, 140)) == ["09:00", "11:30", "12:00"]
        assert self.starts((79, 140)) == ["11:30", "12:00"]
        assert self.starts((80, 141)) == ["09:00", "12:00"]

    def test_buffers_reach_outside_the_hours(self) -> None:
        assert self.starts((-60, -10), (260, 300)) == self.starts()
        assert self.starts((-60, -9), (259, 300)) == self.starts()[1:-1]

    def test_blocks_in_any_order_and_over_one_another(self) -> None:
        assert self.starts((200, 210), (-500, 90), (0, 10)) == self.starts((-500, 90), (200, 210)) == ["11:00"]

    def test_why_not(self) -> None:
        nine = self.noon.replace(hour=9)
        held = [Held(Span(nine + 90 * MINUTE, nine + 120 * MINUTE), Span(nine + 80 * MINUTE, nine + 140 * MINUTE))]

        def why(minutes: int, now: datetime = LONG_AGO) -> list[str]:
            return list(reasons(self.day, nine + minutes * MINUTE, now, {}, held))

        assert why(0) == []
        assert why(30) == ["buffer"]
        assert why(60) == ["reserved"]
        assert why(120) == ["buffer"]
        assert why(150) == []
        assert why(155) == ["off_interval"]
        assert why(210) == ["outside_hours"]
        assert why(215) == ["outside_hours", "off_interval"]
        assert why(-60) == ["outside_hours"]
        assert why(0, now=nine) == ["too_soon"]
        assert why(0, now=nine - timedelta(days=100_001)) == ["too_far"]


def test_closed_by_an_exception_means_that_it_would_be_open_otherwise() -> None:
    day = rules("UTC", "09:00", "13:00")
    nine = datetime(2026, 6, 10, 9, tzinfo=UTC)

    def why(hour: int, *windows: str) -> list[str]:
        exceptions = {date(2026, 6, 10): parse_hours(list(windows))}
        return list(reasons(day, nine.replace(hour=hour), LONG_AGO, exceptions, []))

    assert why(9) == ["closed_by_exception"]
    assert why(15) == ["outside_hours"]
    assert why(9, "10:00", "20:00") == ["closed_by_exception"]
    assert why(15, "10:00", "20:00") == []
    assert why(21, "10:00", "20:00") == ["outside_hours"]


class TestReach:
    now = datetime(2026, 6, 10, 12, tzinfo=UTC)

    def test_notice_and_window_are_inclusive(self) -> None:
        notice = Rules("UTC", ((),) * 7, *(timedelta(0),) * 4, notice=timedelta(hours=2), horizon=timedelta(days=3))
        earliest, end = notice.reach(self.now)
        assert earliest == self.now + timedelta(hours=2)
        assert end - timedelta(microseconds=1) == self.now + timedelta(days=3)

    def test_what_starts_now_has_started(self) -> None:
        assert rules("UTC").reach(self.now).start > self.now


# The oracle. It knows nothing of offsets: it looks at the clock of each real minute.


@lru_cache(maxsize=64)
def walk(zone: str, first: datetime, days: int) -> list[datetime]:
    """What the clock shows at each minute from `first` on."""
    clock = ZoneInfo(zone)
    return [(first + n * MINUTE).astimezone(clock).replace(tzinfo=None) for n in range(days * 1440)]


def opening_minute(walls: list[datetime], wall: datetime) -> int:
    return walls.index(wall) if wall in walls else next(n for n, shown in enumerate(walls) if shown > wall)


def closing_minute(walls: list[datetime], wall: datetime) -> int:
    return len(walls) - 1 - walls[::-1].index(wall) if wall in walls else opening_minute(walls, wall)


def oracle(
    rules: Rules, span: Span, exceptions: dict[date, Hours], blocked: Iterable[Span], *, margin: int = 4
) -> list[datetime]:
    first = span.start.replace(hour=0, minute=0) - timedelta(days=margin)
    walls = walk(rules.timezone, first, (span.end - first).days + margin)
    opened: list[int | None] = [None] * len(walls)  # for each minute the opening of its window
    day = walls[0].date() + timedelta(days=1)
    while day < walls[-1].date() - timedelta(days=1):
        midnight = datetime.combine(day, datetime.min.time())
        for opens, closes in exceptions.get(day, rules.weekly[day.weekday()]):
            begin = opening_minute(walls, midnight + opens * MINUTE)
            end = closing_minute(walls, midnight + closes * MINUTE)
            opened[begin:end] = [begin] * (end - begin)
        day += timedelta(days=1)
    busy = {minute for begin, end in blocked for minute in range((begin - first) // MINUTE, (end - first) // MINUTE)}
    duration, interval = rules.duration // MINUTE, rules.interval // MINUTE
    before, after = rules.buffer_before // MINUTE, rules.buffer_after // MINUTE
    return [
        first + n * MINUTE
        for n, begin in enumerate(opened)
        if begin is not None
        and span.start <= first + n * MINUTE < span.end
        and (n - begin) % interval == 0
        and None not in opened[n : n + duration]
        and busy.isdisjoint(range(n - before, n + duration + after))
    ]


# Around these the clocks change, or did.
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("America/St_Johns", date(2009, 11, 1)),  # at 00:01, back to yesterday
    ("America/St_Johns", date(2010, 3, 14)),
    ("America/Havana", date(2026, 11, 1)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Asia/Beirut", date(2026, 10, 25)),
    ("Asia/Kathmandu", date(2026, 6, 10)),
    ("Asia/Pyongyang", date(2018, 5, 5)),  # 23:30 became midnight
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Antarctica/Troll", date(2026, 3, 29)),  # two hours
    ("Antarctica/Troll", date(2026, 10, 25)),
    ("Pacific/Apia", date(2011, 12, 30)),  # left out
    ("Pacific/Kwajalein", date(1993, 8, 21)),  # left out
    ("Pacific/Chatham", date(2026, 9, 27)),
    ("UTC", date(2026, 6, 10)),
]


@st.composite
def hours(draw: st.DrawFn) -> Hours:
    step = draw(st.sampled_from([1, 5, 15, 30, 60]))
    edges = draw(st.lists(st.integers(0, 1440 // step), unique=True, max_size=8).map(sorted))
    minutes = [edge * step for edge in edges[: len(edges) // 2 * 2]]
    windows = list(zip(minutes[::2], minutes[1::2], strict=True))
    if draw(st.booleans()):  # windows that touch
        windows = [(opens, after[0]) for (opens, _), after in pairwise(windows)] + windows[-1:]
    if windows and draw(st.booleans()):  # and days that do
        windows[0] = (0, windows[0][1])
        windows[-1] = (windows[-1][0], 1440)
    return tuple(windows)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Rules, Span, dict[date, Hours], list[Span]]:
    zone, day = draw(st.sampled_from(CHANGES))
    minutes = st.integers(0, 600) | st.just(0)
    made = Rules(
        timezone=zone,
        weekly=tuple(draw(st.lists(hours(), min_size=7, max_size=7))),
        duration=MINUTE * draw(st.integers(5, 180) | st.sampled_from([30, 60, 720, 1440])),
        buffer_before=MINUTE * draw(minutes),
        buffer_after=MINUTE * draw(minutes),
        interval=MINUTE * draw(st.integers(5, 120) | st.sampled_from([15, 30, 60, 1440])),
        notice=timedelta(0),
        horizon=timedelta(days=100_000),
    )
    near = st.integers(-2, 2).map(lambda days: day + timedelta(days=days))
    exceptions = draw(st.dictionaries(near, hours(), max_size=3))
    middle = datetime.combine(day, datetime.min.time(), UTC)
    begin = middle + MINUTE * draw(st.integers(-2000, 1000))
    span = Span(begin, begin + MINUTE * draw(st.integers(0, 3000)))
    blocks = draw(st.lists(st.tuples(st.integers(-3000, 3000), st.integers(1, 300)), max_size=6))
    return made, span, exceptions, [Span(middle + MINUTE * at, middle + MINUTE * (at + n)) for at, n in blocks]


@settings(max_examples=400, deadline=None)
@given(cases())
def test_the_list_is_the_oracle_s(case: tuple[Rules, Span, dict[date, Hours], list[Span]]) -> None:
    made, span, exceptions, blocked = case
    assert list(free_starts(made, span, exceptions, blocked)) == oracle(made, span, exceptions, blocked)


@settings(max_examples=100, deadline=None)
@given(cases(), st.data())
def test_one_start_is_judged_as_the_list_is(
    case: tuple[Rules, Span, dict[date, Hours], list[Span]], data: st.DataObject
) -> None:
    made, span, exceptions, blocked = case
    listed = list(free_starts(made, span, exceptions, blocked))
    held = [Held(span, span) for span in blocked]
    offsets = data.draw(st.lists(st.integers(0, max(0, (span.end - span.start) // MINUTE - 1)), max_size=20))
    asked = [span.start + MINUTE * offset for offset in offsets if span.start < span.end]
    for start in [*asked, *listed[:20]]:
        assert is_free(made, start, exceptions, blocked) == (start in listed)
        assert (not list(reasons(made, start, LONG_AGO, exceptions, held))) == (start in listed)


def test_the_oracle_sees_what_matters() -> None:
    """It finds slots in most cases, or its agreement would say little."""
    sunday = rules("America/New_York", "00:30", "03:00")
    span = Span(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    assert [f"{start:%H:%M}" for start in oracle(sunday, span, {}, [])] == [
        "04:30", "05:00", "05:30", "06:00", "06:30", "07:00",
    ]  # fmt: skip
