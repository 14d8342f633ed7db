"""Made-up data for tests, ours and a host's."""

from datetime import datetime, timedelta
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from .models import Reservation, Schedule, UserId
from .slots import WEEKDAYS


def every_day(*hours: str) -> dict[str, list[str]]:
    """The same hours on each weekday."""
    return {day: list(hours) for day in WEEKDAYS}


def make_schedule(**fields: Any) -> Schedule:
    """Stored; open round the clock in UTC, an hour a slot, one each half hour, unless told otherwise."""
    fields = {"timezone": "UTC", "windows": every_day("00:00", "24:00"), "duration": 60} | fields
    return Schedule.objects.create(**fields)


def make_reservation(provider_id: UserId, start: datetime, *, minutes: int = 60, **fields: Any) -> Reservation:
    """Stored as it is, whatever hours there are; without buffers unless `blocked` is given."""
    during = DateTimeTZRange(start, start + timedelta(minutes=minutes))
    return Reservation.objects.create(provider_id=provider_id, during=during, **{"blocked": during} | fields)
