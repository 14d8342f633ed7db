"""Who opens a stream: the defaults of the settings, for projects that sign in with Django's sessions."""

from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from marketplace_kit.clock import now
from marketplace_kit.exceptions import Unauthenticated

from . import actions
from .conf import conf
from .exceptions import InvalidTicket


class Viewer(NamedTuple):
    """For whom a stream is, and what it lives and dies with."""

    user_id: Any
    session_key: str
    expires_at: datetime | None


def viewer_by_credentials(request: HttpRequest) -> Viewer:
    """Whoever AUTHENTICATE_STREAM sees in the request. Unauthenticated, also if there is no session."""
    viewer = Viewer(*conf.call("AUTHENTICATE_STREAM", request))
    if viewer.user_id is None or not viewer.session_key:
        raise Unauthenticated
    return viewer


def viewer_by_ticket(ticket: str) -> Viewer:
    """The viewer who requested the ticket, which is used up by this. InvalidTicket, also if their session is over."""
    spent = actions.spend_ticket(ticket)
    if spent.session_key in conf.call("SESSIONS_ENDED", {spent.session_key}):
        raise InvalidTicket
    return Viewer(spent.user_id, spent.session_key, None)


def authenticate(request: HttpRequest) -> Viewer:
    """The default of AUTHENTICATE_STREAM: the user of Django's session."""
    if not hasattr(request, "session"):
        request.session = _store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    if not user.is_authenticated:
        raise Unauthenticated
    return Viewer(user.pk, request.session.session_key or "", request.session.get_expiry_date())


def ended(session_keys: set[str]) -> set[str]:
    """The default of SESSIONS_ENDED: those that Django's session store lacks."""
    store = _store(None)
    if not hasattr(store, "get_model_class"):
        return {key for key in session_keys if not store.exists(key)}
    alive = store.get_model_class()._default_manager.filter(session_key__in=session_keys, expire_date__gt=now())
    return session_keys - set(alive.values_list("session_key", flat=True))


def _store(key: str | None) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(key)
