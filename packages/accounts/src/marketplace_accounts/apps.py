from django.apps import AppConfig
from django.core.checks import register


class AccountsConfig(AppConfig):
    name = "marketplace_accounts"
    label = "marketplace_accounts"
    verbose_name = "Accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks

        register(checks.check_settings)
