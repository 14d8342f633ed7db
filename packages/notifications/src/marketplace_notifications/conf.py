"""The knobs of the notifications, in Django's settings as `NOTIFICATIONS = {...}`."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import AfterValidator

from marketplace_kit.mail import Part
from marketplace_kit.settings import PackageSettings


def email_of(user: Any) -> str | None:
    """The default of ADDRESS_OF: the field that the user model calls its e-mail."""
    address: str | None = getattr(user, user.get_email_field_name(), None)
    return address or None


def nothing(_: Any) -> tuple[Any, ...]:
    """The default of FACTS_OF and PARTS_OF."""
    return ()


def channels(usual: dict[str, bool]) -> dict[str, bool]:
    """What a type does on each channel, as it is. ValueError."""
    if usual.keys() != {"email", "in_app"}:
        raise ValueError("It names other channels than email and in_app, or not both")
    return usual


class Settings(PackageSettings, name="NOTIFICATIONS"):
    # Every type that there is, and the channels on which it goes out to whoever chose nothing else:
    # {"parcel.sent": {"email": True, "in_app": True}}.
    TYPES: dict[str, Annotated[dict[str, bool], AfterValidator(channels)]] = {}
    # Where a user's mail goes, or None: a dotted path to, or itself, a function of the user.
    ADDRESS_OF: str | Callable[[Any], str | None] = email_of
    # What a mail lists below its body, as names and values, and what it carries besides its text: dotted paths to, or
    # themselves, functions of the notification.
    FACTS_OF: str | Callable[[Any], Iterable[tuple[str, Any]]] = nothing
    PARTS_OF: str | Callable[[Any], Iterable[Part]] = nothing
    PUBLIC_URL: str = ""  # `public_url` in the templates of mails, without a slash at its end
    PREFERENCES_URL: str = ""  # the page on which one chooses what one is told; empty: mails don't name it
    UNSUBSCRIBE_URL: str = ""  # the whole address of `POST /notifications/unsubscribe`; empty: mails don't name it

    # --- the stream ---
    HINTS_URL: str = ""  # Valkey or Redis, through which a worker wakes the streams; empty: they look every 2 s
    HINTS_CHANNEL: str = "notifications"  # the name of the channel there
    # Who asks: a function of the request, giving the user's key, the session's key and when the credentials end
    # (or None); raises Unauthenticated. It runs in a thread, on a request that passed no middleware of Django's.
    AUTHENTICATE_STREAM: str | Callable[[Any], tuple[Any, str, Any]] = "marketplace_notifications.sessions.authenticate"
    # Which of these sessions are over: a function of a set of session keys, giving a set.
    SESSIONS_ENDED: str | Callable[[set[str]], set[str]] = "marketplace_notifications.sessions.ended"
    MAX_STREAMS: int = 10_000  # that one process holds open; the next one is told 503
    STREAM_THREADS: int = 4  # that read the database for all the streams of a process, each with a connection
    KEEP_ALIVE_SECONDS: int = 15  # of silence after which a stream says something
    SESSION_CHECK_SECONDS: int = 10  # between two looks at which sessions are over
    TICKET_SECONDS: int = 60  # for which a ticket may be used

    # --- webhooks ---
    # Whether they may go to addresses that are not public, by http and to any port: on a developer's machine.
    WEBHOOK_ALLOW_PRIVATE: bool = False
    WEBHOOK_ENDPOINTS: int = 20  # that one user may have
    WEBHOOK_TIMEOUT: float = 15.0  # seconds for all of it: looking up, connecting, sending, the answer
    WEBHOOK_CONNECT_TIMEOUT: float = 5.0  # seconds to connect to an address, of those above
    WEBHOOK_LOOKUP_TIMEOUT: float = 0.5  # seconds for which whoever names a URL waits until its host is looked up
    # Seconds between an attempt and the next, at least: then it is given up.
    WEBHOOK_PAUSES: tuple[int, ...] = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
    WEBHOOK_LONGEST_PAUSE: int = 86_400  # seconds that a receiver may ask for by `Retry-After`
    WEBHOOK_DISABLE_AFTER_DAYS: int = 5  # without anything that arrived
    WEBHOOK_SECRET_HOURS: int = 24  # for which the secret before signs along
    WEBHOOK_LOG_DAYS: int = 30  # for which deliveries are kept


conf = Settings()
