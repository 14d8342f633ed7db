"""Users, their profiles, their sessions, and the tokens mailed to them."""

import unicodedata
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models, transaction
from django.db.models import Q

from marketplace_kit import audit
from marketplace_kit.clock import now
from marketplace_kit.compiled import Compiled, Instances, Row, Values
from marketplace_kit.ids import uuid7
from marketplace_media.models import File

from .conf import conf
from .lifecycle import EndReason, Purpose, Role, ShownRole


def email_key(email: str) -> str:
    """What addresses are compared by: neither case nor the compatibility forms of letters count."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())


class UserQuerySet(models.QuerySet["User"]):
    def active(self) -> Self:
        """Those that may sign in."""
        return self.filter(is_active=True)

    def with_email(self, email: str) -> Self:
        """The one with this address, however it is written."""
        return self.filter(email_key=email_key(email))

    def with_profile(self) -> Self:
        """Joined with all that a client sees of them."""
        return self.select_related("profile__avatar")


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a user with an empty profile; `profile={...}` fills it. Both are stored, or neither."""
        profile = fields.pop("profile", {})
        user = User(email=email, **fields)
        user.set_password(password)
        with transaction.atomic(using=self._db):
            user.save(using=self._db, force_insert=True)
            Profile.objects.using(self._db).create(user=user, **profile)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a user who may do everything in the admin, and tell the audit. The address counts as verified."""
        user = self.create_user(
            email, password, **{"is_staff": True, "is_superuser": True, "email_verified_at": now()} | fields
        )
        audit.record("admin_created", user_id=str(user.pk))
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email_key=email_key(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody with an e-mail address. The row stays for ever; `erased_at` says that nothing personal is left in it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField("e-mail", max_length=254, unique=True, help_text="As it was typed.")
    email_key = models.CharField(max_length=254, unique=True, editable=False)
    email_verified_at = models.DateTimeField("e-mail verified at", null=True, blank=True, editable=False)
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.CUSTOMER)
    is_staff = models.BooleanField("staff", default=False, help_text="May enter the admin.")
    is_active = models.BooleanField("active", default=True, help_text="May sign in. Without it every token is refused.")
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    profile: "Profile"
    objects = UserManager.from_queryset(UserQuerySet)()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(role__in=Role.values), name="accounts_user_known_role"),)

    def save(self, **kwargs: Any) -> None:
        """The key follows the address, whoever sets it."""
        self.email = unicodedata.normalize("NFC", self.email.strip())
        self.email_key = email_key(self.email)
        fields: Iterable[str] | None = kwargs.get("update_fields")
        if fields is not None and "email" in fields:
            kwargs["update_fields"] = {*fields, "email_key"}
        super().save(**kwargs)

    @classmethod
    def in_session(cls, session_id: UUID, user_id: UUID) -> "User | None":
        """The user whose session this is, while it is open."""
        rows = IN_SESSION.rows(None, {"session": session_id, "user": user_id, "at": now()})
        return USERS.made(rows[0]) if rows else None

    @property
    def first_name(self) -> str:
        return self.profile.first_name

    @property
    def last_name(self) -> str:
        return self.profile.last_name

    def get_full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def get_short_name(self) -> str:
        return self.first_name

    @property
    def is_email_verified(self) -> bool:
        return self.email_verified_at is not None

    @property
    def shown_role(self) -> ShownRole:
        """The role as clients see it."""
        return ShownRole.STAFF if self.is_staff else ShownRole(self.role)

    def is_visible_to(self, viewer: AbstractBaseUser | None) -> bool:
        """Whether this profile is shown to the viewer: a provider's to everybody, others' by the host's MAY_SEE."""
        if self.role == Role.PROVIDER:
            return True
        return viewer is not None and bool(conf.call("MAY_SEE", viewer, self))


class Profile(models.Model):
    """Who a user is, for other people."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="profile")
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    phone = models.CharField(max_length=20, blank=True, help_text="As E.164 has it: +4930123456")
    address = models.CharField(max_length=500, blank=True)
    bio = models.TextField(max_length=2000, blank=True)
    avatar = models.ForeignKey(File, models.PROTECT, null=True, blank=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def avatar_url(self) -> str | None:
        return self.avatar.url if self.avatar else None


class SessionQuerySet(models.QuerySet["Session"]):
    def unended(self, at: Any = None) -> Self:
        """Neither ended nor expired, now or `at` a moment. Says nothing about their users."""
        return self.filter(ended_at=None, expires_at__gt=at or now())

    def open(self, at: Any = None) -> Self:
        """Those that one can act in."""
        return self.unended(at).filter(user__is_active=True)

    def of(self, user_id: UUID) -> Self:
        return self.filter(user_id=user_id)

    def others_than(self, session_id: UUID | None) -> Self:
        """All but that one; all, where there is none."""
        return self if session_id is None else self.exclude(pk=session_id)

    def end(self, reason: EndReason) -> int:
        """End those that are not over; how many there were."""
        return self.filter(ended_at=None).update(ended_at=now(), end_reason=reason)

    def ended_among(self, ids: Iterable[UUID]) -> set[UUID]:
        """Which of these are over: ended, expired, of a deactivated user, or not there at all."""
        asked = set(ids)
        return asked - set(self.open().filter(pk__in=asked).values_list("pk", flat=True))


class Session(models.Model):
    """One sign-in, and the chain of refresh tokens that came out of it. The last one of the chain is good, once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    refresh_hash = models.CharField(max_length=64, editable=False)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    last_used_at = models.DateTimeField(default=now, help_text="When its tokens were last renewed.")
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, choices=EndReason.choices, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(ended_at=None, end_reason="") | Q(ended_at__isnull=False, end_reason__in=EndReason.values),
                name="accounts_session_end_has_reason",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"


def _in_session(how: None, values: Values) -> models.QuerySet[Session, Row]:
    """All columns of the user of a session, if it is open."""
    rows = Session.objects.open(values["at"]).filter(pk=values["session"], user=values["user"])
    return rows.values_list(*(f"user__{name}" for name in USERS.columns))


USERS = Instances(User)
# Asked by every request of somebody who is signed in.
IN_SESSION = Compiled(_in_session, prepared=True)


class OneTimeTokenQuerySet(models.QuerySet["OneTimeToken"]):
    def usable(self, purpose: Purpose) -> Self:
        return self.filter(purpose=purpose, used_at=None, expires_at__gt=now(), user__is_active=True)

    def use_up(self) -> int:
        """Mark those as used that are not; how many there were. Of two at once, one gets it."""
        return self.filter(used_at=None).update(used_at=now())


class OneTimeToken(models.Model):
    """A link that was mailed. Its secret is derived from the id and stored nowhere."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=20, choices=Purpose.choices)
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    objects = OneTimeTokenQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="accounts_token_known_purpose"),
        )

    def __str__(self) -> str:
        return self.purpose

    @staticmethod
    def lifetime(purpose: Purpose) -> timedelta:
        """How long a link is good for."""
        return conf.PASSWORD_RESET_LIFETIME if purpose == Purpose.PASSWORD_RESET else conf.EMAIL_VERIFY_LIFETIME
