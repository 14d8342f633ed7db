"""The stream of notifications, and nothing else, for an ASGI server: see `stream_urls`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
django.setup()

from marketplace_notifications.asgi import StreamHandler  # noqa: E402  (needs the apps to be loaded)

application = StreamHandler(urlconf="marketplace.stream_urls")
