from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "marketplace_billing"
    label = "marketplace_billing"
    verbose_name = "Billing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import receivers

        receivers.connect()
