"""What counts as hours."""

import pytest

from marketplace_scheduling.exceptions import InvalidWindows
from marketplace_scheduling.slots import is_timezone, parse_hours, parse_weekly


@pytest.mark.parametrize(
    ("windows", "hours"),
    [
        ([], ()),
        (["09:00", "17:00"], ((540, 1020),)),
        (["00:00", "24:00"], ((0, 1440),)),
        (["09:00", "12:00", "12:00", "17:00"], ((540, 720), (720, 1020))),
        (["23:58", "23:59", "23:59", "24:00"], ((1438, 1439), (1439, 1440))),
        ([f"{n:02}:{m}" for n in range(12) for m in ("00", "30")], tuple((n * 60, n * 60 + 30) for n in range(12))),
    ],
)
def test_hours(windows: list[str], hours: tuple[tuple[int, int], ...]) -> None:
    assert parse_hours(windows) == hours


@pytest.mark.parametrize(
    ("windows", "places"),
    [
        (["09:00"], [(0,)]),
        (["09:00", "12:00", "13:00"], [(2,)]),
        (["09:00", "09:00"], [(1,)]),
        (["12:00", "09:00"], [(1,)]),
        (["09:00", "12:00", "11:00", "13:00"], [(2,)]),
        (["12:00", "11:00", "10:00", "09:00"], [(1,), (2,), (3,)]),
        (["24:00", "24:00"], [(0,), (1,)]),
        (["09:00", "24:00", "24:00", "24:00"], [(2,), (3,)]),
        (["9:00", "17:00"], [(0,)]),
        (["09:00", "24:01"], [(1,)]),
        (["09:60", "25:00"], [(0,), (1,)]),
        (["09:00:00", "17:00\n"], [(0,), (1,)]),
        (["\u0660\u0669:\u0660\u0660", "17:00"], [(0,)]),  # Arabic digits
        (["", "17:00"], [(0,)]),
        ([9, None], [(0,), (1,)]),
        ([f"{n:02}:{m}" for n in range(13) for m in ("00", "30")], [()]),
    ],
)
def test_no_hours(windows: list[str], places: list[tuple[int, ...]]) -> None:
    with pytest.raises(InvalidWindows) as caught:
        parse_hours(windows)
    assert [fault.place for fault in caught.value.faults] == places


def test_a_week_names_every_wrong_place() -> None:
    windows = {"monday": ["09:00", "17:00"], "tuesday": ["x", "y"], "sunday": ["10:00"], "Friday": []}
    with pytest.raises(
        ValueError, match=r"Friday: This is not a weekday\.; tuesday/0: Write times as HH:MM\."
    ) as caught:
        parse_weekly(windows)
    assert isinstance(caught.value, InvalidWindows)
    assert [place for place, _ in caught.value.faults] == [("Friday",), ("tuesday", 0), ("tuesday", 1), ("sunday", 0)]


def test_days_that_are_left_out_are_closed() -> None:
    assert parse_weekly({"sunday": ["10:00", "11:00"]}) == ((), (), (), (), (), (), ((600, 660),))
    assert parse_weekly({}) == ((),) * 7


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "Asia/Kathmandu", "America/Argentina/Buenos_Aires"])
def test_time_zones(name: str) -> None:
    assert is_timezone(name)


@pytest.mark.parametrize(
    "name", ["", "europe/berlin", "Mars/Olympus", "../etc/passwd", "localtime", "Factory", "+02:00"]
)
def test_no_time_zones(name: str) -> None:
    assert not is_timezone(name)
