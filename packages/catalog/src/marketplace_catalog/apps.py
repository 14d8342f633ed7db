from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "marketplace_catalog"
    label = "marketplace_catalog"
    verbose_name = "Catalog"
    default_auto_field = "django.db.models.BigAutoField"
