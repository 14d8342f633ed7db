"""All that is held on somebody: to hand it out, and to erase it."""

from typing import Any
from uuid import UUID

from marketplace_kit.clock import now
from marketplace_kit.transactions import action
from marketplace_media import actions as media

from . import signals
from .exceptions import WrongPassword
from .models import OneTimeToken, Profile, Session, User


@action
def export(user_id: UUID) -> dict[str, Any]:
    """Everything that is held on a user, as JSON values: ours, and the parts of the receivers of `user_exporting`.

    Two parts of one name are a mistake of the host: ValueError.
    """
    user = User.objects.with_profile().get(pk=user_id)
    merged: dict[str, Any] = {"user": _user_part(user), "sessions": _session_part(user)}
    parts: Any = signals.user_exporting.send(sender=User, user=user)
    for receiver, part in parts:
        if merged.keys() & part.keys():
            raise ValueError(f"{receiver} exports a part that is there already: {sorted(part)}")
        merged |= part
    return merged


def _user_part(user: User) -> dict[str, Any]:
    profile = user.profile
    return {
        "id": user.pk,
        "email": user.email,
        "emailVerifiedAt": user.email_verified_at,
        "role": user.shown_role,
        "createdAt": user.created_at,
        "updatedAt": user.updated_at,
        "lastLogin": user.last_login,
        "profile": {
            "firstName": profile.first_name,
            "lastName": profile.last_name,
            "phone": profile.phone or None,
            "address": profile.address or None,
            "bio": profile.bio or None,
            "avatarUrl": profile.avatar_url,
        },
    }


def _session_part(user: User) -> list[dict[str, Any]]:
    return [
        {
            "createdAt": session.created_at,
            "lastUsedAt": session.last_used_at,
            "endedAt": session.ended_at,
            "ip": session.ip,
            "userAgent": session.user_agent,
        }
        for session in user.sessions.order_by("created_at")
    ]


@action
def erase(user_id: UUID, password: str) -> None:
    """Erase a user for good. The row stays for those they dealt with, and the e-mail address is freed.

    WrongPassword, and whatever a receiver of `user_erasing` refuses with.
    """
    given = User.objects.get(pk=user_id)
    if not given.check_password(password):
        raise WrongPassword("/password")
    # FOR UPDATE also waits for rows that are just being written about this user, so that the receivers see them.
    user = User.objects.select_for_update().filter(pk=user_id, password=given.password).first()
    if user is None:
        raise WrongPassword("/password")  # it was changed meanwhile
    signals.user_erasing.send(sender=User, user=user)
    _erase_profile(user)
    _erase_account(user)
    signals.user_erased.send(sender=User, user_id=user.pk)


def _erase_profile(user: User) -> None:
    avatar_id = user.profile.avatar_id
    Profile(user=user).save(force_update=True)
    if avatar_id is not None:
        media.delete_file(avatar_id)


def _erase_account(user: User) -> None:
    user.email = f"{user.pk}@erased.invalid"
    user.email_verified_at = user.last_login = None
    user.set_unusable_password()
    user.is_active = user.is_staff = user.is_superuser = False
    user.updated_at = user.erased_at = now()
    user.save()
    user.groups.clear()
    user.user_permissions.clear()
    # Sessions know addresses and browsers.
    Session.objects.of(user.pk).delete()
    OneTimeToken.objects.filter(user=user).delete()
