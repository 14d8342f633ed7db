"""Who sends a request: the user of its access token, found out when somebody asks."""

from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from marketplace_kit.conf import conf as kit
from marketplace_kit.exceptions import Unauthenticated

from . import actions
from .models import User

type GetResponse = Callable[[HttpRequest], HttpResponseBase]


def bearer(get_response: GetResponse) -> GetResponse:
    """Below the API's prefix, let `request.user` be the bearer's, or anonymous, and never the session cookie's.

    A bad token raises TokenNotValid, and another scheme than Bearer Unauthenticated, when `request.user` is looked
    at: an operation that does not look does not mind. With the user come `request.session_id`, and
    `request._signed_in_user` for the log. Other paths are left as they are.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(kit.API_PREFIX):
            given = "HTTP_AUTHORIZATION" in request.META
            request.user = SimpleLazyObject(lambda: _resolve(request)) if given else AnonymousUser()  # type: ignore[assignment]
        return get_response(request)

    return middleware


def _resolve(request: HttpRequest) -> User:
    scheme, _, token = request.headers["Authorization"].partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    sender = actions.authenticate(token.strip())
    request.session_id = sender.session_id  # type: ignore[attr-defined]
    request._signed_in_user = sender.user  # type: ignore[attr-defined]
    request.user = sender.user  # from now on the user itself, not the lazy object
    return sender.user
