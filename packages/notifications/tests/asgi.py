import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from marketplace_notifications.asgi import StreamHandler  # noqa: E402

application = StreamHandler(urlconf="tests.stream_urls")
