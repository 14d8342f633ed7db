"""The smallest foreign project: users of another kind, with integer keys."""

import os
from urllib.parse import unquote, urlsplit

SECRET_KEY = "only for tests"
USE_TZ = True
TIME_ZONE = "America/New_York"
AUTH_USER_MODEL = "people.Person"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.postgres",
    "marketplace_scheduling",
    "tests.people",
]
_url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": unquote(_url.hostname or ""),
        "PORT": _url.port or "",
        "NAME": unquote(_url.path[1:]),
        "USER": unquote(_url.username or ""),
        "PASSWORD": unquote(_url.password or ""),
    }
}
