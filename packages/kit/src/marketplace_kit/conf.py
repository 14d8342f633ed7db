"""The knobs of kit, in Django's settings as `KIT = {...}`."""

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
    # Addresses or networks whose X-Forwarded-For is believed.
    TRUSTED_PROXIES: list[Annotated[str, AfterValidator(network)]] = []
    # By the name that operations carry, else `read` or `write`: {"email": "5/m", "address": "20/m"}. See ratelimits.py.
    RATE_LIMITS: dict[str, dict[str, Annotated[str, AfterValidator(rate)]]] = {}
    # For how long a public answer is kept, of Django's CACHES in which; 0: not at all. While that cache is down, it is
    # also how long a write may take that changes what is shown. See public_cache.py.
    PUBLIC_CACHE_SECONDS: int = 0
    PUBLIC_CACHE: str = "default"
    MAX_MULTIPART_OVERHEAD: int = 64_000  # bytes that a multipart body may have around its file


conf = Settings()
