from django.apps import AppConfig
from django.core.checks import register


class BillingConfig(AppConfig):
    name = "marketplace_billing"
    label = "marketplace_billing"
    verbose_name = "Billing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, receivers

        receivers.connect()
        register(checks.check_mock_is_installed)
