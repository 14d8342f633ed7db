"""`/users`: oneself, and others."""

from typing import Any

from django.http import HttpRequest
from ninja import Status

from marketplace_kit.conditional import conditional, conditional_change
from marketplace_kit.exceptions import NotFound, ServiceUnavailable
from marketplace_kit.routing import Router, limited_as, refuses, takes_upload
from marketplace_kit.schemas import Id
from marketplace_kit.uploads import TooLarge, read_one
from marketplace_kit.users import user_of, viewer_of
from marketplace_media.exceptions import NotAnImage, TooManyPixels
from marketplace_media.lifecycle import MAX_IMAGE_BYTES

from . import actions, personal_data, schemas
from .exceptions import TokenNotValid, WrongPassword
from .models import User

router = Router(tags=["Users"])


def me(request: HttpRequest) -> User:
    """The caller, with all that is shown of them, as they are now."""
    return User.objects.with_profile().get(pk=user_of(request).pk)


@router.get("/me", response=schemas.User)
@conditional
def get_me(request: HttpRequest) -> User:
    """Your own account."""
    return me(request)


@router.patch("/me", response=schemas.User)
@conditional_change(get_me)
def change_me(request: HttpRequest, body: schemas.ChangeUser) -> User:
    """Update your profile. Omitted fields stay unchanged; null clears phone, address or bio."""
    profile = body.given().get("profile")
    actions.update_profile(user_of(request).pk, profile.given() if profile else {})
    return me(request)


@router.delete("/me", response={204: None})
@conditional_change(get_me, schemas.User)
@limited_as("password_check")
@refuses(WrongPassword)
def erase_me(request: HttpRequest, body: schemas.EraseUser) -> Status[None]:
    """Erase your account. Your personal data is deleted, your sessions end, and your e-mail address is freed."""
    personal_data.erase(user_of(request).pk, body.password)
    return Status(204, None)


@router.put("/me/avatar", response=schemas.User)
@refuses(NotAnImage, TooManyPixels, TooLarge, ServiceUnavailable)
@takes_upload(MAX_IMAGE_BYTES)
def set_avatar(request: HttpRequest) -> User:
    """Set your avatar: a JPEG, PNG or WebP image."""
    actions.set_avatar(user_of(request).pk, read_one(request, MAX_IMAGE_BYTES))
    return me(request)


@router.delete("/me/avatar", response={204: None})
def remove_avatar(request: HttpRequest) -> Status[None]:
    """Remove your avatar."""
    actions.remove_avatar(user_of(request).pk)
    return Status(204, None)


@router.get("/me/export", response=schemas.Export)
def export_me(request: HttpRequest) -> dict[str, Any]:
    """Export all data held about you."""
    return personal_data.export(user_of(request).pk)


@router.get("/{user_id}", auth=None, response=schemas.PublicUser)
@conditional
@refuses(NotFound, TokenNotValid)
def get_user(request: HttpRequest, user_id: Id) -> User:
    """The public profile of a provider, or of someone you share a booking with."""
    user = User.objects.active().with_profile().filter(pk=user_id).first()
    if user is None or not user.is_visible_to(viewer_of(request)):
        raise NotFound
    return user
