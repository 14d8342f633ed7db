"""The host project's user: `AUTH_USER_MODEL`, whatever type its key has."""

from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.http import HttpRequest

from .compiled import Compiled, Instances, Row, Sql, Values
from .exceptions import Unauthenticated
from .schemas import Id


def user_key_type() -> type[UUID] | type[int] | type[str]:
    """The Python type of the user model's primary key."""
    key: Any = get_user_model()._meta.pk
    while getattr(key, "remote_field", None):  # where a model inherits its user from another
        key = key.target_field
    if isinstance(key, models.UUIDField):
        return UUID
    return int if isinstance(key, models.IntegerField) else str


if TYPE_CHECKING:
    type UserId = UUID | int | str
else:

    def __getattr__(name: str) -> Any:
        # Looked up late: the user model, and with it its key, exists only after the apps are loaded.
        if name == "UserId":
            kind = user_key_type()
            return Id if kind is UUID else kind
        raise AttributeError(name)


def user_of(request: HttpRequest) -> AbstractBaseUser:
    """The signed-in user of a request whose operation asked for one. Unauthenticated if there is none."""
    user = viewer_of(request)
    if user is None:
        raise Unauthenticated
    return user


def viewer_of(request: HttpRequest) -> AbstractBaseUser | None:
    """The signed-in user, or None for an anonymous request: `request.user`, or whom the operation's `auth` found."""
    for user in (getattr(request, "user", None), getattr(request, "auth", None)):
        if getattr(user, "is_authenticated", False) and isinstance(user, get_user_model()):
            return user
    return None


def is_staff(user: AbstractBaseUser | None) -> bool:
    """Whether the user is one of Django's staff."""
    return bool(getattr(user, "is_staff", False))


# --- within an action ---


def hold_users(*user_ids: Any) -> bool:
    """Whether these users exist and are active. None of them can be deleted until the transaction ends.

    This waits for an erasure that is under way, and a later one finds what this transaction writes. Foreign keys alone
    would ensure that only at the commit: Django's are deferred.
    """
    keys = {*user_ids}
    rows = _STAYING.rows(None, {"keys": [*keys]})
    return len(rows) == len(keys) and all(_is_active(row) for row in rows)


def lock_user(user_id: Any) -> None:
    """Make actions that count a user's rows take turns: holds a lock until the transaction ends.

    Rows that refer to the user may be written meanwhile. Unauthenticated if the user has just been erased or
    deactivated.
    """
    user = get_user_model()._base_manager.select_for_update(no_key=True).filter(pk=user_id).first()
    if user is None or not user.is_active:
        raise Unauthenticated


def _is_active(row: Row) -> bool:
    """What its column says; where the model has none, the model."""
    made = _instances()
    return bool(row[made.columns.index("is_active")] if "is_active" in made.columns else made.made(row).is_active)


def _staying(how: None, values: Values) -> Sql:
    rows = _instances().model._base_manager.filter(pk__any_of=values["keys"]).values_list(*_instances().columns)
    return Sql.of(rows).then("FOR KEY SHARE")


@cache
def _instances() -> Instances[AbstractBaseUser]:
    return Instances(get_user_model(), only=["is_active"])


_STAYING = Compiled(_staying, prepared=True)
