"""The stream of notifications, and nothing else, for an ASGI server: see `stream_urls`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
django.setup()

from marketplace.middleware import cors, stream_edge  # noqa: E402  (these need the apps to be loaded)
from marketplace_notifications.asgi import StreamHandler  # noqa: E402

application = StreamHandler(urlconf="marketplace.stream_urls", middleware=[cors, stream_edge])
