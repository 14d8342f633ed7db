"""The fixed lists of accounts."""

from django.db.models import TextChoices

MAX_PASSWORD = 1024  # characters: hashing costs more the longer the password is


class Role(TextChoices):
    """What a user registered as. Providers can also book other providers' services."""

    CUSTOMER = "customer"
    PROVIDER = "provider"


class ShownRole(TextChoices):
    """The role as clients see it. `staff` can only be granted in the admin."""

    CUSTOMER = "customer"
    PROVIDER = "provider"
    STAFF = "staff"


class EndReason(TextChoices):
    """Why a session is over, where it did not just expire."""

    LOGGED_OUT = "logged_out"
    ENDED = "ended", "ended from another session"
    REUSED = "reused", "a refresh token was used twice"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PASSWORD_RESET = "password_reset"  # noqa: S105
    BY_STAFF = "by_staff"


class Purpose(TextChoices):
    """What a mailed token is good for."""

    PASSWORD_RESET = "password_reset"  # noqa: S105
    EMAIL_VERIFY = "email_verify"
