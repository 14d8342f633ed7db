"""Kit's settings, in Django's settings as `KIT = {...}`."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator

from .rates import parse
from .settings import PackageSettings


def network(text: str) -> str:
    """An IP address or network, as it is. ValueError."""
    ip_network(text, strict=False)
    return text


def rate(text: str) -> str:
    """A rate such as 5/m, as it is. ValueError."""
    parse(text)
    return text


class Settings(PackageSettings, name="KIT"):
    API_PREFIX: str = "/api/"  # below this path every error is a problem document
    MAX_JSON_BYTES: int = 1_000_000  # a larger JSON body is refused with 413
    # Addresses or networks whose X-Forwarded-For is trusted.
    TRUSTED_PROXIES: list[Annotated[str, AfterValidator(network)]] = []
    # By the name that operations carry, else `read` or `write`: {"email": "5/m", "address": "20/m"}. See ratelimits.py.
    RATE_LIMITS: dict[str, dict[str, Annotated[str, AfterValidator(rate)]]] = {}
    # How long a public answer is cached, and in which of Django's CACHES; 0: not at all. While that cache is down, a
    # write that changes what is shown may take this long as well. See public_cache.py.
    PUBLIC_CACHE_SECONDS: int = 0
    PUBLIC_CACHE: str = "default"
    MAX_MULTIPART_OVERHEAD: int = 64_000  # bytes that a multipart body may have around its file


conf = Settings()
