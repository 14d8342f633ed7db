"""`/auth`: coming in, staying in, going out."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Status

from marketplace_kit.exceptions import NotFound
from marketplace_kit.pagination import Whole
from marketplace_kit.ratelimits import count
from marketplace_kit.routing import Router, ignores_authorization, limited_as, refuses
from marketplace_kit.schemas import Id, clean_line
from marketplace_kit.users import user_of

from . import actions, schemas
from .exceptions import (
    EmailTaken,
    InvalidCredentials,
    InvalidToken,
    TokenNotValid,
    TokenReused,
    WeakPassword,
    WrongPassword,
)
from .models import Session, User, email_key

router = Router(tags=["Auth"])


def client_of(request: HttpRequest) -> actions.Client:
    """Where the request came from."""
    agent = request.headers.get("User-Agent", "").encode("latin-1", "replace").decode("utf-8", "replace")
    return actions.Client(getattr(request, "client_address", None), clean_line(agent)[:500])


def session_id_of(request: HttpRequest) -> UUID | None:
    """The session that the request acts in, where its user came by a bearer token."""
    return getattr(request, "session_id", None)


@router.post("/register", auth=None, response={201: schemas.Session})
@limited_as("register")
@ignores_authorization
@refuses(EmailTaken, WeakPassword)
def register(request: HttpRequest, body: schemas.Register) -> Status[actions.SignedIn]:
    """Register and sign in. An e-mail to verify the address follows."""
    signed_in = actions.register(body.email, body.password, body.role, body.profile.fields(), client_of(request))
    return Status(201, signed_in)


@router.post("/login", auth=None, response=schemas.Session)
@limited_as("sign_in")
@ignores_authorization
@refuses(InvalidCredentials)
def log_in(request: HttpRequest, body: schemas.LogIn) -> actions.SignedIn:
    """Sign in."""
    count(request, "email", email_key(body.email))
    return actions.log_in(body.email, body.password, client_of(request))


@router.post("/refresh", auth=None, response=schemas.Tokens)
@ignores_authorization
@refuses(TokenNotValid, TokenReused)
def refresh_session(request: HttpRequest, body: schemas.Refresh) -> Any:
    """Exchange a refresh token for a new token pair. It works once; reusing it ends the whole session."""
    return actions.refresh(body.refresh)


@router.post("/logout", auth=None, response={204: None})
@ignores_authorization
def log_out(request: HttpRequest, body: schemas.Refresh) -> Status[None]:
    """Sign out: end a session by its refresh token. An unknown token is not an error."""
    actions.log_out(body.refresh)
    return Status(204, None)


@router.get("/sessions", response=Whole[schemas.OpenSession])
def list_sessions(request: HttpRequest) -> dict[str, Any]:
    """Your open sessions, newest first."""
    sessions = list(Session.objects.open().of(user_of(request).pk).order_by("-created_at", "-id"))
    for session in sessions:
        session.current = session.pk == session_id_of(request)  # type: ignore[attr-defined]
    return {"items": sessions}


@router.delete("/sessions/{session_id}", response={204: None})
@refuses(NotFound)
def end_session(request: HttpRequest, session_id: Id) -> Status[None]:
    """End one of your sessions. Its tokens stop working at once."""
    actions.end_session(user_of(request).pk, session_id)
    return Status(204, None)


@router.post("/password/forgot", auth=None, response={202: None})
@limited_as("password_reset")
@ignores_authorization
def forgot_password(request: HttpRequest, body: schemas.ForgotPassword) -> Status[None]:
    """Request an e-mail with a link to reset your password. The response is the same for unknown addresses."""
    actions.forgot_password(body.email)
    return Status(202, None)


@router.post("/password/reset", auth=None, response={204: None})
@limited_as("password_reset")
@ignores_authorization
@refuses(InvalidToken, WeakPassword)
def reset_password(request: HttpRequest, body: schemas.ResetPassword) -> Status[None]:
    """Set a new password with the token from the e-mail. All your sessions end."""
    actions.reset_password(body.token, body.password)
    return Status(204, None)


@router.post("/password/change", response={204: None})
@limited_as("password_check")
@refuses(WrongPassword, WeakPassword)
def change_password(request: HttpRequest, body: schemas.ChangePassword) -> Status[None]:
    """Change your password. All your other sessions end; this one stays open."""
    user_id, session_id = user_of(request).pk, session_id_of(request)
    actions.change_password(user_id, session_id, body.current_password, body.new_password)
    return Status(204, None)


@router.post("/email/verify", auth=None, response={204: None})
@ignores_authorization
@refuses(InvalidToken)
def verify_email(request: HttpRequest, body: schemas.VerifyEmail) -> Status[None]:
    """Verify your e-mail address with the token from the e-mail."""
    actions.verify_email(body.token)
    return Status(204, None)


@router.post("/email/resend", response={202: None})
@limited_as("email_resend")
def resend_verification(request: HttpRequest) -> Status[None]:
    """Send the verification e-mail again."""
    actions.resend_verification(User.objects.get(pk=user_of(request).pk))
    return Status(202, None)
