"""What Django's `check` says about a project that lacks something we need."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.template import Engine, TemplateDoesNotExist

from .conf import Settings, conf

EVENTSTREAM = {
    "EVENTSTREAM_STORAGE_CLASS": "marketplace_notifications.storage.NotificationStorage",
    "EVENTSTREAM_CHANNELMANAGER_CLASS": "marketplace_notifications.storage.OwnChannel",
}


def check_stream_settings(**_: Any) -> list[checks.CheckMessage]:
    """The settings of django-eventstream, under which the stream reads our rows and hears our hints."""
    found: list[checks.CheckMessage] = [
        checks.Warning(f"The stream needs {name} = {value!r}.", id="marketplace_notifications.W001")
        for name, value in EVENTSTREAM.items()
        if getattr(settings, name, None) != value
    ]
    if hasattr(settings, "EVENTSTREAM_REDIS"):
        # Its listener doesn't survive a restart of Valkey.
        detail = "Set Valkey's URL in NOTIFICATIONS['HINTS_URL'], and remove EVENTSTREAM_REDIS."
        found.append(checks.Error(detail, id="marketplace_notifications.E001"))
    if conf.SESSIONS_ENDED == Settings.SESSIONS_ENDED and settings.SESSION_ENGINE.endswith(".signed_cookies"):
        detail = "The end of a signed-cookie session can't be detected: use another SESSION_ENGINE."
        found.append(checks.Warning(detail, id="marketplace_notifications.W003"))
    return found


def check_templates(**_: Any) -> list[checks.CheckMessage]:
    """Every type has its words."""
    names = [f"notifications/{kind}.{part}.txt" for kind in conf.TYPES for part in ("title", "body")]
    return [
        checks.Error(f"There is no template {name!r}.", id="marketplace_notifications.E002")
        for name in names
        if not _exists(name)
    ]


def check_webhooks(**_: Any) -> list[checks.CheckMessage]:
    """In a deployment, webhooks go out to the public internet only."""
    if not conf.WEBHOOK_ALLOW_PRIVATE:
        return []
    detail = "Webhooks may go to private addresses: any user can reach what only this machine should."
    return [checks.Warning(detail, id="marketplace_notifications.W002")]


def _exists(name: str) -> bool:
    try:
        Engine.get_default().get_template(name)
    except (TemplateDoesNotExist, ImproperlyConfigured):
        return False
    return True
