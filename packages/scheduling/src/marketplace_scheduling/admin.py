"""The admin's pages for hours and reserved time: to look at. They are changed by whoever has a schedule."""

from typing import Any

from django.contrib import admin

from marketplace_kit.admin_pages import ReadOnly, link_to_list, linked

from .models import Reservation, Schedule, ScheduleException


@admin.register(Schedule)
class ScheduleAdmin(ReadOnly):
    list_display = ("id", "timezone", "duration", "slot_interval", "buffer_before", "buffer_after", "minimum_notice")
    search_fields = ("id__exact",)
    search_help_text = "The key of a schedule."
    fields = (
        "id",
        "timezone",
        "windows",
        "duration",
        "buffer_before",
        "buffer_after",
        "slot_interval",
        "minimum_notice",
        "booking_window",
        "exceptions",
    )

    def exceptions(self, schedule: Schedule) -> str:
        return link_to_list(ScheduleException, "Dates with other hours", schedule=schedule.pk)


@admin.register(ScheduleException)
class ScheduleExceptionAdmin(ReadOnly):
    list_display = ("id", "date", "hours", linked("schedule"))
    list_select_related = ("schedule",)
    search_fields = ("schedule__id__exact",)
    search_help_text = "The key of a schedule."

    def hours(self, exception: ScheduleException) -> str:
        return " ".join(exception.windows) or "closed"


@admin.register(Reservation)
class ReservationAdmin(ReadOnly):
    list_display = ("id", linked("provider"), "taken", "with_buffers", "expires_at", "lapsed")
    list_filter = ("lapsed",)
    list_select_related = ("provider",)
    search_fields = ("id__exact", "provider__pk__exact")
    search_help_text = "The key of a reservation; the key or the sign-in name of a provider."
    people = ("provider",)
    fields = ("id", "provider", "taken", "with_buffers", "expires_at", "lapsed")

    def taken(self, reservation: Reservation) -> str:
        return _told(reservation.spans().during)

    def with_buffers(self, reservation: Reservation) -> str:
        return _told(reservation.spans().blocked)


def _told(span: Any) -> str:
    return f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"
