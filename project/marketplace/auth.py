"""Who may call an operation that does not say `auth=None`: whoever sends a good access token. And who may listen."""

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from ninja.security.http import HttpAuthBase

from marketplace_accounts.actions import authenticate
from marketplace_accounts.exceptions import TokenNotValid
from marketplace_accounts.models import Session
from marketplace_kit.exceptions import Unauthenticated


class AccessToken(HttpAuthBase):
    """The middleware resolves the token into `request.user`; here it is only asked whether there was one."""

    openapi_scheme = "bearer"
    openapi_description = (
        "The `access` token of a Session, a JWT, sent as `Authorization: Bearer …`. It is valid for 15 minutes; get a"
        " new one with `POST /api/v1/auth/refresh`. An invalid token is refused even where signing in is optional."
    )
    refusals = (TokenNotValid,)

    def __call__(self, request: HttpRequest) -> bool:
        if not request.user.is_authenticated:
            raise Unauthenticated
        return True


def stream_viewer(request: HttpRequest) -> tuple[UUID, str, datetime]:
    """Whose stream a bearer opens, its session, and when the token ends. Unauthenticated, TokenNotValid."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    bearer = authenticate(token.strip())
    return bearer.user.pk, str(bearer.session_id), bearer.expires_at


def sessions_ended(keys: set[str]) -> set[str]:
    """Which of these sessions are over."""
    return {str(key) for key in Session.objects.ended_among({UUID(key) for key in keys})}
