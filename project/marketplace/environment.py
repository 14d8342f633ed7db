"""What the environment must say, and what it may not: a start that would be insecure is refused in one sentence."""

import base64
import binascii

import environ
from django.core.exceptions import ImproperlyConfigured

from marketplace_kit.rates import parse

env = environ.Env()

SHORTEST = 32  # characters of a key that something is signed with
# What examples and tutorials have where a secret belongs.
EXAMPLES = ("change-me", "changeme", "change_me", "django-insecure", "example", "your-secret", "replace-me")
PASSWORDS = ("admin", "changeme", "minioadmin", "password", "postgres", "secret")


def needed(name: str) -> str:
    """A variable without which the system would run insecurely, or not at all. ImproperlyConfigured."""
    value: str = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"The environment variable {name} is not set. `.env.example` tells what it is for.")
    return value


def signing_key(name: str, *, other_than: str = "") -> str:
    """A key that something is signed with: long, random, and for one purpose. ImproperlyConfigured."""
    value = needed(name)
    if len(value.encode()) < SHORTEST:
        raise _weak(name, f"is shorter than {SHORTEST} characters")
    if len(set(value)) < 8 or any(word in value.lower() for word in EXAMPLES):
        raise _weak(name, "is an example and no secret")
    if value == other_than:
        raise _weak(name, "is the key that something else is signed with, too")
    return value


def webhook_secret(name: str) -> str:
    """A secret of Standard Webhooks: `whsec_` and 24 to 64 random bytes in base64. ImproperlyConfigured."""
    value = needed(name)
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not value.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise _weak(name, "is not `whsec_` and 24 to 64 bytes in base64")
    if len(set(key)) < 8:
        raise _weak(name, "is an example and no secret")
    return value


def password(name: str, value: str) -> str:
    """What a server of ours is signed in to with; the variable `name` holds it. ImproperlyConfigured."""
    if value.lower() in PASSWORDS:
        raise _weak(name, "has a password that everybody knows")
    return value


def rate(name: str, default: str) -> str:
    """A rate limit, `RATELIMIT_<name>`: `5/m`. ImproperlyConfigured."""
    variable = f"RATELIMIT_{name}"
    value: str = env.str(variable, default="") or default
    try:
        parse(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"The environment variable {variable}: {error}") from error
    return value


def _weak(name: str, fault: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"The environment variable {name} {fault}. Make one of 32 random bytes or more.")
