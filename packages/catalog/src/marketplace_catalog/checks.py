"""What Django's `check` says about a project that lacks something we need."""

from typing import Any

from django.core import checks
from django.core.exceptions import FieldError
from django.db.models import F

from .conf import conf
from .models import Service

NEEDED = ("first_name", "last_name")
KNOWN = (*NEEDED, "avatar_key")


def check_provider_fields(**_: Any) -> list[checks.CheckMessage]:
    """What a service shows of its provider is where the host's settings say."""
    given = conf.PROVIDER_FIELDS
    faults = [f" lacks {name!r}: the path from a service to it, or to any text" for name in NEEDED if name not in given]
    faults += [f"[{name!r}] is none of {', '.join(KNOWN)}" for name in given if name not in KNOWN]
    for name, path in given.items():
        try:
            Service.objects.annotate(shown=F(path))
        except FieldError as error:
            faults.append(f"[{name!r}]: {str(error).rstrip('.')}")
    return [checks.Error(f"CATALOG['PROVIDER_FIELDS']{fault}.", id="marketplace_catalog.E001") for fault in faults]
