"""The smallest foreign project: users of another kind, with integer keys, signed in by session."""

import os

from marketplace_kit.databases import from_url

SECRET_KEY = "only for tests"
ROOT_URLCONF = "tests.urls"
USE_TZ = True
AUTH_USER_MODEL = "people.Person"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.postgres",
    "procrastinate.contrib.django",
    "marketplace_kit",
    "marketplace_media",
    "marketplace_scheduling",
    "marketplace_catalog",
    "marketplace_booking",
    "tests.people",
]
MIDDLEWARE = [
    "marketplace_kit.middleware.request_context",
    "marketplace_kit.middleware.api_errors",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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
DATABASES = {"default": from_url(os.environ["DATABASE_URL"])}
CATALOG = {"IS_PROVIDER": lambda user: user.sells}
