"""What can happen to a service: one function, one transaction, one thing."""

from datetime import date
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import F
from django.dispatch import Signal

from marketplace_kit.clock import now
from marketplace_kit.exceptions import InvalidField, NotFound, Unauthenticated
from marketplace_kit.exporting import exported
from marketplace_kit.jobs import defer
from marketplace_kit.money import rounded
from marketplace_kit.public_cache import move_on
from marketplace_kit.transactions import action, lock_row
from marketplace_kit.users import hold_users
from marketplace_media import actions as media
from marketplace_media.lifecycle import FileKind
from marketplace_media.models import File, Upload
from marketplace_scheduling import actions as scheduling
from marketplace_scheduling.models import ScheduleException

from .conf import conf
from .exceptions import NotYourService, ProviderRequired, TooManyFiles
from .lifecycle import MAX_FILES, TOPIC
from .models import Category, Service, ServiceFile, Word
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

# Those whose words it is found by.
SEARCHED = {"title", "description", "category"}


def forget_cached() -> None:
    """Let nobody read a kept answer any more: for whatever changes what services show, within its transaction."""
    move_on(TOPIC)


def require_provider(user: AbstractBaseUser) -> None:
    """ProviderRequired unless the project counts this user as a provider."""
    if not conf.call("IS_PROVIDER", user):
        raise ProviderRequired


@action
def create_service(provider: AbstractBaseUser, fields: dict[str, Any]) -> Service:
    """Offer a service. `fields` as in the contract, in Python names.

    ProviderRequired, InvalidField; Unauthenticated where the provider has just been erased or deactivated.
    """
    require_provider(provider)
    if not hold_users(provider.pk):
        raise Unauthenticated
    own, schedule = _split(fields)
    service = Service(provider_id=provider.pk, **_resolved(own))
    service.price = rounded(service.price, service.currency)
    service.schedule = scheduling.create_schedule(**schedule)
    service.save(force_insert=True)
    _learn_words(service)
    _announce(service_created, service)
    return service


@action
def change_service(user: AbstractBaseUser, service: Service, fields: dict[str, Any]) -> Service:
    """Change what `fields` names; bookings keep what was agreed. NotYourService, InvalidField."""
    locked = lock_row(Service.objects.live().select_related("schedule"), service.pk)
    _require_owner(user, locked)
    if not fields:
        return locked
    own, schedule = _split(fields)
    for name, value in _resolved(own).items():
        setattr(locked, name, value)
    _recheck_price(locked)
    if schedule:
        scheduling.change_schedule(locked.schedule, **schedule)
    locked.updated_at = now()
    locked.save()
    if not SEARCHED.isdisjoint(own):
        _learn_words(locked)
    _announce(service_changed, locked)
    return locked


@action
def set_exception(user: AbstractBaseUser, service: Service, day: date, windows: list[str]) -> ScheduleException:
    """Let these be the hours of one local date. NotYourService, InvalidField."""
    _require_owner(user, service)
    exception = scheduling.set_exception(service.schedule, day, windows)
    _announce(service_changed, service)
    return exception


@action
def clear_exception(user: AbstractBaseUser, service: Service, day: date) -> bool:
    """Let the weekday's hours hold again; False where there was no exception. NotYourService."""
    _require_owner(user, service)
    cleared = scheduling.clear_exception(service.schedule, day)
    if cleared:
        _announce(service_changed, service)
    return cleared


@action
def delete_service(user: AbstractBaseUser, service: Service) -> None:
    """Take a service out of the catalog; bookings keep what they show. NotYourService."""
    _require_owner(user, service)
    taken = Service.objects.live().filter(pk=service.pk).update(deleted_at=now(), updated_at=now())
    if taken:
        _drop_files([service.pk])
        _announce(service_deleted, service)


@action
def withdraw_services(provider_id: Any) -> None:
    """Take all services of a provider who leaves out of the catalog, with their files."""
    media.forget_uploads(provider_id)
    for service in Service.objects.live().offered_by(provider_id).order_by("pk").select_for_update():
        service.deleted_at = service.updated_at = now()
        service.save(update_fields=["deleted_at", "updated_at"])
        _drop_files([service.pk])
        _announce(service_deleted, service)


@action
def close_services(provider_id: Any) -> None:
    """Let nobody find or book the services of this provider until somebody makes them active again."""
    active = Service.objects.live().offered_by(provider_id).filter(is_active=True)
    for service in active.order_by("pk").select_for_update():
        service.is_active, service.updated_at = False, now()
        service.save(update_fields=["is_active", "updated_at"])
        _announce(service_changed, service)


@action
def save_category(category: Category) -> None:
    """Store a category. The services in it and below are found by its words soon after."""
    category.save()
    forget_cached()
    defer("marketplace_catalog.copy_category_words", category_id=category.pk)


@action
def copy_category_words(category_id: int, limit: int = 1000) -> int:
    """Let services in this category and below be found by its present words; how many of `limit` were not yet."""
    branch = Category.objects.branch(category_id)
    for category in Category.objects.filter(pk__in=branch).select_related("parent__parent"):
        stale = Service.objects.filter(category=category).exclude(category_words=category.words)[:limit]
        copied = Service.objects.filter(pk__in=stale.values("pk")).update(category_words=category.words)
        if copied:
            Word.objects.learn(category.words)
            forget_cached()
            return copied
    return 0


