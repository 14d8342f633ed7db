"""What comes about by itself, looked for every minute."""

from procrastinate.contrib.django import app

from marketplace_kit.jobs import each

from . import actions
from .models import Booking

AT_ONCE = 500  # rows of one run; the rest is the next minute's


@app.periodic(cron="* * * * *")
@app.task(name="marketplace_booking.cancel_lapsed", queue="booking", queueing_lock="marketplace_booking.cancel_lapsed")
def cancel_lapsed(timestamp: int) -> None:
    """Call off what nobody confirmed before its start."""
    lapsed = Booking.objects.lapsed().order_by("scheduled_at")
    each(lapsed.values_list("pk", flat=True)[:AT_ONCE], actions.cancel_lapsed)


@app.periodic(cron="* * * * *")
@app.task(name="marketplace_booking.remind", queue="booking", queueing_lock="marketplace_booking.remind")
def remind(timestamp: int) -> None:
    """Announce what is due within a day."""
    due = Booking.objects.to_be_reminded_of().order_by("scheduled_at")
    each(due.values_list("pk", flat=True)[:AT_ONCE], actions.remind)
