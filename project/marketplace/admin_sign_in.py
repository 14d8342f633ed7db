"""The admin's sign-in page: limited as the API's is, and in the audit."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from marketplace_accounts.models import email_key
from marketplace_kit import audit
from marketplace_kit.exceptions import DomainError
from marketplace_kit.ratelimits import Meter


def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Django's own page, behind the limits of `sign_in`."""
    meter = Meter(request, "sign_in")
    try:
        if request.method == "POST":
            meter.by_address()
            meter.by("email", email_key(request.POST.get("username", "").strip()))  # as its form does
        response: HttpResponseBase = admin.site.login(request)
    except DomainError as error:
        response = HttpResponse(error.detail, "text/plain", error.status, headers=error.headers)
    meter.tell(response)
    return response


@receiver(user_logged_in, dispatch_uid="marketplace.admin_signed_in")
def _signed_in(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    audit.record("admin_signed_in", user_id=str(user.pk), address=getattr(request, "client_address", None))


@receiver(user_login_failed, dispatch_uid="marketplace.admin_sign_in_refused")
def _refused(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    email = str(credentials.get("username") or credentials.get("email") or "")
    address = getattr(request, "client_address", None)
    audit.record_refusal("admin_sign_in_refused", email_hash=audit.fingerprint(email_key(email)), address=address)
