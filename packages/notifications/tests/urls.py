from django.http import HttpRequest
from django.urls import path

from marketplace_kit.api import Api


def signed_in(request: HttpRequest):
    return request.user if request.user.is_authenticated else None


api = Api(urls_namespace="parcels", auth=signed_in)
api.add_router("/notifications", "marketplace_notifications.api.router")
urlpatterns = [path("api/", api.urls)]
