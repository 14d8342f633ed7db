"""The verbs: to register, to sign in and out, to change who one is, and to go."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction

from marketplace_kit import audit
from marketplace_kit.clock import now
from marketplace_kit.exceptions import NotFound
from marketplace_kit.ids import uuid7
from marketplace_kit.jobs import defer
from marketplace_kit.transactions import action
from marketplace_media import actions as media

from . import mailed, signals, tokens
from .exceptions import (
    EmailTaken,
    InvalidCredentials,
    InvalidToken,
    TokenNotValid,
    TokenReused,
    WeakPassword,
    WrongPassword,
)
from .lifecycle import EndReason, Purpose, Role
from .models import OneTimeToken, Profile, Session, User, email_key


class Client(NamedTuple):
    """Where a request came from: its address, and what it says it is."""

    ip: str | None = None
    user_agent: str = ""


NOWHERE = Client()


class SignedIn(NamedTuple):
    """What a fresh session hands out."""

    user: User
    access: str
    refresh: str
    expires_in: int


# --- coming in ---


@action
def register(email: str, password: str, role: Role, profile: dict[str, Any], client: Client = NOWHERE) -> SignedIn:
    """Store a user and sign them in; an e-mail to verify the address follows. EmailTaken, WeakPassword."""
    user = User(email=email, role=role)
    filled = Profile(user=user, **profile)
    if User.objects.with_email(user.email).exists():
        raise EmailTaken
    require_strong("/password", password, user)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:  # somebody was quicker by a moment
        raise EmailTaken from error
    filled.save(force_insert=True)
    _send_verification(user)
    signed_in = _open_session(user, client)
    audit.record("registered", user_id=str(user.pk), address=client.ip)
    signals.user_registered.send(sender=User, user=user)
    return signed_in


@action
def log_in(email: str, password: str, client: Client = NOWHERE) -> SignedIn:
    """Open a session. InvalidCredentials, after the same work whether or not there is such a user."""
    user = User.objects.with_profile().with_email(email).first()
    if user is None:
        make_password(password)
        raise _refused(email, client)
    if not user.check_password(password) or not user.is_active:
        raise _refused(email, client)
    # Holds the row, and with it any change of the password until the session is there to be ended by it.
    if not User.objects.active().filter(pk=user.pk, password=user.password).update(last_login=now()):
        raise _refused(email, client)
    if not hasattr(user, "profile"):  # a host's own means may have stored the user alone
        user.profile, _ = Profile.objects.get_or_create(user=user)
    signed_in = _open_session(user, client)
    audit.record("signed_in", user_id=str(user.pk), address=client.ip)
    return signed_in


def _refused(email: str, client: Client) -> InvalidCredentials:
    audit.record_refusal("sign_in_refused", email_hash=audit.fingerprint(email_key(email)), address=client.ip)
    return InvalidCredentials()


def _open_session(user: User, client: Client) -> SignedIn:
    jti = tokens.new_jti()
    session = Session.objects.create(
        user=user,
        refresh_hash=tokens.hashed(jti),
        ip=client.ip,
        user_agent=client.user_agent,
        expires_at=now() + tokens.REFRESH_LIFETIME,
    )
    return SignedIn(user, *tokens.issue(session.pk, user.pk, jti))


# --- sessions ---


class Bearer(NamedTuple):
    """Whom an access token speaks for, and until when."""

    user: User
    session_id: UUID
    expires_at: datetime


def authenticate(token: str) -> Bearer:
    """Whose token it is, if its session is open. TokenNotValid."""
    claims = tokens.read_access(token)
    user = User.in_session(claims.session_id, claims.user_id)
    if user is None:
        raise TokenNotValid
    return Bearer(user, claims.session_id, claims.expires_at)


def refresh(token: str) -> tokens.Pair:
    """The next pair of tokens. Of all uses of one refresh token, one succeeds; any other ends its session.

    TokenReused, TokenNotValid.
    """
    claims = tokens.read(token, tokens.RefreshToken)
    pair = _rotate(claims)
    if pair is not None:
        return pair
    # In a transaction of its own: the refusal must not undo the end of the session.
    if not _end_if_reused(claims):
        raise TokenNotValid
    audit.record_refusal("refresh_reused", user_id=str(claims.user_id), session_id=str(claims.session_id))
    raise TokenReused


@action
def _rotate(claims: tokens.Claims) -> tokens.Pair | None:
    jti = tokens.new_jti()
    # One UPDATE, whose conditions on the session's own columns PostgreSQL looks at again once it has the row.
    is_current = Session.objects.unended().filter(
        pk=claims.session_id, refresh_hash=tokens.hashed(claims.jti), user__in=User.objects.active()
    )
    renewed = is_current.update(
        refresh_hash=tokens.hashed(jti), last_used_at=now(), expires_at=now() + tokens.REFRESH_LIFETIME
    )
    return tokens.issue(claims.session_id, claims.user_id, jti) if renewed else None


@action
def _end_if_reused(claims: tokens.Claims) -> bool:
    session = Session.objects.filter(pk=claims.session_id).first()
    if session is None or session.refresh_hash == tokens.hashed(claims.jti):
        return False
    Session.objects.filter(pk=session.pk).end(EndReason.REUSED)
    return True


@action
def log_out(token: str) -> None:
    """End the session that a refresh token is of. One that means nothing is no error."""
    try:
        claims = tokens.read(token, tokens.RefreshToken)
    except TokenNotValid:
        return
    if Session.objects.filter(pk=claims.session_id).end(EndReason.LOGGED_OUT):
        audit.record("signed_out", user_id=str(claims.user_id), session_id=str(claims.session_id))


@action
def end_session(user_id: UUID, session_id: UUID) -> None:
    """End one of the user's sessions. NotFound."""
    if not Session.objects.of(user_id).unended().filter(pk=session_id).end(EndReason.ENDED):
        raise NotFound
    audit.record("session_ended", user_id=str(user_id), session_id=str(session_id))


