"""What `check` says of a deployment, beyond what the start is refused for."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution

# Of servers that were tried out and never given another.
KNOWN_PASSWORDS = ("admin", "changeme", "minioadmin", "password", "postgres", "secret")


@register(Tags.security)
def check_origins(**_: Any) -> list[CheckMessage]:
    """Every site may read, or some may with cookies: never both."""
    every = settings.CORS_ALLOW_ALL_ORIGINS
    if every and settings.CORS_ALLOW_CREDENTIALS:
        return [Error("CORS_ALLOWED_ORIGINS has a wildcard, forbidden with credentials.", id="marketplace.E001")]
    return []


@register(Tags.security, deploy=True)
def check_servers(**_: Any) -> list[CheckMessage]:
    """The servers' passwords are not those that they are delivered with."""
    given = {
        "DATABASE_URL": settings.DATABASES["default"]["PASSWORD"],
        "CACHE_URL": urlsplit(settings.CACHE_URL).password,
        "S3_SECRET_ACCESS_KEY": settings.MEDIA["SECRET_ACCESS_KEY"],
    }
    return [
        Caution(f"{name} has a well-known password.", id="marketplace.W001")
        for name, password in given.items()
        if password in KNOWN_PASSWORDS
    ]


@register(Tags.security, deploy=True)
def check_limits(**_: Any) -> list[CheckMessage]:
    """Passwords cannot be guessed as fast as one likes."""
    if settings.RATELIMIT_ENABLE:
        return []
    return [Caution("RATELIMIT_ENABLE is off: there are no rate limits.", id="marketplace.W002")]
