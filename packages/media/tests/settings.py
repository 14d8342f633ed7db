"""The smallest foreign project: users of another kind, with integer keys."""

import os

from marketplace_kit.databases import from_url

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
DATABASES = {"default": from_url(os.environ["DATABASE_URL"])}
MEDIA = {
    "ENDPOINT_URL": os.environ["S3_ENDPOINT_URL"],
    "BUCKET": os.environ["S3_BUCKET"],
    "ACCESS_KEY_ID": os.environ["S3_ACCESS_KEY_ID"],
    "SECRET_ACCESS_KEY": os.environ["S3_SECRET_ACCESS_KEY"],
    "REGION": os.environ["S3_REGION"],
    "TIMEOUT": 5.0,
}
