from django.contrib import admin
from django.http import HttpRequest
from django.urls import path

from marketplace_kit.api import Api


def signed_in(request: HttpRequest) -> bool:
    return request.user.is_authenticated


api = Api(auth=signed_in, urls_namespace="host")
api.add_router("/services", "marketplace_catalog.api.router")
api.add_router("/bookings", "marketplace_booking.api.router")
api.add_router("", "marketplace_reviews.api.router")
urlpatterns = [path("api/", api.urls), path("admin/", admin.site.urls)]
