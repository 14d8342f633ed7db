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
    """Every package's dictionary in Django's settings, held against its typed declaration."""
    from marketplace_kit import conf  # noqa: F401  (declares the first one)

    from .settings import PackageSettings

    return [problem for declared in PackageSettings.__subclasses__() for problem in declared().problems()]


def _check_django(**_: object) -> list[CheckMessage]:
    """What of Django's settings would break what the packages promise."""
    found: list[CheckMessage] = []
    for name, database in settings.DATABASES.items():
        if database.get("ATOMIC_REQUESTS"):
            # What somebody else was asked for, such as a charge, would not be known to us if we died afterwards.
            text = f"DATABASES[{name!r}]['ATOMIC_REQUESTS'] must be False: an endpoint ends its transactions itself."
            found.append(Error(text, id="marketplace_kit.E003"))
    if not settings.USE_TZ:
        found.append(Error("USE_TZ must be True: times are moments.", id="marketplace_kit.E004"))
    return found
