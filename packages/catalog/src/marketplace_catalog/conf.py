"""The knobs of the catalog, in Django's settings as `CATALOG = {...}`."""

from collections.abc import Callable
from typing import Any

from marketplace_kit.settings import PackageSettings


def everybody(user: Any) -> bool:
    """The default of IS_PROVIDER: whoever is signed in may offer services."""
    return True


class Settings(PackageSettings, name="CATALOG"):
    # Who may offer services: a dotted path to, or itself, a function of the user.
    IS_PROVIDER: str | Callable[[Any], bool] = everybody
    # What a service shows of its provider: first_name, last_name and avatar_key (of a media file), as ORM paths
    # from the service, joined in the one query.
    PROVIDER_FIELDS: dict[str, str] = {
        "first_name": "provider__first_name",
        "last_name": "provider__last_name",
    }


conf = Settings()
