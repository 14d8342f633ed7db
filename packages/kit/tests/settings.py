"""The smallest foreign project: users of another kind, with integer keys."""

import os

from marketplace_kit.databases import from_url

SECRET_KEY = "only for tests"
ROOT_URLCONF = "tests.urls"
ALLOWED_HOSTS = ["testserver"]
USE_TZ = True
AUTH_USER_MODEL = "people.Person"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "procrastinate.contrib.django",
    "marketplace_kit",
    "tests.people",
]
MIDDLEWARE = [
    "marketplace_kit.middleware.request_context",
    "marketplace_kit.middleware.api_errors",
    "marketplace_kit.middleware.plain_http",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {
    "default": {
        **from_url(os.environ["DATABASE_URL"]),
        "ENGINE": "marketplace_kit.postgresql",
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
KIT = {"TRUSTED_PROXIES": ["10.0.0.0/8", "::1"]}
DEFAULT_FROM_EMAIL = "kit <kit@example.com>"
