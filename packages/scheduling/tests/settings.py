"""The smallest foreign project: users of another kind, with integer keys."""

import os

from marketplace_kit.databases import from_url

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
DATABASES = {"default": from_url(os.environ["DATABASE_URL"])}
