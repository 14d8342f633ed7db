"""Weekly hours in a time zone, exceptions, reservations that cannot overlap, free slots."""
