"""Hours, slots and reservations of somebody's time."""

from arriving import make_person
from example.hours import try_them

from marketplace_scheduling.models import Reservation, Schedule

assert "closed_by_exception" in try_them(make_person("mia", sells=True))
assert Schedule.objects.count() == 1
assert not Reservation.objects.exists()
