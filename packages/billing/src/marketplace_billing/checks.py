"""What Django's `check` says about a project that lacks something we need."""

from typing import Any

from django.apps import apps
from django.core import checks

from .conf import Settings, conf

MOCK = "marketplace_billing.gateways.mock"


def check_mock_is_installed(**_: Any) -> list[checks.CheckMessage]:
    """The mock gateway has tables of its own."""
    if conf.GATEWAY != Settings.GATEWAY or apps.is_installed(MOCK):
        return []
    detail = f"Add {MOCK!r} to INSTALLED_APPS, or name another gateway in BILLING['GATEWAY']."
    return [checks.Error(detail, id="marketplace_billing.E001")]
