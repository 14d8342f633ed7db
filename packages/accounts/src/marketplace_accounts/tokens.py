"""Access and refresh tokens: JWTs that name a session, and are nothing without it."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid4

import jwt
from ninja_jwt.backends import TokenBackend
from ninja_jwt.exceptions import TokenBackendError, TokenError
from ninja_jwt.settings import api_settings
from ninja_jwt.tokens import Token

from marketplace_kit.clock import now

from .exceptions import TokenNotValid

ACCESS_LIFETIME: timedelta = api_settings.ACCESS_TOKEN_LIFETIME
REFRESH_LIFETIME: timedelta = api_settings.REFRESH_TOKEN_LIFETIME
LONGEST = 2000  # characters: ours have 400


class _Backend(TokenBackend):
    """Reads tokens of one algorithm, and leaves time to our clock."""

    def decode(self, token: str, verify: bool = True) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                self.signing_key,
                algorithms=["HS256"],
                audience=self.audience,
                issuer=self.issuer,
                options={
                    "verify_signature": verify,
                    "require": ["exp", "iat", "jti", "sub", "sid", "aud", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except (jwt.InvalidTokenError, RecursionError) as error:
            raise TokenBackendError("Token is invalid") from error


BACKEND = _Backend(
    "HS256", signing_key=api_settings.SIGNING_KEY, audience=api_settings.AUDIENCE, issuer=api_settings.ISSUER
)


class _SessionToken(Token):
    """A token of ninja-jwt that names a session."""

    _token_backend = BACKEND

    @classmethod
    def of(cls, session_id: UUID, user_id: UUID, jti: str) -> Self:
        """A new token, good from now."""
        token = cls()
        token.set_exp(from_time=now())
        token.set_iat(at_time=now())
        token["jti"], token["sid"], token["sub"] = jti, str(session_id), str(user_id)
        return token

    def check_exp(self, claim: str = "exp", current_time: datetime | None = None) -> None:
        super().check_exp(claim, current_time or now())


class AccessToken(_SessionToken):
    """Sent with each request."""

    token_type = "access"  # noqa: S105  (the kind of token, not one)
    lifetime = ACCESS_LIFETIME


class RefreshToken(_SessionToken):
    """Exchanged, once, for the next pair."""

    token_type = "refresh"  # noqa: S105
    lifetime = REFRESH_LIFETIME


class Claims(NamedTuple):
    """What a token says, its signature, kind, audience, issuer and time having been checked."""

    session_id: UUID
    user_id: UUID
    jti: str
    expires_at: datetime


class Pair(NamedTuple):
    """The tokens of a session, and how many seconds the access token is good for."""

    access: str
    refresh: str
    expires_in: int


def new_jti() -> str:
    """A name for a token that nobody guesses."""
    return uuid4().hex


def hashed(jti: str) -> str:
    """How a token's name is stored: random enough to need no salt."""
    return hashlib.sha256(jti.encode()).hexdigest()


def issue(session_id: UUID, user_id: UUID, jti: str) -> Pair:
    """The tokens of a session whose current refresh token is called `jti`."""
    return Pair(
        access=str(AccessToken.of(session_id, user_id, new_jti())),
        refresh=str(RefreshToken.of(session_id, user_id, jti)),
        expires_in=int(ACCESS_LIFETIME.total_seconds()),
    )


def read(text: str, kind: type[AccessToken | RefreshToken]) -> Claims:
    """What a token of this kind says. TokenNotValid."""
    if len(text) > LONGEST:
        raise TokenNotValid
    try:
        token = kind(text)
        return Claims(UUID(token["sid"]), UUID(token["sub"]), token["jti"], datetime.fromtimestamp(token["exp"], UTC))
    except (TokenError, ValueError) as error:
        raise TokenNotValid from error


def read_access(text: str) -> Claims:
    """What an access token says. TokenNotValid."""
    claims = _access(text)
    if claims.expires_at <= now():
        raise TokenNotValid
    return claims


@lru_cache(4096)
def _access(text: str) -> Claims:
    # Sent with each request for a quarter of an hour: nothing but the time makes a good signature bad.
    return read(text, AccessToken)
