"""Rows for tests, many at once: `baker.make_recipe("marketplace_scheduling.schedule", _quantity=100)`."""

from model_bakery.recipe import Recipe

from .models import Schedule
from .testing import every_day

# Round the clock, in UTC.
schedule = Recipe(Schedule, timezone="UTC", windows=lambda: every_day("00:00", "24:00"), duration=60)
