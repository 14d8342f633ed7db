from django.contrib import admin
from django.http import HttpRequest
from django.urls import path

from marketplace_kit.api import Api


def signed_in(request: HttpRequest) -> bool:
    return request.user.is_authenticated


api = Api(auth=signed_in, urls_namespace="host")
api.add_router("/payments", "marketplace_billing.api.router")
urlpatterns = [path("api/", api.urls), path("admin/", admin.site.urls)]
