"""The knobs of accounts, in Django's settings as `ACCOUNTS = {...}`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from marketplace_kit.settings import PackageSettings


def nobody(*_: Any) -> bool:
    """The default of MAY_SEE: only providers have a public profile."""
    return False


class Settings(PackageSettings, name="ACCOUNTS"):
    SITE_NAME: str = "marketplace"  # what mails call the site
    # The pages that mailed links lead to; they get a `?token=`.
    PASSWORD_RESET_URL: str = "http://127.0.0.1:8000/password/reset"  # noqa: S105
    EMAIL_VERIFY_URL: str = "http://127.0.0.1:8000/email/verify"
    PASSWORD_RESET_LIFETIME: timedelta = timedelta(hours=1)
    EMAIL_VERIFY_LIFETIME: timedelta = timedelta(days=3)
    # Whether `caller` may look at the profile of `user`, who is no provider: a dotted path to, or itself, a function.
    MAY_SEE: str | Callable[[Any, Any], bool] = nobody


conf = Settings()
