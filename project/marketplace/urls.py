"""What is served where. The stream has a process, and urls, of its own: `marketplace.asgi`."""

from django.contrib import admin
from django.urls import include, path

from . import admin_sign_in
from .api import api

urlpatterns = [
    path("api/", api.urls),
    path("admin/login/", admin_sign_in.sign_in),
    path("admin/", admin.site.urls),
    path("", include("marketplace.pages")),
]
