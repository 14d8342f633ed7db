"""What can happen to a service: one function, one transaction, one thing."""

from datetime import date
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import F, Max

from marketplace_kit.clock import now
from marketplace_kit.exceptions import InvalidField
from marketplace_kit.exporting import exported
from marketplace_kit.money import rounded
from marketplace_kit.transactions import action, lock_row
from marketplace_media.models import File
from marketplace_scheduling import actions as scheduling
from marketplace_scheduling.models import ScheduleException

from .conf import conf
from .exceptions import NotYourService, ProviderRequired, TooManyFiles
from .lifecycle import MAX_FILES
from .models import Category, Service, ServiceFile, image_count
from .signals import service_changed, service_created, service_deleted

# The fields of a service that its schedule keeps.
SCHEDULE_FIELDS = {
    "timezone": "timezone",
    "availability": "windows",
    "duration": "duration",
    "buffer_before": "buffer_before",
    "buffer_after": "buffer_after",
    "slot_interval": "slot_interval",
    "minimum_notice": "minimum_notice",
    "booking_window": "booking_window",
}


def require_provider(user: AbstractBaseUser) -> None:
    """ProviderRequired unless the project counts this user as a provider."""
    if not conf.call("IS_PROVIDER", user):
        raise ProviderRequired


@action
def create_service(provider: AbstractBaseUser, fields: dict[str, Any]) -> Service:
    """Offer a service. `fields` as in the contract, in Python names. ProviderRequired, InvalidField."""
    require_provider(provider)
    own, schedule = _split(fields)
    service = Service(provider_id=provider.pk, **_resolved(own))
    service.price = rounded(service.price, service.currency)
    service.schedule = scheduling.create_schedule(**schedule)
    service.save(force_insert=True)
    service_created.send(sender=Service, service=service)
    return service


@action
def change_service(user: AbstractBaseUser, service: Service, fields: dict[str, Any]) -> Service:
    """Change what `fields` names; bookings keep what was agreed. NotYourService, InvalidField."""
    locked = lock_row(Service.objects.live().select_related("schedule"), service.pk)
    _require_owner(user, locked)
    own, schedule = _split(fields)
    for name, value in _resolved(own).items():
        setattr(locked, name, value)
    _recheck_price(locked)
    if schedule:
        scheduling.change_schedule(locked.schedule, **schedule)
    locked.updated_at = now()
    locked.save()
    service_changed.send(sender=Service, service=locked)
    return locked


@action
def set_exception(user: AbstractBaseUser, service: Service, day: date, windows: list[str]) -> ScheduleException:
    """Let these be the hours of one local date. NotYourService, InvalidField."""
    _require_owner(user, service)
    exception = scheduling.set_exception(service.schedule, day, windows)
    service_changed.send(sender=Service, service=service)
    return exception


@action
def clear_exception(user: AbstractBaseUser, service: Service, day: date) -> bool:
    """Let the weekday's hours hold again; False where there was no exception. NotYourService."""
    _require_owner(user, service)
    cleared = scheduling.clear_exception(service.schedule, day)
    if cleared:
        service_changed.send(sender=Service, service=service)
    return cleared


@action
def delete_service(user: AbstractBaseUser, service: Service) -> None:
    """Take a service out of the catalog; bookings keep what they show. NotYourService."""
    _require_owner(user, service)
    taken = Service.objects.live().filter(pk=service.pk).update(deleted_at=now(), updated_at=now())
    if taken:
        service_deleted.send(sender=Service, service=service)


@action
def withdraw_services(provider_id: Any) -> None:
    """Take all services of a provider who leaves out of the catalog."""
    for service in Service.objects.live().offered_by(provider_id).select_for_update():
        service.deleted_at = service.updated_at = now()
        service.save(update_fields=["deleted_at", "updated_at"])
        service_deleted.send(sender=Service, service=service)


def export(provider_id: Any) -> dict[str, Any]:
    """The services that the user offers or offered."""
    offered = Service.objects.offered_by(provider_id).annotate(category_slug=F("category__slug")).order_by("created_at")
    fields = ("id", "title", "description", "category_slug", "price", "currency", "is_active", "created_at")
    return {"services": exported(offered, *fields, "updated_at", "deleted_at")}


@action
def add_image(user: AbstractBaseUser, service: Service, file: File) -> ServiceFile:
    """Show `file` behind the images that are there. NotYourService, TooManyFiles."""
    locked = lock_row(Service.objects.live(), service.pk)
    require_room_for_image(user, locked)
    last = ServiceFile.objects.filter(service=locked).aggregate(last=Max("position"))["last"]
    item = ServiceFile.objects.create(service=locked, file=file, position=0 if last is None else last + 1)
    service_changed.send(sender=Service, service=locked)
    return item


def require_room_for_image(user: AbstractBaseUser, service: Service) -> None:
    """NotYourService or TooManyFiles: asked before an upload is read, and again under the lock."""
    _require_owner(user, service)
    if image_count(service.pk) >= MAX_FILES:
        raise TooManyFiles


def _require_owner(user: AbstractBaseUser, service: Service) -> None:
    if not service.is_owned_by(user.pk):
        raise NotYourService


def _split(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {name: value for name, value in fields.items() if name not in SCHEDULE_FIELDS}
    schedule = {SCHEDULE_FIELDS[name]: value for name, value in fields.items() if name in SCHEDULE_FIELDS}
    return own, schedule


def _resolved(fields: dict[str, Any]) -> dict[str, Any]:
    if "category" not in fields:
        return fields
    category = Category.objects.filter(slug=fields["category"]).first()
    if category is None:
        raise InvalidField("/category", "unknown_category", "There is no category of this slug.")
    return {**fields, "category": category}


def _recheck_price(service: Service) -> None:
    """A changed price or currency must still fit the one that stayed."""
    exact = rounded(service.price, service.currency)
    if exact != service.price:
        raise InvalidField("/price", "too_many_decimals", f"The price has more decimals than {service.currency}.")
    service.price = exact
