"""The knobs of kit, in Django's settings as `KIT = {...}`."""

from .settings import PackageSettings


class Settings(PackageSettings, name="KIT"):
    API_PREFIX: str = "/api/"  # below this path every error is a problem document
    MAX_JSON_BYTES: int = 1_000_000  # a larger JSON body is refused with 413
    TRUSTED_PROXIES: list[str] = []  # addresses or networks whose X-Forwarded-For is believed
    # By the name that operations carry, else `read` or `write`: {"email": "5/m", "address": "20/m"}. See ratelimits.py.
    RATE_LIMITS: dict[str, dict[str, str]] = {}
    # For how long a public answer is kept, of Django's CACHES in which; 0: not at all. While that cache is down, it is
    # also how long a write may take that changes what is shown. See public_cache.py.
    PUBLIC_CACHE_SECONDS: int = 0
    PUBLIC_CACHE: str = "default"
    MAX_MULTIPART_OVERHEAD: int = 64_000  # bytes that a multipart body may have around its file


conf = Settings()
