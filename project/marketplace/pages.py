"""The live page, and the small pages that links in mails lead to, where a project has none of its own."""

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from .seeding import demo_sign_ins


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """What is running, and what happens, as it happens. Where demo data is there, its users can be tried."""
    try:
        demo = demo_sign_ins()
    except Error:  # the page itself tells that the database is away
        demo = None
    return render(request, "pages/live.html", {"demo": demo})


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """A page that takes the token of its address and hands it to the API."""
    response = render(request, f"pages/{name}.html")
    # The address holds a secret: it must not stay in a cache, nor travel on as a referrer.
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


urlpatterns = [
    path("", live),
    path("password/reset", page, {"name": "password_reset"}),
    path("email/verify", page, {"name": "email_verify"}),
]
