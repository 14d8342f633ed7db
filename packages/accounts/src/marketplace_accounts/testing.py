"""Made-up data for tests, ours and a host's."""

from typing import Any
from uuid import uuid4

from marketplace_kit.clock import now

from . import tokens
from .lifecycle import Role
from .models import Session, User

PASSWORD = "correct horse battery"


def make_user(email: str | None = None, password: str | None = None, **fields: Any) -> User:
    """A customer with a profile, without a usable password unless one is given: hashing is slow."""
    fields = {"profile": {"first_name": "Ada", "last_name": "Lovelace"}} | fields
    return User.objects.create_user(email or f"{uuid4().hex}@example.com", password, **fields)


def make_provider(**fields: Any) -> User:
    """A provider, as `make_user`."""
    return make_user(**{"role": Role.PROVIDER} | fields)


def make_session(user: User, **fields: Any) -> tuple[Session, tokens.Pair]:
    """An open session and its tokens."""
    jti = tokens.new_jti()
    values = {"refresh_hash": tokens.hashed(jti), "expires_at": now() + tokens.REFRESH_LIFETIME} | fields
    session = Session.objects.create(user=user, **values)
    return session, tokens.issue(session.pk, user.pk, jti)


def bearer(user: User) -> str:
    """The value of an `Authorization` header of a new session of this user."""
    return f"Bearer {make_session(user)[1].access}"
