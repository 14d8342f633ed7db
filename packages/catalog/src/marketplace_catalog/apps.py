from django.apps import AppConfig
from django.core.checks import register


class CatalogConfig(AppConfig):
    name = "marketplace_catalog"
    label = "marketplace_catalog"
    verbose_name = "Catalog"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks

        register(checks.check_provider_fields)
