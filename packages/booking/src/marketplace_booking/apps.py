from django.apps import AppConfig


class BookingConfig(AppConfig):
    name = "marketplace_booking"
    label = "marketplace_booking"
    verbose_name = "Bookings"
    default_auto_field = "django.db.models.BigAutoField"
