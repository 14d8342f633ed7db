"""One endpoint for each of kit's manners."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import DataError, OperationalError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from ninja import Query
from pydantic import Field
from tests.people.models import Thing

from marketplace_kit.api import Api
from marketplace_kit.conditional import conditional
from marketplace_kit.exceptions import DomainError, Forbidden
from marketplace_kit.pagination import Page, PageParams, Slice, paginate
from marketplace_kit.public_cache import cached_publicly
from marketplace_kit.routing import Router, ignores_authorization, refuses, takes_upload
from marketplace_kit.schemas import (
    Amount,
    AmountOut,
    Bool,
    Currency,
    Id,
    In,
    Instant,
    Int,
    Line100,
    Out,
    Text500,
    Wrong,
    decimals_rule,
    partial,
)
from marketplace_kit.uploads import read_one
from marketplace_kit.users import UserId


class Teapot(DomainError):
    """This is a
    teapot."""

    status = 409
    code = "teapot"


class Size(In):
    inner_width: Int = Field(ge=1, le=10)


class Order(In):
    name: Line100
    count: Int = Field(1, ge=1, le=5)
    price: Amount = Decimal(0)
    currency: Currency = "USD"
    at: Instant | None = None
    is_gift: Bool = False
    note: Text500 = ""
    size: Size | None = None
    tags: list[str] = []

    @classmethod
    def rules(cls, data: dict[str, Any]) -> Iterator[Wrong]:
        yield from decimals_rule(data, "price", "currency")


@partial
class ChangeOrder(Order):
    pass


class ThingOut(Out):
    id: int
    name: str
    unit_price: AmountOut = Field(validation_alias="price")


class Echo(Out):
    given: dict[str, Any]


class Filters(PageParams):
    sort: str = "newest"
    min_count: int | None = Field(None, ge=0, le=10)


router = Router(tags=["Things"])


@router.post("/orders", response=Echo)
@refuses(Teapot)
def create_order(request: HttpRequest, body: Order) -> dict[str, Any]:
    """Order something.

    More on that.
    """
    return {"given": body.given()}


@router.patch("/orders/{order_id}", response=Echo)
def change_order(request: HttpRequest, order_id: Id, body: ChangeOrder) -> dict[str, Any]:
    return {"given": body.given()}


@router.get("/things", auth=None, response=Page[ThingOut])
def list_things(request: HttpRequest, params: Query[Filters]) -> Slice[Thing]:
    orders = {"newest": ("-id",), "name": ("name", "id"), "price": ("-price", "-id")}
    return paginate(Thing.objects.all(), params, *orders[params.sort])


@router.get("/kept-things", auth=None, response=Page[ThingOut])
@conditional
@cached_publicly("things")
def list_kept_things(request: HttpRequest, params: Query[PageParams]) -> Slice[Thing]:
    return paginate(Thing.objects.all(), params, "id")


@router.get("/raise/{kind}", auth=None, response=Echo)
def raise_it(request: HttpRequest, kind: str) -> None:
    raise {
        "domain": Teapot("Short and stout.", spout_length=3),
        "forbidden": Forbidden(),
        "missing": Http404(),
        "data": DataError("integer out of range"),
        "away": OperationalError("connection refused"),
        "defect": ZeroDivisionError("secret detail"),
    }[kind]


@router.post("/standby", auth=None, response=Echo)
def write_to_a_standby(request: HttpRequest) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        Thing.objects.create()


@router.get("/me/{user_id}", auth=None, response=Echo)
@ignores_authorization
def echo_user(request: HttpRequest, user_id: UserId) -> dict[str, Any]:
    return {"given": {"id": user_id, "at": datetime(2027, 1, 1, tzinfo=UTC)}}


@router.put("/file", auth=None, response=Echo)
@takes_upload(1000)
def put_file(request: HttpRequest) -> dict[str, Any]:
    file = read_one(request, 1000)
    return {"given": {"size": file.size, "name": file.name}}


def signed_in(request: HttpRequest) -> bool:
    return request.user.is_authenticated


api = Api(title="kit", auth=signed_in, urls_namespace="host")
api.add_router("", router)


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


urlpatterns = [path("broken/", broken), path("api/", api.urls)]
