from django.apps import AppConfig


class MarketplaceConfig(AppConfig):
    name = "marketplace"
    label = "marketplace"

    def ready(self) -> None:
        from . import checks, wiring  # noqa: F401  (registers them)

        wiring.connect()
