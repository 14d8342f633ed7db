"""The smallest foreign project: users of another kind, with integer keys."""

import os
from urllib.parse import unquote, urlsplit

SECRET_KEY = "only for tests"
USE_TZ = True
AUTH_USER_MODEL = "people.Person"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "procrastinate.contrib.django",
    "marketplace_kit",
    "marketplace_media",
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
MEDIA = {
    "ENDPOINT_URL": os.environ["S3_ENDPOINT_URL"],
    "BUCKET": os.environ["S3_BUCKET"],
    "ACCESS_KEY_ID": os.environ["S3_ACCESS_KEY_ID"],
    "SECRET_ACCESS_KEY": os.environ["S3_SECRET_ACCESS_KEY"],
    "REGION": os.environ["S3_REGION"],
    "TIMEOUT": 5.0,
}
