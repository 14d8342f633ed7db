"""The smallest foreign project: users of another kind, with integer keys, who sign in with Django's sessions."""

import json
import os
from pathlib import Path

from marketplace_kit.databases import from_url

SECRET_KEY = "only for tests"
USE_TZ = True
TIME_ZONE = "America/New_York"
AUTH_USER_MODEL = "people.Person"
ROOT_URLCONF = "tests.urls"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "procrastinate.contrib.django",
    "marketplace_kit",
    "marketplace_notifications",
    "tests.people",
]
MIDDLEWARE = [
    "marketplace_kit.middleware.request_context",
    "marketplace_kit.middleware.api_errors",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
    }
]
DATABASES = {"default": {**from_url(os.environ["DATABASE_URL"]), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}}
DEFAULT_FROM_EMAIL = "post@example.org"
MAILERS = {
    "default": {
        "BACKEND": "marketplace_kit.mail.FileBackend",
        "OPTIONS": {"file_path": os.environ.get("MAIL_FOLDER", "mails")},
    }
}
EVENTSTREAM_STORAGE_CLASS = "marketplace_notifications.storage.NotificationStorage"
EVENTSTREAM_CHANNELMANAGER_CLASS = "marketplace_notifications.storage.OwnChannel"


def facts_of(notification):
    """What the default mails list."""
    return [(fact.capitalize(), notification.context.get(fact)) for fact in ("number", "amount", "note")]


NOTIFICATIONS = {
    "TYPES": {
        "parcel.sent": {"email": True, "in_app": True},
        "parcel.lost": {"email": False, "in_app": True},
        "parcel.billed": {"email": True, "in_app": False},
    },
    "FACTS_OF": facts_of,
    "PREFERENCES_URL": "https://parcels.example.org/choose",
    "PUBLIC_URL": "https://parcels.example.org",
    "UNSUBSCRIBE_URL": "https://parcels.example.org/api/notifications/unsubscribe",
    "HINTS_URL": os.environ["CACHE_URL"],
    "KEEP_ALIVE_SECONDS": 1,
    "SESSION_CHECK_SECONDS": 1,
    **json.loads(os.environ.get("NOTIFICATIONS", "{}")),  # for the stream's process
}
