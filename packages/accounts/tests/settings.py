"""The smallest foreign project. It has no user model of its own: accounts brings one."""

import os

from marketplace_accounts.jwt import jwt_settings
from marketplace_kit.databases import from_url

SECRET_KEY = "only for tests, and not what tokens are signed with"
USE_TZ = True
ROOT_URLCONF = "tests.urls"
AUTH_USER_MODEL = "marketplace_accounts.User"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "procrastinate.contrib.django",
    "marketplace_kit",
    "marketplace_media",
    "marketplace_accounts",
]
MIDDLEWARE = [
    "marketplace_kit.middleware.request_context",
    "marketplace_kit.middleware.api_errors",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "marketplace_accounts.middleware.bearer",
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
DEFAULT_FROM_EMAIL = "house <no-reply@example.com>"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
STATIC_URL = "/static/"
ALLOWED_HOSTS = ["testserver"]

PASSWORD_HASHERS = ["tests.hashers.CountingHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
NINJA_JWT = jwt_settings("a signing key for tests, longer than 32 bytes")
ACCOUNTS = {
    "SITE_NAME": "The House",
    "PASSWORD_RESET_URL": "https://house.example/password/reset",
    "EMAIL_VERIFY_URL": "https://house.example/email/verify",
}
MEDIA = {
    "ENDPOINT_URL": os.environ["S3_ENDPOINT_URL"],
    "BUCKET": os.environ["S3_BUCKET"],
    "ACCESS_KEY_ID": os.environ["S3_ACCESS_KEY_ID"],
    "SECRET_ACCESS_KEY": os.environ["S3_SECRET_ACCESS_KEY"],
    "REGION": os.environ["S3_REGION"],
}
