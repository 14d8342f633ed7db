"""Rate limits, counted by django-ratelimit in the cache that RATELIMIT_USE_CACHE names: exact across processes.

KIT["RATE_LIMITS"] is the table: by the name that an operation carries (`limited_as`), else `read` or `write`, the rate
of each kind of sender. A rate by `user` counts who has none by address, of which IPv6 hands out 64 bits at a time.
"""

import math
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_ratelimit.core import get_usage  # type: ignore[import-untyped]
from ninja.operation import Operation

from .audit import fingerprint
from .conf import conf
from .exceptions import DomainError, ServiceUnavailable
from .middleware import client_address
from .rates import Rate, parse

READ, WRITE = "read", "write"
SAFE = {"GET", "HEAD", "OPTIONS"}
REST = 1.0  # seconds for which a cache that failed is left alone by those who go on without it
TELL_EVERY = 60.0  # seconds between two lines of log about it

log = structlog.get_logger(__name__)


class RateLimited(DomainError):
    """Too many requests. Try again after the number of seconds given in `Retry-After`."""

    status = 429
    code = "rate_limited"


class Usage(NamedTuple):
    """What a sender has left: of which kind it was counted, how many requests, and in how many seconds it is anew."""

    kind: str
    left: int
    seconds: int


def name_of(operation: Operation) -> str | None:
    """Under which name of the table an operation is counted; None: it is not."""
    other = READ if SAFE.issuperset(operation.methods) else WRITE
    name: str | None = getattr(operation.view_func, "limited_as", other)
    return name


def rates_of(name: str | None) -> dict[str, Rate]:
    """The rates under a name of the table, by kind of sender."""
    if name is None or not getattr(settings, "RATELIMIT_ENABLE", True):
        return {}
    return {kind: parse(text) for kind, text in conf.RATE_LIMITS.get(name, {}).items()}


@lru_cache(1024)
def bucket(address: str) -> str:
    """What an address is counted under: itself, or the /64 of an IPv6 one, which is the least that anybody gets."""
    ip = ip_address(address)
    return str(IPv6Network((int(ip), 64), strict=False)) if isinstance(ip, IPv6Address) else address


class Meter:
    """Counts one request as its operation is limited, and tells the sender how much is left.

    RateLimited at one too many. With the cache down, reads and writes go on uncounted, and what has a name of its own
    in the table is ServiceUnavailable: a guesser of passwords shall not profit from it.
    """

    def __init__(self, request: HttpRequest, name: str | None) -> None:
        self.request = request
        self.name = name
        self.rates = rates_of(name)
        self.usages: list[Usage] = []

    def by_address(self) -> None:
        """Count where the request came from."""
        if "address" in self.rates:
            address = getattr(self.request, "client_address", None) or client_address(self.request)
            self._count("address", bucket(address))

    def by_user(self, user: Any | None) -> None:
        """Count the user, or the address of a request that has none."""
        rate = self.rates.get("user")
        if rate is None:
            return
        if user is not None:
            self._count("user", str(user.pk))
        else:
            self.rates = {("address" if kind == "user" else kind): rate for kind, rate in self.rates.items()}
            self.by_address()

    def by(self, kind: str, text: str) -> None:
        """Count something that the request names, such as an e-mail address in the form that it is compared by."""
        if kind in self.rates:
            self._count(kind, fingerprint(text))

    def tell(self, response: HttpResponseBase) -> None:
        """Write what is left into the answer: RateLimit of the nearest limit, by the IETF's draft, and Retry-After."""
        if not self.rates:
            return
        response["RateLimit-Policy"] = ", ".join(
            f'"{kind}";q={rate.quota};w={rate.seconds}' for kind, rate in self.rates.items()
        )
        if self.usages:
            nearest = min(self.usages, key=lambda usage: (usage.left, -usage.seconds))
            response["RateLimit"] = f'"{nearest.kind}";r={nearest.left};t={nearest.seconds}'
            if response.status_code == RateLimited.status:
                response["Retry-After"] = str(nearest.seconds)

    def _count(self, kind: str, value: str) -> None:
        rate = self.rates[kind]
        must = self.name not in (READ, WRITE)
        found = _used(self.request, f"{self.name}.{kind}", value, rate, must=must)
        if found is None:
            return
        # django-ratelimit's windows end with the second that `time_left` leads to.
        self.usages.append(Usage(kind, max(0, rate.quota - found["count"]), max(1, found["time_left"] + 1)))
        if found["should_limit"]:
            raise RateLimited


def count(request: HttpRequest, kind: str, text: str) -> None:
    """Count a request by what its body names, where its operation is limited by that. RateLimited."""
    meter: Meter | None = getattr(request, "meter", None)
    if meter is not None:
        meter.by(kind, text)


@dataclass
class _Outage:
    over_at: float = 0.0
    told_at: float = -math.inf

    def note(self, reason: str) -> None:
        now = time.monotonic()
        self.over_at = now + REST
        if now >= self.told_at + TELL_EVERY:
            self.told_at = now
            log.error("rate_limits_not_counted", reason=reason)


outage = _Outage()


def _used(request: HttpRequest, group: str, value: str, rate: Rate, *, must: bool) -> dict[str, Any] | None:
    """What django-ratelimit counts, this request included. None: not counted. ServiceUnavailable where it `must` be."""
    if not must and time.monotonic() < outage.over_at:
        return None
    try:
        found: dict[str, Any] = get_usage(
            request, group, key=lambda *_: value, rate=(rate.quota, rate.seconds), increment=True
        )
    except Exception as error:  # whatever the cache's client raises: which one it is, the host knows
        outage.note(f"{type(error).__name__}: {error}")
    else:
        if found["limit"]:
            return found
        outage.note("The cache lost what was counted.")
    if must:
        raise ServiceUnavailable
    return None
