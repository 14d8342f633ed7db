"""The stream of notifications, and nothing else, for an ASGI server: see `stream_urls`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
os.environ.setdefault("MARKETPLACE_PROCESS", "stream")
django.setup()

from django.conf import settings  # noqa: E402  (these need the apps to be loaded)
from django.utils.module_loading import import_string  # noqa: E402

from marketplace.watching.start import around_stream, start  # noqa: E402
from marketplace_notifications.asgi import StreamHandler  # noqa: E402

start("stream")
middleware = [import_string(path) for path in settings.STREAM_MIDDLEWARE]
application = around_stream(StreamHandler(urlconf="marketplace.stream_urls", middleware=middleware))
