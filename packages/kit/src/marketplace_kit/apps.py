from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


class KitConfig(AppConfig):
    name = "marketplace_kit"
    label = "marketplace_kit"
    verbose_name = "Kit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(_check_settings)
        register(_check_django)


def _check_settings(**_: object) -> list[CheckMessage]:
    """Check every package's dictionary in Django's settings against its typed declaration."""
    from marketplace_kit import conf  # noqa: F401  (declares the first one)

    from .settings import PackageSettings

    return [problem for declared in PackageSettings.__subclasses__() for problem in declared().problems()]


def _check_django(**_: object) -> list[CheckMessage]:
    """Report Django settings that would break the packages' guarantees."""
    found: list[CheckMessage] = []
    for name, database in settings.DATABASES.items():
        if database.get("ATOMIC_REQUESTS"):
            # If we died after calling another system, say for a charge, we would have no record of it.
            text = f"DATABASES[{name!r}]['ATOMIC_REQUESTS'] must be False: an endpoint ends its transactions itself."
            found.append(Error(text, id="marketplace_kit.E003"))
    if not settings.USE_TZ:
        found.append(Error("USE_TZ must be True: times are moments.", id="marketplace_kit.E004"))
    return found
