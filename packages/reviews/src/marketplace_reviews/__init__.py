"""Reviews of completed bookings, and how services are rated by them."""
