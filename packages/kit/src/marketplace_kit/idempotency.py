"""`Idempotency-Key`: a request that is sent twice is executed once, and the repeat gets the first answer again.

Two marks, each one line below the route. `@idempotent` is for an endpoint that is one transaction: its answer is
stored in that transaction. `@idempotent_in_steps(lease)` is for one that must call another system half-way: the key is
committed first, together with the id of what will be made, and a retry continues where the first attempt died.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from hashlib import blake2b, sha256
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.http import HttpRequest, HttpResponse
from ninja.params.models import Header

from .calls import Call, React, surrounded
from .clock import now
from .exceptions import DomainError, InvalidField
from .ids import uuid7
from .inserting import insert_if_free
from .models import IdempotencyKey
from .parsing import MalformedJson, parse_json
from .prepared import run_prepared
from .transactions import action
from .users import user_of

HEADER = "Idempotency-Key"


class IdempotencyInProgress(DomainError):
    """The first request with this Idempotency-Key is still running. Try again shortly."""

    code = "idempotency_in_progress"


class IdempotencyKeyReused(InvalidField):
    """This Idempotency-Key was already used with a different body. Use a new key for a new request."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(f"header/{HEADER}", self.code, "It was already used with a different body.")


def idempotent[F: Callable[..., Any]](endpoint: F) -> F:
    """Mark an endpoint that is one transaction and calls no other system. Stands below the route."""

    def react(call: Call, key: str | None) -> HttpResponse:
        return call.answer() if key is None else _in_one_transaction(call, _asked(call, key))

    return _marked(endpoint, react)


def idempotent_in_steps[F: Callable[..., Any]](lease: Callable[[], timedelta]) -> Callable[[F], F]:
    """Mark an endpoint that makes one thing in several transactions. Stands below the route.

    `lease`: how long the first attempt may take before a retry takes over. The endpoint asks `attempt_of`.
    """

    def mark(endpoint: F) -> F:
        def react(call: Call, key: str | None) -> HttpResponse:
            return _without_key(call) if key is None else _in_steps(call, _asked(call, key), lease())

        return _marked(endpoint, react)

    return mark


def _marked[F: Callable[..., Any]](endpoint: F, react: React) -> F:
    header = Header(
        None,
        alias=HEADER,
        description="A key for this request, kept for 24 h. A repeat gets the same answer and is not executed again.",
        min_length=1,
        max_length=255,
        pattern="^[!-~]*$",
    )
    marked = surrounded(endpoint, header, react, IdempotencyInProgress, IdempotencyKeyReused)
    marked.is_idempotent = True
    return cast(F, marked)


# --- one transaction ---


def _in_one_transaction(call: Call, asked: IdempotencyKey) -> HttpResponse:
    try:
        return _under(asked, call.answer)
    except DomainError as error:
        if isinstance(error, IdempotencyInProgress) or not is_kept(error.status):
            raise
        refused = call.refused(error)
    # What the refused attempt did was rolled back; the refusal itself is stored all the same.
    return _under(asked, lambda: refused)


