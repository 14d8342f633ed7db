"""What the schemas say of hours is what is asked of them."""

import re

import pytest
from pydantic import TypeAdapter

from marketplace_catalog.schemas import AskedStart, AvailabilityException, CreateService, Service, SetException
from marketplace_scheduling.models import Schedule

WEEKLY = CreateService.model_json_schema()["properties"]["availability"]
DAILY = SetException.model_json_schema()["properties"]["windows"]
START = AskedStart.model_json_schema()["properties"]["start"]


def is_known(windows):
    try:
        Schedule.check_windows(windows)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "time", ["00:30", "09:00", "19:59", "23:59", "24:00", "24:01", "9:00", "09:60", "09:00:00", ""]
)
def test_a_time_is_known_by_its_pattern(time):
    (pattern,) = {hours["items"]["pattern"] for hours in (WEEKLY["additionalProperties"], DAILY)}

    assert bool(re.search(pattern, time)) is is_known({"monday": ["00:00", time]})


@pytest.mark.parametrize("day", ["monday", "sunday", "Monday", "mon", ""])
def test_a_weekday_is_one_of_seven(day):
    assert (day in WEEKLY["propertyNames"]["enum"]) is is_known({day: ["09:00", "17:00"]})
    assert len(WEEKLY["propertyNames"]["enum"]) == 7


def test_answers_say_the_same():
    shown = [
        schema.model_json_schema(mode="serialization")["properties"] for schema in (Service, AvailabilityException)
    ]

    assert shown[0]["availability"]["propertyNames"] == WEEKLY["propertyNames"]
    assert shown[0]["availability"]["additionalProperties"] == WEEKLY["additionalProperties"]
    assert shown[1]["windows"]["items"] == DAILY["items"]


def test_as_many_windows_as_are_taken():
    most = DAILY["maxItems"]
    times = [f"{hour:02}:{minute}" for hour in range(24) for minute in ("00", "30")]

    assert is_known({"monday": times[:most]})
    assert not is_known({"monday": times[: most + 2]})


@pytest.mark.parametrize("start", ["2027-01-04T09:00", "2027-01-04t09:00:00", "2027-01-04T09:00:00.123456"])
def test_a_start_may_lack_its_offset(start):
    instant, wall_clock = START["anyOf"]

    assert instant == {"type": "string", "format": "date-time"}
    assert re.search(wall_clock["pattern"], start)
    assert TypeAdapter(AskedStart).validate_python({"start": start}).start.tzinfo is None
    assert not re.search(wall_clock["pattern"], f"{start}Z")
