from django.apps import AppConfig
from django.core.checks import CheckMessage, register


class KitConfig(AppConfig):
    name = "marketplace_kit"
    label = "marketplace_kit"
    verbose_name = "Kit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(_check_settings)


def _check_settings(**_: object) -> list[CheckMessage]:
    """Every package's dictionary in Django's settings, held against its typed declaration."""
    from marketplace_kit import conf  # noqa: F401  (declares the first one)

    from .settings import PackageSettings

    return [problem for declared in PackageSettings.__subclasses__() for problem in declared().problems()]
