"""What can be wrong with a host's settings."""

from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.utils.module_loading import import_string

SHORTEST_KEY = 32  # bytes: RFC 7518 asks HS256 for as many as its hash has


def check_settings(**_: object) -> list[CheckMessage]:
    """Every mistake in the settings that would be one of security."""
    return [*_check_user_model(), *_check_jwt(), *_check_passwords()]


def _check_user_model() -> list[CheckMessage]:
    if settings.AUTH_USER_MODEL == "marketplace_accounts.User":
        return []
    return [Error("AUTH_USER_MODEL must be 'marketplace_accounts.User'.", id="marketplace_accounts.E001")]


def _check_jwt() -> list[CheckMessage]:
    from .jwt import jwt_settings

    given: dict[str, Any] = getattr(settings, "NINJA_JWT", {})
    missing = sorted(jwt_settings("").keys() - given.keys())
    if missing or hasattr(settings, "SIMPLE_JWT"):
        text = f"Create NINJA_JWT with marketplace_accounts.jwt.jwt_settings(), and remove SIMPLE_JWT. Unset: {missing}"
        return [Error(text, id="marketplace_accounts.E002")]
    found: list[CheckMessage] = []
    if len(given["SIGNING_KEY"].encode()) < SHORTEST_KEY or given["SIGNING_KEY"] == settings.SECRET_KEY:
        text = f"NINJA_JWT['SIGNING_KEY'] must have {SHORTEST_KEY} bytes or more, and must not be SECRET_KEY."
        found.append(Error(text, id="marketplace_accounts.E003"))
    if given["ALGORITHM"] != "HS256" or not given["ISSUER"] or not given["AUDIENCE"]:
        found.append(Error("NINJA_JWT must name HS256, an issuer and an audience.", id="marketplace_accounts.E004"))
    return found


def _check_passwords() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not issubclass(import_string(settings.PASSWORD_HASHERS[0]), Argon2PasswordHasher):
        found.append(Caution("PASSWORD_HASHERS should begin with Argon2.", id="marketplace_accounts.W001"))
    if not settings.AUTH_PASSWORD_VALIDATORS:
        found.append(Caution("Without AUTH_PASSWORD_VALIDATORS weak passwords pass.", id="marketplace_accounts.W002"))
    return found
