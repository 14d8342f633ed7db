from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from marketplace_kit.api import Api
from marketplace_kit.exceptions import Unauthenticated


def signed_in(request: HttpRequest) -> bool:
    if not request.user.is_authenticated:
        raise Unauthenticated
    return True


api = Api(urls_namespace="accounts-tests", auth=signed_in)
api.add_router("/auth", "marketplace_accounts.auth_api.router")
api.add_router("/users", "marketplace_accounts.api.router")


def page(request: HttpRequest) -> HttpResponse:
    """Outside of the API: who is signed in by the session cookie."""
    return HttpResponse(str(request.user))


urlpatterns = [path("api/", api.urls), path("admin/", admin.site.urls), path("page", page)]