# --- passwords ---


def password_faults(password: str, user: User | None = None) -> list[tuple[str, str]]:
    """What is wrong with a password, by the host's AUTH_PASSWORD_VALIDATORS: codes and sentences."""
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        return [(fault.code or "invalid", fault.messages[0]) for fault in error.error_list]
    return []


def require_strong(pointer: str, password: str, user: User) -> None:
    """WeakPassword at `pointer`, with all that is wrong."""
    faults = password_faults(password, user)
    if faults:
        raise WeakPassword(pointer, faults)


@action
def change_password(user_id: UUID, session_id: UUID | None, current: str, new: str) -> None:
    """Set a new password and end every session but this one. WrongPassword, WeakPassword."""
    user = _user_with_password(user_id, current, "/currentPassword")
    require_strong("/newPassword", new, user)
    hashed = make_password(new)
    # Holds the row before its sessions, as signing in does.
    if not User.objects.filter(pk=user_id, password=user.password).update(password=hashed):
        raise WrongPassword("/currentPassword")  # it was changed meanwhile
    end_what_it_led_to(user_id, EndReason.PASSWORD_CHANGED, but=session_id)
    audit.record("password_changed", user_id=str(user_id))


def _user_with_password(user_id: UUID, password: str, pointer: str) -> User:
    user = User.objects.with_profile().get(pk=user_id)
    if not user.check_password(password):
        audit.record_refusal("password_refused", user_id=str(user_id))
        raise WrongPassword(pointer)
    return user


@action
def end_what_it_led_to(user_id: UUID, reason: EndReason, *, but: UUID | None = None) -> None:
    """End the sessions of a user whose password is another now, but for one, and the links to set another."""
    OneTimeToken.objects.filter(user=user_id, purpose=Purpose.PASSWORD_RESET).use_up()
    Session.objects.of(user_id).others_than(but).end(reason)


