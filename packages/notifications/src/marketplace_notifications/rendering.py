"""The project's words: its templates, filled with the facts of a notification."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.template import Context, Engine
from django.template.base import Template

from .conf import conf
from .models import Notification

DEFAULTS = "marketplace_notifications/mail"  # of mails, with .txt and .html behind it


def plain(facts: dict[str, Any]) -> dict[str, Any]:
    """`facts` as they come back from a JSON column: the title sees what the mail will see."""
    result: dict[str, Any] = json.loads(json.dumps(facts, cls=DjangoJSONEncoder))
    return result


def title_and_body(kind: str, data: dict[str, Any], context: dict[str, Any]) -> tuple[str, str]:
    """What a user reads in the inbox. TemplateDoesNotExist where the project has no words for it."""
    facts = {**context, "data": data, "type": kind}
    title = _text(_template([f"notifications/{kind}.title.txt"]), facts)
    body = _text(_template([f"notifications/{kind}.body.txt"]), facts)
    return " ".join(title.split())[:200], body.strip()


def mail(notification: Notification) -> tuple[str, str]:
    """The text and the HTML of its mail."""
    facts = {
        **notification.context,
        "data": notification.data,
        "type": notification.type,
        "title": notification.title,
        "body": notification.body,
        "facts": _facts(notification),
        "public_url": conf.PUBLIC_URL,
        "preferences_url": conf.PREFERENCES_URL,
    }
    name = f"notifications/{notification.type}"
    html = _template([f"{name}.html", f"{DEFAULTS}.html"]).render(Context(facts))
    return _text(_template([f"{name}.txt", f"{DEFAULTS}.txt"]), facts), html


def _facts(notification: Notification) -> list[tuple[str, str]]:
    """Those that say something, each on one line: what a user wrote can't look like a line of ours."""
    known = conf.call("FACTS_OF", notification)
    return [(name, " ".join(str(value).split())) for name, value in known if value not in (None, "")]


def _template(names: list[str]) -> Template:
    return Engine.get_default().select_template(names)


def _text(template: Template, facts: dict[str, Any]) -> str:
    # Plain text: an & stays an &.
    return template.render(Context(facts, autoescape=False))