@action
def _under(asked: IdempotencyKey, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """The answer stored under the key, or else this one, which is stored together with its effects."""
    stored = None if _is_new(asked) else _find(asked)
    if stored is not None:
        return stored.replayed()
    response = answer()
    if is_kept(response.status_code):
        asked.take_down(response)
        if not insert_if_free(asked):  # the earlier request committed while its key was looked up
            raise IdempotencyInProgress
    return response


# --- several steps ---


@dataclass
class Attempt:
    """One attempt at the request that a key stands for, or the only one if there is no key."""

    call: Call
    resource_id: UUID  # the id to create the resource with; if it exists already, continue with it
    row: IdempotencyKey | None = None
    is_first: bool = True
    response: HttpResponse | None = None

    def keep[T](self, answer: Callable[[T], Any]) -> Callable[[T], None]:
        """A callback that stores the answer. Call it with the outcome, in the transaction that records the outcome.

        `answer` returns what the endpoint would return for this outcome, or raises a refusal.
        """

        def store(outcome: T) -> None:
            if self.row is not None:
                self.store(_answer(self.call, lambda: answer(outcome)))

        return store

    def store(self, response: HttpResponse) -> None:
        """Store the answer, unless another attempt has done so already."""
        assert self.row is not None
        self.response = response
        self.row.take_down(response)
        values = {"status": self.row.status, "headers": self.row.headers, "body": self.row.body}
        IdempotencyKey.objects.filter(pk=self.row.pk, status=None).update(**values)

    def give_up(self, *, forget: bool) -> None:
        """Release the key at once: for any request (`forget`), or for a retry that continues from here."""
        assert self.row is not None
        mine = IdempotencyKey.objects.filter(pk=self.row.pk, status=None, leased_until=self.row.leased_until)
        if forget and self.is_first:
            mine.delete()
        else:
            mine.update(leased_until=now())


def attempt_of(request: HttpRequest) -> Attempt:
    """The attempt that this request to an `@idempotent_in_steps` endpoint makes."""
    attempt: Attempt = request.attempt  # type: ignore[attr-defined]
    return attempt


def _without_key(call: Call) -> HttpResponse:
    call.request.attempt = Attempt(call, uuid7())  # type: ignore[attr-defined]
    return call.answer()


def _in_steps(call: Call, asked: IdempotencyKey, lease: timedelta) -> HttpResponse:
    row, is_first = _claim(asked, lease)
    if row.is_answered:
        return row.replayed()
    attempt = Attempt(call, row.resource_id, row, is_first)
    call.request.attempt = attempt  # type: ignore[attr-defined]
    try:
        response = _answer(call, call.run)
    except Exception as error:
        # A refusal comes before anything is made; a failure may have left something to continue with.
        attempt.give_up(forget=isinstance(error, DomainError) and error.status < 500)
        raise
    if attempt.response is not None:
        return attempt.response
    if is_kept(response.status_code):
        attempt.store(response)
    else:
        attempt.give_up(forget=response.status_code < 500)
    return response


@action
def _claim(asked: IdempotencyKey, lease: timedelta) -> tuple[IdempotencyKey, bool]:
    """The key's row, and whether it is new: answered, or leased to this request. IdempotencyInProgress."""
    stored = _find(asked)
    if stored is None:
        asked.leased_until = now() + lease
        asked.save(force_insert=True)
        return asked, True
    if not stored.is_answered:
        if stored.is_leased:
            raise IdempotencyInProgress
        stored.leased_until = now() + lease
        stored.save(update_fields=["leased_until"])
    return stored, False


# --- both ---


def _asked(call: Call, key: str) -> IdempotencyKey:
    """What this request would be stored as."""
    request = call.request
    return IdempotencyKey(
        user=str(user_of(request).pk),
        method=request.method or "",
        path=request.path,
        key=key,
        body_hash=body_hash(request.body),
    )


def _is_new(asked: IdempotencyKey) -> bool:
    """Whether the key is unused, and now locked by us until the transaction ends. Does not wait.

    One statement, so it may miss a row that was committed at that very moment. Storing ours is then refused later.
    """
    values: list[int | str] = [_lock_of(asked), asked.user, asked.method, asked.path, asked.key]
    [[is_new]] = run_prepared(IS_NEW, values).fetchall()
    return bool(is_new)


SEEN = f'SELECT FROM {IdempotencyKey._meta.db_table} WHERE "user" = %s AND method = %s AND path = %s AND key = %s'
IS_NEW = f"SELECT pg_try_advisory_xact_lock(%s) AND NOT EXISTS ({SEEN})"


def _find(asked: IdempotencyKey) -> IdempotencyKey | None:
    """The row stored under the key. Unless it holds an answer, it is locked by us until the transaction ends.

    IdempotencyInProgress, IdempotencyKeyReused.
    """
    is_ours, rows = _try_lock(asked), IdempotencyKey.objects.under(asked)
    stored = (rows.select_for_update() if is_ours else rows).first()
    if stored is not None and stored.body_hash != asked.body_hash and not stored.is_expired:
        raise IdempotencyKeyReused
    if not is_ours and (stored is None or stored.is_expired or not stored.is_answered):
        raise IdempotencyInProgress
    if stored is not None and stored.is_expired:
        stored.delete()
        return None
    return stored


def _try_lock(asked: IdempotencyKey) -> bool:
    """Whether the key could be locked until the transaction ends. Does not wait."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_lock_of(asked)])
        return bool(cursor.fetchone()[0])


def _lock_of(asked: IdempotencyKey) -> int:
    name = ascii(("marketplace_kit.idempotency", asked.user, asked.method, asked.path, asked.key))
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)


def _answer(call: Call, run: Callable[[], Any]) -> HttpResponse:
    """The answer, or the refusal if it is one to store; other refusals are raised."""
    try:
        return call.shown(run())
    except DomainError as error:
        if not is_kept(error.status):
            raise
        return call.refused(error)


def is_kept(status: int) -> bool:
    """Whether an answer is stored: the action was done, was declined, or conflicted."""
    return 200 <= status < 300 or status in (402, 409)


# --- bodies ---

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def body_hash(body: bytes) -> str:
    """Equal for equal JSON values, whatever the order of keys, the whitespace and the notation of numbers."""
    with suppress(MalformedJson):  # another parser took it: it is compared as it is
        body = ascii(_canonical(parse_json(body))).encode()
    return sha256(body).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((key, _canonical(item)) for key, item in value.items()))
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    return Decimal(value).normalize(_EXACT) or Decimal(0)  # 50 is 50.00, and 0 is -0