@action
def forgot_password(email: str) -> None:
    """Have a link mailed with which to set a new password. For an unknown address the same is done, but the mail."""
    user_id = User.objects.active().with_email(email).values_list("pk", flat=True).first()
    known = None if user_id is None else str(user_id)
    defer("marketplace_accounts.send_password_reset", token_id=str(uuid7()), user_id=known)


@action
def reset_password(secret: str, password: str) -> None:
    """Set a new password by a mailed link and end every session. InvalidToken; WeakPassword, which uses nothing up."""
    user = _owner_of(secret, Purpose.PASSWORD_RESET)
    require_strong("/password", password, user)
    hashed = make_password(password)
    _use_up(secret, Purpose.PASSWORD_RESET)
    User.objects.filter(pk=user.pk).update(password=hashed)
    end_what_it_led_to(user.pk, EndReason.PASSWORD_RESET)
    audit.record("password_reset", user_id=str(user.pk))


# --- mailed links ---


def _send_verification(user: User) -> None:
    defer("marketplace_accounts.send_email_verification", token_id=str(uuid7()), user_id=str(user.pk))


def make_secret(token_id: UUID, user: User, purpose: Purpose) -> str:
    """The secret of a link to be mailed now: the same however often it is asked for, so that a job can be repeated."""
    expires_at = now() + OneTimeToken.lifetime(purpose)
    OneTimeToken.objects.get_or_create(
        pk=token_id, defaults={"user": user, "purpose": purpose, "expires_at": expires_at}
    )
    return mailed.sign(token_id, purpose)


def _owner_of(secret: str, purpose: Purpose) -> User:
    usable = OneTimeToken.objects.usable(purpose).filter(pk=mailed.unsign(secret, purpose))
    token = usable.select_related("user__profile").first()
    if token is None:
        raise InvalidToken
    return token.user


def _use_up(secret: str, purpose: Purpose) -> None:
    if not OneTimeToken.objects.filter(pk=mailed.unsign(secret, purpose)).use_up():
        raise InvalidToken


@action
def verify_email(secret: str) -> None:
    """Take it that the address is its owner's. InvalidToken."""
    user = _owner_of(secret, Purpose.EMAIL_VERIFY)
    _use_up(secret, Purpose.EMAIL_VERIFY)
    User.objects.filter(pk=user.pk, email_verified_at=None).update(email_verified_at=now(), updated_at=now())


@action
def resend_verification(user: User) -> None:
    """Mail the link once more, unless the address is verified."""
    if not user.is_email_verified:
        _send_verification(user)


# --- the profile ---


@action
def update_profile(user_id: UUID, changes: dict[str, Any]) -> None:
    """Change those fields of a profile; None empties one."""
    if not changes:
        return
    _touch(user_id)
    values = {name: "" if value is None else value for name, value in changes.items()}
    Profile.objects.filter(user=user_id).update(**values)
    _tell_profile_changed(user_id)


def _touch(user_id: UUID) -> None:
    """Note that the user has changed; holds the row until the transaction ends.

    TokenNotValid where the user has just been erased or deactivated.
    """
    if not User.objects.active().filter(pk=user_id).update(updated_at=now()):
        raise TokenNotValid


def _tell_profile_changed(user_id: UUID) -> None:
    user = User.objects.with_profile().get(pk=user_id)
    signals.profile_changed.send(sender=User, user=user)


def set_avatar(user_id: UUID, upload: "UploadedFile[bytes]") -> None:
    """Show an image with the profile, instead of the one before. Refuses as media.actions.store_image does."""
    media.store_image(user_id, upload, attach=lambda file: _replace_avatar(user_id, file.pk))


def remove_avatar(user_id: UUID) -> None:
    """Show no image with the profile."""
    _replace_avatar(user_id, None)


@action
def _replace_avatar(user_id: UUID, file_id: UUID | None) -> None:
    _touch(user_id)
    profile = Profile.objects.get(user=user_id)
    before, profile.avatar_id = profile.avatar_id, file_id
    profile.save(update_fields=["avatar"])
    if before is not None:
        media.delete_file(before)
    _tell_profile_changed(user_id)
