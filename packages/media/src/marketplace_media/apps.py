from django.apps import AppConfig


class MediaConfig(AppConfig):
    name = "marketplace_media"
    label = "marketplace_media"
    verbose_name = "Media"
    default_auto_field = "django.db.models.BigAutoField"
