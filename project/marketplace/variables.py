"""Variables of the environment, each read as what it must be; what it is not is refused in a sentence that names it.

One that is empty is as good as none: files of variables set those, too, that nobody has filled in.
"""

import os
from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated, Any

from django.core.exceptions import ImproperlyConfigured
from pydantic import Field, HttpUrl, TypeAdapter, ValidationError


def text(name: str, default: str = "") -> str:
    """As it is."""
    return os.environ.get(name) or default


def words(name: str) -> list[str]:
    """Those between commas."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def flag(name: str, default: bool) -> bool:
    """1 or 0, or words for that. ImproperlyConfigured for others: a typing error must not mean no."""
    return bool(_read(name, bool, default))


def number(name: str, default: int, *, least: int = 0, most: int) -> int:
    """A whole one. ImproperlyConfigured."""
    return int(_read(name, Annotated[int, Field(ge=least, le=most)], default))


def seconds(name: str, default: float) -> float:
    """Of a time limit, up to a day. ImproperlyConfigured."""
    return float(_read(name, Annotated[float, Field(ge=0, le=86_400)], default))


def percent(name: str, default: int) -> Decimal:
    """From 0 to 100, exactly. ImproperlyConfigured."""
    return Decimal(_read(name, Annotated[Decimal, Field(ge=0, le=100)], default))


def choice(name: str, default: str, *others: str) -> str:
    """One of these, however it is capitalised. ImproperlyConfigured."""
    known = {word.casefold(): word for word in (default, *others)}
    given = text(name, default).strip()
    if given.casefold() not in known:
        raise refused(name, f"It may be {', '.join(known.values())}")
    return known[given.casefold()]


def web_address(name: str, default: str = "") -> str:
    """An address that begins with http:// or https://, without a slash at its end. ImproperlyConfigured."""
    _read(name, HttpUrl, default)
    return text(name, default).strip().rstrip("/")


def networks(name: str) -> list[str]:
    """IP addresses and networks. ImproperlyConfigured."""
    for word in words(name):
        try:
            ip_network(word, strict=False)
        except ValueError as error:
            raise refused(name, str(error)) from None
    return words(name)


def refused(name: str, fault: str) -> ImproperlyConfigured:
    """What a variable is refused with."""
    return ImproperlyConfigured(f"The environment variable {name}: {fault}.")


def _read(name: str, kind: Any, default: Any) -> Any:
    said = text(name).strip()
    try:
        return TypeAdapter(kind).validate_strings(said) if said else default
    except ValidationError as error:
        raise refused(name, error.errors()[0]["msg"]) from None
