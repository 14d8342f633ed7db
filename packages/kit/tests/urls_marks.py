"""Endpoints with kit's marks on them, on our kind of API and on a host's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI, Status
from tests.people.models import Thing, Work

from marketplace_kit.api import Api
from marketplace_kit.conditional import conditional, conditional_change
from marketplace_kit.exceptions import DomainError, Forbidden, InvalidField, NotFound, ServiceUnavailable
from marketplace_kit.idempotency import attempt_of, idempotent, idempotent_in_steps
from marketplace_kit.problems import install_error_handlers
from marketplace_kit.routing import Router, refuses
from marketplace_kit.schemas import Amount, AmountOut, In, Line100, Out, partial
from marketplace_kit.transactions import action

LEASE = timedelta(seconds=20)


class Taken(DomainError):
    """It is taken."""

    code = "taken"


class Declined(DomainError):
    """It was declined."""

    status = 402
    code = "declined"


OUTCOMES: dict[str, Exception] = {
    "taken": Taken(),
    "declined": Declined(),
    "missing": NotFound(),
    "forbidden": Forbidden(),
    "invalid": InvalidField("/name", "invalid", "No."),
    "away": ServiceUnavailable(),
    "broken": ZeroDivisionError("secret"),
}


class Make(In):
    name: Line100
    price: Amount = Decimal(0)
    tags: dict[str, Any] = {}


@partial
class Change(In):
    name: Line100
    price: Amount


class ThingOut(Out):
    id: int
    name: str
    price: AmountOut


class WorkOut(Out):
    id: UUID
    kind: str
    is_done: bool


# What the endpoints have come to, and what a test has them do there.
passed: list[str] = []
hooks: dict[str, Any] = {}


def reach(point: str) -> None:
    passed.append(point)
    hooks.get(point, lambda: None)()


@contextmanager
def at(point: str, do: Any) -> Iterator[None]:
    hooks[point] = do
    try:
        yield
    finally:
        del hooks[point]


def fail_as_told(name: str) -> None:
    if name in OUTCOMES:
        raise OUTCOMES[name]


router = Router(tags=["Marks"])


@router.post("/things", response={201: ThingOut})
@idempotent
@refuses(Taken, Declined)
def make_thing(request: HttpRequest, response: HttpResponse, body: Make) -> Status[Thing]:
    reach("making")
    thing = Thing.objects.create(name=body.name, price=body.price)
    fail_as_told(body.name)
    response["Location"] = f"{request.path}/{thing.pk}"
    return Status(201, thing)


@router.api_operation(["POST", "PUT"], "/things/{thing_id}/copies", response={201: ThingOut})
@idempotent
def copy_thing(request: HttpRequest, thing_id: int, body: Make) -> Status[Thing]:
    return Status(201, Thing.objects.create(name=f"{thing_id}", price=body.price))


@action
def begin(kind: str, work_id: UUID) -> Work:
    found = Work.objects.filter(pk=work_id).first()
    if found is None and Work.objects.filter(kind=kind).exists():
        raise Taken
    return found or Work.objects.create(pk=work_id, kind=kind)


@router.post("/works", response={201: WorkOut})
@idempotent_in_steps(lambda: LEASE)
@refuses(Taken, Declined)
def do_work(request: HttpRequest, response: HttpResponse, body: Make) -> Status[Work]:
    def answer(work: Work) -> Status[Work]:
        if body.name == "declined":
            raise Declined(work_id=work.pk)
        response["Location"] = f"{request.path}/{work.pk}"
        return Status(201, work)

    attempt = attempt_of(request)
    reach("claimed")
    if body.name != "declined":
        fail_as_told(body.name)
    work = begin(body.name, attempt.resource_id)
    reach("begun")
    if not work.is_done:
        reach("asked")
        with transaction.atomic():
            work.is_done = True
            work.save()
            attempt.keep(answer)(work)
            reach("recording")
    reach("recorded")
    return answer(work)


@router.get("/things/{thing_id}", auth=None, response=ThingOut)
@conditional
def get_thing(request: HttpRequest, thing_id: int) -> Thing:
    thing = Thing.objects.filter(pk=thing_id).first()
    if thing is None:
        raise NotFound
    return thing


@router.patch("/things/{thing_id}", response=ThingOut)
@conditional_change(get_thing)
@refuses(Taken)
def change_thing(request: HttpRequest, thing_id: int, body: Change) -> Thing:
    reach("changing")
    for name, value in body.given().items():
        fail_as_told(str(value))
        Thing.objects.filter(pk=thing_id).update(**{name: value})
    return get_thing(request, thing_id)


@router.delete("/things/{thing_id}", response={204: None})
@conditional_change(get_thing, ThingOut)
@refuses(Taken)
def drop_thing(request: HttpRequest, thing_id: int) -> Status[None]:
    reach("dropping")
    get_thing(request, thing_id).delete()
    return Status(204, None)


def signed_in(request: HttpRequest) -> bool:
    return request.user.is_authenticated


api = Api(auth=signed_in, urls_namespace="kits")
api.add_router("", router)
hosts = NinjaAPI(auth=signed_in, urls_namespace="hosts")
install_error_handlers(hosts)
hosts.add_router("", router)
urlpatterns = [path("api/", api.urls), path("api/hosts/", hosts.urls)]
