"""Bookings of services: their strict life and their history."""
