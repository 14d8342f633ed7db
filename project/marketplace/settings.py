"""Django's settings. Whatever differs between machines comes from the environment; `.env.example` lists it all."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.utils.csp import CSP
from redis.backoff import NoBackoff
from redis.retry import Retry

from marketplace_accounts.jwt import jwt_settings
from marketplace_kit.logs import logging_config

from .environment import (
    PROCESS,
    cache_urls,
    database,
    in_memory,
    log_level,
    mailer,
    needed,
    needed_address,
    postgres_options,
    rate,
    signing_key,
    webhook_secret,
)
from .valkey import TimedByKernel
from .variables import choice, flag, networks, number, percent, text, web_address, words

HERE = Path(__file__).parent

# --- the essentials ---

DEBUG = flag("DEBUG", False)
SECRET_KEY = signing_key("SECRET_KEY", debug=DEBUG)
PUBLIC_URL = web_address("PUBLIC_URL", "http://127.0.0.1:8000")
_public = urlsplit(PUBLIC_URL)
IS_HTTPS = _public.scheme == "https"
# Where the mock gateway's webhooks go: through PUBLIC_URL, unless the worker reaches the API by a shorter way only.
MOCK_WEBHOOK_URL = web_address("MOCK_GATEWAY_WEBHOOK_URL", f"{PUBLIC_URL}/api/v1/payments/webhooks/mock")
ALLOWED_HOSTS = [
    *(words("ALLOWED_HOSTS") or [_public.hostname or "127.0.0.1"]),
    # Those who look whether we live, and the gateway, call us by names of their own.
    *("127.0.0.1", "localhost", "[::1]", urlsplit(MOCK_WEBHOOK_URL).hostname or "localhost"),
]
TRUSTED_PROXIES = networks("TRUSTED_PROXIES")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "procrastinate.contrib.django",
    "corsheaders",
    "ninja",
    "cachalot",
    "marketplace_kit",
    "marketplace_media",
    "marketplace_accounts",
    "marketplace_scheduling",
    "marketplace_catalog",
    "marketplace_booking",
    "marketplace_billing",
    "marketplace_billing.gateways.mock",
    "marketplace_reviews",
    "marketplace_notifications",
    "marketplace",
]

MIDDLEWARE = [
    "marketplace.proxies.believe_trusted",
    "marketplace_kit.middleware.request_context",
    # Outside of what answers errors: a browser shows a page no answer without these headers.
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "marketplace_kit.middleware.api_errors",
    "marketplace_kit.middleware.plain_http",
    "marketplace_kit.middleware.known_host",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Sessions, CSRF and messages are the admin's alone; an API request passes them by.
    "marketplace.middleware.AdminSessionMiddleware",
    "marketplace.middleware.AdminCsrfMiddleware",
    "marketplace.middleware.AdminAuthenticationMiddleware",
    "marketplace.middleware.AdminMessageMiddleware",
    "marketplace_accounts.middleware.bearer",
]

ROOT_URLCONF = "marketplace.urls"
WSGI_APPLICATION = "marketplace.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- the parts it runs on ---

# API and stream may go through a pooler; the worker's LISTEN and migrations need a session of their own.
_past_pooler = bool(text("DATABASE_DIRECT_URL"))
_pooled = _past_pooler and PROCESS in ("api", "stream")
_database = database("DATABASE_DIRECT_URL") if _past_pooler and not _pooled else database("DATABASE_URL")
DATABASES = {
    "default": {
        **_database,
        "ENGINE": "marketplace_kit.postgresql",  # Django's own, but for the health checks
        "OPTIONS": postgres_options(_database["OPTIONS"], pooled=_pooled),
        # A new connection costs 4 to 8 ms of database CPU, so each thread keeps its own.
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        # A cursor that outlives its transaction is lost behind a pooler.
        "DISABLE_SERVER_SIDE_CURSORS": _pooled,
    }
}
CACHE_URL, _limits_url, _categories_url = cache_urls("CACHE_URL", 3)
# They fail aloud: whoever asks knows what to do without. A connection from before a restart is tried once more.
_cache_options: dict[str, Any] = {
    "SOCKET_TIMEOUT": 0.5,
    "SOCKET_CONNECT_TIMEOUT": 0.5,
    "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 1)},
}
_kept_options = dict(_cache_options)
if PROCESS == "api":
    # A thread of the API keeps its connection; in the other processes threads and tasks come and go.
    _kept_options["REDIS_CLIENT_CLASS"] = "marketplace.valkey.OwnConnection"
    _kept_options["REDIS_CLIENT_KWARGS"] = {"single_connection_client": True}
    # Over TLS and Unix sockets it is one of the library's.
    _own = {"connection_class": TimedByKernel} if urlsplit(CACHE_URL).scheme == "redis" else {}
    _kept_options["CONNECTION_POOL_KWARGS"] = {"retry": Retry(NoBackoff(), 0), **_own}
CACHES = {
    # Bodies of public answers.
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "OPTIONS": _kept_options,
    },
    # django-cachalot's, which can't do without: so this one fails softly.
    "categories": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": _categories_url,
        "OPTIONS": {**_cache_options, "IGNORE_EXCEPTIONS": True},
    },
    # What is counted against rate limits.
    "limits": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": _limits_url,
        "OPTIONS": {**_kept_options, "CLIENT_CLASS": "marketplace.valkey.Counters"},
    },
}
# Fenced in to the one table that is read much and that no request writes. Everywhere else it costs more than it saves,
# and can't be trusted: docs/decisions/0002-what-is-cached.md.
CACHALOT_ENABLED = flag("CACHALOT_ENABLED", True)
CACHALOT_CACHE = "categories"
CACHALOT_ONLY_CACHABLE_TABLES = ("marketplace_catalog_category",)
CACHALOT_ADDITIONAL_SUPPORTED_DATABASES = {"marketplace_kit.postgresql"}
CACHALOT_TIMEOUT = 60
CACHALOT_FINAL_SQL_CHECK = True
CACHALOT_INVALIDATE_RAW = False
CACHALOT_QUERY_KEYGEN = "marketplace.query_keys.query_key"
RATELIMIT_USE_CACHE = "limits"
# Their defaults: what is in no settings Django looks for anew each time, which takes as long as the rest of a key.
RATELIMIT_CACHE_PREFIX = "rl:"
RATELIMIT_HASH_ALGORITHM = sha256
RATELIMIT_ENABLE = flag("RATELIMIT_ENABLE", True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "/static/"
# Without a folder of collected files they are served from where the packages have them.
STATIC_ROOT = text("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None

# --- who ---

AUTH_USER_MODEL = "marketplace_accounts.User"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# A key of its own: a token signed with SECRET_KEY is something else.
NINJA_JWT = jwt_settings(signing_key("JWT_SIGNING_KEY", debug=DEBUG, other_than=SECRET_KEY))

# --- mail ---

DEFAULT_FROM_EMAIL = text("EMAIL_FROM", "marketplace <no-reply@localhost>")
MAILERS = {"default": mailer(text("EMAIL_URL"))}

# --- safety ---

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = IS_HTTPS
# A redirected POST would arrive as a GET; and these are signed, and tell nothing.
SECURE_REDIRECT_EXEMPT = [r"^api/health/", r"^api/v1/payments/webhooks/"]
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_HTTPS
SECURE_HSTS_PRELOAD = IS_HTTPS
SESSION_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_SECURE = IS_HTTPS
X_FRAME_OPTIONS = "DENY"
# One for all: API, docs, admin and our pages load their own files, and nothing runs that stands in a page.
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    # The docs' program styles what it draws.
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}

# Django looks for its CSRF middleware by name, and ours is it, for the admin alone: a test posts to it without a token.
SILENCED_SYSTEM_CHECKS = ["security.W003"]

# Browser applications of other origins: their tokens are in a header, so that cookies never need to come along.
_origins = words("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_ALL_ORIGINS = "*" in _origins
CORS_ALLOWED_ORIGINS = [origin for origin in _origins if origin != "*"]
CORS_ALLOW_CREDENTIALS = False
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = (
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "x-request-id",
)
CORS_EXPOSE_HEADERS = (
    "Deprecation",
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "X-Request-ID",
)

LOGGING = logging_config(log_level(), choice("LOG_FORMAT", "json", "console"))

# --- serving it ---

API_WORKERS = number("API_WORKERS", 0, most=256)  # 0: by the cores
API_THREADS = number("API_THREADS", 4, least=1, most=256)

# --- watching it ---

METRICS_PORT = number("METRICS_PORT", 0, most=65_535)
METRICS_HOST = text("METRICS_HOST", "127.0.0.1")
METRICS_FOLDER = text("METRICS_FOLDER", f"{in_memory()}/marketplace-metrics-{METRICS_PORT}")
if METRICS_PORT:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = METRICS_FOLDER  # by which its client decides how it counts, when imported
# OpenTelemetry's own variable, as all of them: what else it knows is said with OTEL_ too.
TRACES = bool(text("OTEL_EXPORTER_OTLP_ENDPOINT"))
# Outside of all the others, so that they see what the others answer.
MIDDLEWARE = [
    *(["marketplace.watching.requests.count"] if METRICS_PORT else []),
    *(["marketplace.watching.tracing.trace_requests"] if TRACES else []),
    *MIDDLEWARE,
]
STREAM_MIDDLEWARE = [
    *(["marketplace.watching.requests.count_openings"] if METRICS_PORT else []),
    *(["marketplace.watching.tracing.trace_openings"] if TRACES else []),
    "marketplace.middleware.cors",
    "marketplace.middleware.stream_edge",
]

# --- the packages ---

KIT = {
    "TRUSTED_PROXIES": TRUSTED_PROXIES,
    "PUBLIC_CACHE_SECONDS": number("PUBLIC_CACHE_SECONDS", 5, most=3_600),
    "RATE_LIMITS": {
        "sign_in": {"email": rate("SIGN_IN_EMAIL", "5/m"), "address": rate("SIGN_IN_ADDRESS", "20/m")},
        "register": {"address": rate("REGISTER", "10/h")},
        "password_reset": {"address": rate("PASSWORD_RESET", "10/h")},
        # Of whoever has got hold of a token: to guess at the password behind it, to flood a mailbox.
        "password_check": {"user": rate("PASSWORD_CHECK", "10/m")},
        "email_resend": {"user": rate("EMAIL_RESEND", "10/h")},
        # By address where there is no user.
        "write": {"user": rate("WRITE", "120/m")},
        "read": {"user": rate("READ", "600/m")},
    },
}
ACCOUNTS = {
    "SITE_NAME": "marketplace",
    "PASSWORD_RESET_URL": web_address("PASSWORD_RESET_URL", f"{PUBLIC_URL}/password/reset"),
    "EMAIL_VERIFY_URL": web_address("EMAIL_VERIFY_URL", f"{PUBLIC_URL}/email/verify"),
    "MAY_SEE": "marketplace.wiring.may_see",
}
CATALOG = {
    "IS_PROVIDER": "marketplace.wiring.is_provider",
    "PROVIDER_FIELDS": {
        "first_name": "provider__profile__first_name",
        "last_name": "provider__profile__last_name",
        "avatar_key": "provider__profile__avatar__key",
    },
}
MEDIA = {
    "ENDPOINT_URL": needed_address("S3_ENDPOINT_URL"),
    "BUCKET": text("S3_BUCKET", "marketplace"),
    "REGION": text("S3_REGION", "us-east-1"),
    "ACCESS_KEY_ID": needed("S3_ACCESS_KEY_ID"),
    "SECRET_ACCESS_KEY": needed("S3_SECRET_ACCESS_KEY"),
    "PUBLIC_BASE_URL": web_address("S3_PUBLIC_BASE_URL"),
    "PUBLIC_ENDPOINT_URL": web_address("S3_PUBLIC_ENDPOINT_URL"),
}
MOCK_GATEWAY_WEBHOOK_SECRET = webhook_secret("MOCK_GATEWAY_WEBHOOK_SECRET", debug=DEBUG)
BILLING = {
    "FEE_PERCENT": percent("PLATFORM_FEE_PERCENT", 10),
    "IS_PROVIDER": "marketplace.wiring.is_provider",
    "MOCK_WEBHOOK_SECRET": MOCK_GATEWAY_WEBHOOK_SECRET,
    "MOCK_WEBHOOK_URL": MOCK_WEBHOOK_URL,
}
NOTIFICATIONS = {
    # Every type, and the channels that a user who chose nothing gets it on.
    "TYPES": {
        name: {"email": True, "in_app": True}
        for name in (
            "booking.created",
            "booking.confirmed",
            "booking.completed",
            "booking.cancelled",
            "booking.rescheduled",
            "booking.reminder",
            "payment.succeeded",
            "payment.failed",
            "refund.succeeded",
            "payout.paid",
            "review.created",
            "webhook.disabled",
        )
    },
    "FACTS_OF": "marketplace.mails.facts_of",
    "PARTS_OF": "marketplace.mails.parts_of",
    "PUBLIC_URL": PUBLIC_URL,
    "PREFERENCES_URL": f"{PUBLIC_URL}/#preferences",
    "UNSUBSCRIBE_URL": f"{PUBLIC_URL}/api/v1/notifications/unsubscribe",
    "HINTS_URL": CACHE_URL,
    "AUTHENTICATE_STREAM": "marketplace.auth.stream_viewer",
    "SESSIONS_ENDED": "marketplace.auth.sessions_ended",
    "WEBHOOK_ALLOW_PRIVATE": flag("WEBHOOK_ALLOW_PRIVATE", False),
}
EVENTSTREAM_STORAGE_CLASS = "marketplace_notifications.storage.NotificationStorage"
EVENTSTREAM_CHANNELMANAGER_CLASS = "marketplace_notifications.storage.OwnChannel"
