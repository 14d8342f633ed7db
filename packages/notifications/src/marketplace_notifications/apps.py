from django.apps import AppConfig
from django.core.checks import register


class NotificationsConfig(AppConfig):
    name = "marketplace_notifications"
    label = "marketplace_notifications"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks

        register(checks.check_stream_settings)
        register(checks.check_templates)
