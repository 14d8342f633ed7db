from django.apps import AppConfig
from django.core.checks import Tags, register


class NotificationsConfig(AppConfig):
    name = "marketplace_notifications"
    label = "marketplace_notifications"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, receivers

        receivers.connect()
        register(checks.check_stream_settings)
        register(checks.check_templates)
        register(checks.check_webhooks, Tags.security, deploy=True)
