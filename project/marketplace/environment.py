"""What the environment must say, and what it may not: a start that would be insecure is refused in one sentence."""

import base64
import os
from collections.abc import Mapping
from math import ceil
from tempfile import gettempdir
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured

from marketplace_kit.databases import from_url
from marketplace_kit.rates import parse

from .variables import choice, refused, seconds, text, web_address

# Which of the processes that serve we are: api, stream or worker; empty in a command that somebody types.
PROCESS = text("MARKETPLACE_PROCESS")

SMTP_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
REPEATED = 5  # times that a connection is asked one thing before it keeps the plan
SHORTEST = 32  # characters of a key that something is signed with
# What examples and tutorials have where a secret belongs.
EXAMPLES = ("change-me", "change_me", "changeme", "django-insecure", "example", "replace-me", "your-secret")


def needed(name: str) -> str:
    """A variable without which the system would run insecurely, or not at all. ImproperlyConfigured."""
    value = text(name)
    if not value:
        raise ImproperlyConfigured(f"The environment variable {name} is not set. `.env.example` explains it.")
    return value


def signing_key(name: str, *, debug: bool, other_than: str = "") -> str:
    """What something is signed with. In production long, no example, and for one purpose, else ImproperlyConfigured."""
    value = needed(name)
    if debug:
        return value
    if len(value.encode()) < SHORTEST:
        raise _weak(name, f"is too short for a key: it needs {SHORTEST} characters or more")
    if is_example(value):
        raise _weak(name, "holds an example value")
    if value == other_than:
        raise _weak(name, "holds the key that something else is signed with, too")
    return value


def webhook_secret(name: str, *, debug: bool) -> str:
    """A secret of Standard Webhooks, in production `whsec_` and 24 to 64 bytes in base64. ImproperlyConfigured."""
    value = needed(name)
    if debug:
        return value
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except ValueError:  # as binascii's own error is one
        key = b""
    if not value.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise _weak(name, "is not `whsec_` and 24 to 64 bytes in base64")
    if is_example(value) or is_example(key.decode(errors="replace")):
        raise _weak(name, "holds an example value")
    return value


def is_example(secret: str) -> bool:
    """Whether it was copied from somewhere, and not made."""
    return any(word in secret.lower() for word in EXAMPLES)


def rate(name: str, default: str) -> str:
    """The rate limit `RATELIMIT_<name>`, such as 5/m. ImproperlyConfigured."""
    variable = f"RATELIMIT_{name}"
    value = text(variable, default)
    try:
        parse(value)
    except ValueError as error:
        raise refused(variable, str(error).rstrip(".")) from error
    return value


def log_level() -> str:
    """From which level on log lines are written. ImproperlyConfigured."""
    return choice("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")


def needed_address(name: str) -> str:
    """A web address without which the system would not run. ImproperlyConfigured."""
    needed(name)
    return web_address(name)


def cache_urls(name: str, count: int) -> list[str]:
    """URLs of so many databases of a Valkey or Redis, from the one on that the variable names. ImproperlyConfigured."""
    url = needed(name)
    try:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            options = [option for option in parts.query.split("&") if option and not option.startswith("db=")]
            first = int(dict(parse_qsl(parts.query)).get("db", 0))
            return [f"unix://{parts.path}?{'&'.join([*options, f'db={n}'])}" for n in range(first, first + count)]
        if parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0:
            first = int(parts.path.strip("/") or 0)
            return [parts._replace(path=f"/{n}").geturl() for n in range(first, first + count)]
    except ValueError:  # of the port, or the database, that is no number
        pass
    # Nothing of it is told: there may be a password in it.
    raise refused(name, "It is not the URL of a Valkey or Redis server, such as redis://:password@host:6379")


def database(name: str) -> dict[str, Any]:
    """Django's dictionary for the database that this variable names. ImproperlyConfigured."""
    url = needed(name)
    try:
        return from_url(url)
    except psycopg.ProgrammingError:
        # Not told from what: that quotes a part of the URL, and there is a password in it.
        raise ImproperlyConfigured(
            f"The environment variable {name} is not a PostgreSQL URL, such as postgresql://user:password@host:5432/name."
        ) from None


def mailer(smtp: str) -> dict[str, Any]:
    """SMTP where a URL names a server, else one file per message. ImproperlyConfigured."""
    if not smtp:
        folder = text("EMAIL_FILE_PATH", ".marketplace/mail")
        return {"BACKEND": "marketplace_kit.mail.FileBackend", "OPTIONS": {"file_path": folder}}
    try:
        url = urlsplit(smtp)
        usual = SMTP_PORTS[url.scheme]  # another scheme must not quietly mean a connection without TLS
        host, port = url.hostname, url.port or usual
    except (KeyError, ValueError):
        host = None
    if not host:
        raise refused("EMAIL_URL", f"It does not begin with {', '.join(f'{scheme}://host' for scheme in SMTP_PORTS)}")
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "use_tls": url.scheme == "smtp+tls",
        "use_ssl": url.scheme == "smtp+ssl",
        "timeout": 20,
    }
    if url.username:
        options |= {"username": unquote(url.username), "password": unquote(url.password or "")}
    return {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}


def in_memory() -> str:
    """A folder in memory, where there is one: a full disk would kill whoever counts in files on it."""
    memory = "/dev/shm"  # noqa: S108  (what is made there is ours alone, or refused)
    return memory if os.access(memory, os.W_OK) else gettempdir()


def postgres_options(given: Mapping[str, Any], *, pooled: bool = False) -> dict[str, Any]:
    """How PostgreSQL treats our connections. A DATABASE_URL that has `options` of its own has decided that itself.

    Nobody waits for ever for a lock, a migration neither: whoever queues behind it would wait as well. What serves
    also ends its statements in time; a command that somebody types may take its own. A pooler refuses whoever says
    so when connecting: it says it itself, by its `connect_query`.
    """
    if pooled:
        return {**_known(), "prepare_threshold": None, **given}  # its connections are never the same
    limits = {"lock_timeout": seconds("DATABASE_LOCK_TIMEOUT", 10)}
    if PROCESS:
        limits["statement_timeout"] = seconds("DATABASE_STATEMENT_TIMEOUT", 30)
        limits["idle_in_transaction_session_timeout"] = seconds("DATABASE_IDLE_TIMEOUT", 60)
    # In milliseconds, of which less than one would be none: no limit.
    said = {name: str(ceil(limit * 1000)) for name, limit in limits.items() if limit}
    # What we prepare is looked up by key. Left to itself PostgreSQL goes on planning much of it each time: a list of
    # keys of unknown length looks dear to it.
    said["plan_cache_mode"] = "force_generic_plan"
    options = " ".join(f"-c {name}={value}" for name, value in said.items())
    return {**_known(), "prepare_threshold": REPEATED, "options": options, **given}


def _known() -> dict[str, Any]:
    return {"application_name": f"marketplace {PROCESS}".strip(), "connect_timeout": 5}


def _weak(name: str, fault: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"The environment variable {name} {fault}. `.env.example` explains how to create one.")
