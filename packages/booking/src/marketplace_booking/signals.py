"""The facts that bookings announce, inside the transaction that makes them so."""

from django.dispatch import Signal

# Each sends `booking: Booking`, as it is now, and `actor_id`, the user who did it, or None for the system.
booking_created = Signal()
booking_confirmed = Signal()
booking_completed = Signal()
booking_cancelled = Signal()
booking_rescheduled = Signal()  # and `party: Party`, whose move it was
booking_due = Signal()  # it starts within a day: sent once, without an actor
