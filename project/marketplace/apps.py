from django.apps import AppConfig
from django.core.cache import close_caches
from django.core.signals import request_finished


class MarketplaceConfig(AppConfig):
    name = "marketplace"
    label = "marketplace"

    def ready(self) -> None:
        from . import checks, wiring  # noqa: F401  (registers them)

        wiring.connect()
        # Their connections stay open: to go through them after each request would cost, and close none.
        request_finished.disconnect(close_caches)