@action
def rate(service_id: UUID, rating: int) -> None:
    """Count a review in, of a service that may be deleted: no review is lost, however many come at once.

    The service's row is locked from here to the end of the transaction, as the last one that it locks. `updated_at`
    stays: its provider changed nothing.
    """
    _count_review(service_id, rating, 1)


@action
def unrate(service_id: UUID, rating: int) -> None:
    """Count a review out, as `rate` counts one in."""
    _count_review(service_id, -rating, -1)


def _count_review(service_id: UUID, points: int, reviews: int) -> None:
    # By the database, from what is there when the row is locked: what was read before may be old.
    counted = {"rating_sum": F("rating_sum") + points, "rating_count": F("rating_count") + reviews}
    Service.objects.filter(pk=service_id).update(**counted)
    forget_cached()


def export(provider_id: Any) -> dict[str, Any]:
    """The services that the user offers or offered, and their files."""
    offered = Service.objects.offered_by(provider_id).annotate(category_slug=F("category__slug")).order_by("created_at")
    fields = ("id", "title", "description", "category_slug", "price", "currency", "is_active", "created_at")
    files = ServiceFile.objects.filter(service__provider=provider_id).order_by("file__created_at").with_facts()
    return {
        "services": exported(offered, *fields, "updated_at", "deleted_at"),
        "serviceFiles": exported(files, "service_id", "kind", "filename", "content_type", "size", "created_at"),
    }


@action
def add_file(user: AbstractBaseUser, service: Service, file: File) -> None:
    """Show `file` behind those of its kind that are there. NotYourService, TooManyFiles."""
    locked = lock_row(Service.objects.live(), service.pk)
    require_room(user, locked, file.kind)
    ServiceFile.objects.create(service=locked, file=file, position=locked.count_files(file.kind))
    media.request_thumbnails(file)
    _announce(service_changed, locked)


def require_room(user: AbstractBaseUser, service: Service, kind: str) -> None:
    """NotYourService or TooManyFiles: asked before a file is looked into, and again under the lock."""
    _require_owner(user, service)
    if service.count_files(kind) >= MAX_FILES:
        raise TooManyFiles


@action
def remove_file(user: AbstractBaseUser, service: Service, kind: str, file_id: UUID) -> None:
    """Delete a file of this kind; those behind it move up. NotYourService, NotFound."""
    locked = lock_row(Service.objects.live(), service.pk)
    _require_owner(user, locked)
    item = ServiceFile.objects.of(locked.pk, kind).filter(file=file_id).first()
    if item is None:
        raise NotFound
    item.delete()
    ServiceFile.objects.of(locked.pk, kind).filter(position__gt=item.position).update(position=F("position") - 1)
    media.delete_file(file_id)
    _announce(service_changed, locked)


@action
def order_images(user: AbstractBaseUser, service: Service, file_ids: list[UUID]) -> None:
    """Show the images in this order. NotYourService, InvalidField unless each is named once."""
    locked = lock_row(Service.objects.live(), service.pk)
    _require_owner(user, locked)
    items = {item.file_id: item for item in ServiceFile.objects.of(locked.pk, FileKind.IMAGE)}
    if sorted(file_ids) != sorted(items):
        raise InvalidField("/ids", "not_the_images", "List every image of the service exactly once.")
    for position, file_id in enumerate(file_ids):
        items[file_id].position = position
    ServiceFile.objects.bulk_update(items.values(), ["position"])
    _announce(service_changed, locked)


@action
def start_upload(user: AbstractBaseUser, service: Service, fields: dict[str, Any]) -> Upload:
    """A form to upload a file for the service by. Refuses as require_room and media.actions.start_upload do."""
    require_room(user, service, fields["kind"])
    return media.start_upload(user.pk, service.pk, **fields)


def _drop_files(services: list[UUID]) -> None:
    """Nobody can see the files of a service that is gone."""
    items = ServiceFile.objects.filter(service__in=services)
    file_ids = list(items.values_list("file", flat=True))
    items.delete()
    media.delete_files(file_ids)


def _announce(fact: Signal, service: Service) -> None:
    """Say what happened to a service."""
    forget_cached()
    fact.send(sender=Service, service=service)


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
    category = Category.objects.select_related("parent__parent").filter(slug=fields["category"]).first()
    if category is None:
        raise InvalidField("/category", "unknown_category", "There is no category with this slug.")
    return {**fields, "category": category, "category_words": category.words}


def _learn_words(service: Service) -> None:
    Word.objects.learn(f"{service.title} {service.category_words} {service.description}")


def _recheck_price(service: Service) -> None:
    """A changed price or currency must still fit the one that stayed."""
    exact = rounded(service.price, service.currency)
    if exact != service.price:
        raise InvalidField("/price", "too_many_decimals", f"Too many decimals for {service.currency}.")
    service.price = exact
